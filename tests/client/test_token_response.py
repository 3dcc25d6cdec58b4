"""What each answer of a token endpoint means, those recorded from a real Logto first."""

import json
from pathlib import Path

import pytest

from m2mguard.client import TokenEndpointUnavailable, TokenRequestError, TokenRequestRefused
from m2mguard.client.token_request import TokenTarget
from m2mguard.client.token_response import Granted, read
from m2mguard.net import Response

RECORDED = {
    answer["name"]: answer["response"]
    for answer in json.loads((Path(__file__).parent.parent / "data" / "logto" / "token-endpoint.json").read_text())
}
TARGET = TokenTarget(resource="https://shopping.api/", scopes=("read:orders", "write:orders"), organization_id="org-7")
GOOD = {"access_token": "a.b.c", "expires_in": 3600, "token_type": "Bearer"}


def response(status: int, body: object, **headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(
        status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=content
    )


def recorded(name: str) -> Response:
    return response(RECORDED[name]["status"], RECORDED[name]["body"])


def failure(answer: Response, target: TokenTarget = TARGET) -> TokenRequestError:
    with pytest.raises(TokenRequestError) as raised:
        read(answer, target, silence_grants=False)
    return raised.value


def test_logtos_grant_is_read():
    granted = read(recorded("token-global-2scopes"), TARGET, silence_grants=False)
    assert granted.value == RECORDED["token-global-2scopes"]["body"]["access_token"]
    assert granted.lifetime_s == 3600
    assert granted.scopes == {"read:orders", "write:orders"}
    assert granted.value not in repr(granted)


@pytest.mark.parametrize(
    ("name", "reason", "advice"),
    [
        ("err-custom-claims-denied", "denied", "custom token claims script"),
        ("err-no-client-auth", "malformed_request", "no proxy removes the Authorization field"),
        ("err-no-resource", "resource", "'https://shopping.api' would be another"),
        ("err-org-not-member", "organization", "add the application to the organization"),
        ("err-org-unknown", "organization", "'org-7', or there is none of that id"),
        ("err-resource-trailing-slash", "resource", "the resource 'https://shopping.api/' is not registered"),
        ("err-unknown-resource", "resource", "create an API resource with exactly this identifier"),
        ("err-unknown-client", "unknown_client", "no application has this App ID"),
        ("err-unsupported-grant", "grant_type", "machine-to-machine"),
        ("err-wrong-secret", "wrong_secret", "the secret is wrong"),
    ],
)
def test_each_refusal_of_logto_says_what_to_do(name, reason, advice):
    error = failure(recorded(name))
    assert isinstance(error, TokenRequestRefused)
    assert error.reason == reason
    assert advice in str(error)


def test_every_recorded_refusal_is_a_refusal_and_repeats_nothing_of_the_endpoints_words():
    for name, answer in RECORDED.items():
        if name.startswith("err-"):
            error = failure(recorded(name))
            assert isinstance(error, TokenRequestRefused)
            assert error.reason != "other"
            assert answer["body"]["error_description"] not in str(error)


def test_without_a_resource_the_advice_is_to_give_one():
    assert "give resource" in str(failure(recorded("err-no-resource"), TokenTarget()))


def test_another_slash_is_proposed_where_there_is_none():
    assert "'https://a.api/' would be another" in str(
        failure(recorded("err-unknown-resource"), TokenTarget(resource="https://a.api"))
    )


def test_a_refusal_for_scopes_names_them():
    error = failure(response(400, {"error": "invalid_scope"}))
    assert (error.reason, "'read:orders write:orders'" in error.detail) == ("scope", True)


def test_access_denied_without_an_organization_is_the_issuers_rule():
    assert failure(response(403, {"error": "access_denied"}), TokenTarget(resource="https://a.api")).reason == "denied"


def test_an_unheard_of_refusal_is_one_and_is_not_repeated():
    error = failure(response(400, {"error": "gone_fishing"}))
    assert (type(error), error.reason, "gone_fishing" in str(error)) == (TokenRequestRefused, "other", False)


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 405, 429, 500, 502, 503])
def test_an_answer_that_is_no_refusal_of_an_authorization_server_tells_nothing(status):
    for body in (b"<html>who are you?</html>", b"", b'{"error": 7}', b'["error"]'):
        error = failure(response(status, body))
        assert isinstance(error, TokenEndpointUnavailable)
        assert str(status) in error.detail


@pytest.mark.parametrize(
    ("statuses", "advice"),
    [
        ((300, 301, 307, 399), "configure the URL that it leads to"),
        ((400, 401, 403, 404, 405), "check its URL, and what stands between"),
        ((204, 299, 402, 406, 500, 503), ""),
    ],
)
def test_what_is_told_of_a_status_is_what_can_be_done_about_it(statuses, advice):
    pieces = {"configure the URL that it leads to", "check its URL, and what stands between"}
    for status in statuses:
        told = failure(response(status, b"")).detail
        assert {piece for piece in pieces if piece in told} == ({advice} if advice else set()), status


def test_a_server_error_is_no_refusal_even_with_an_error_code():
    assert isinstance(failure(response(503, {"error": "invalid_client"})), TokenEndpointUnavailable)


@pytest.mark.parametrize(("given", "taken"), [("7", 7.0), ("86400", 300.0), ("soon", 0.0), ("-1", 0.0), ("", 0.0)])
def test_retry_after_is_honoured_up_to_five_minutes(given, taken):
    assert failure(response(429, b"", retry_after=given)).retry_after == taken
    assert failure(response(503, b"", retry_after=given)).retry_after == taken


def test_too_many_requests_has_a_reason_of_its_own():
    assert failure(response(429, {"error": "slow_down"})).reason == "too_many_requests"


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"access_token": None}, "no access token"),
        ({"access_token": ""}, "no access token"),
        ({"access_token": 7}, "no access token"),
        ({"access_token": "a\r\nX-Admin: yes"}, "no access token"),
        ({"access_token": "a b"}, "no access token"),
        ({"access_token": "t\u00f6ken"}, "no access token"),
        ({"token_type": "DPoP"}, "not a bearer token"),
        ({"token_type": "N_A"}, "not a bearer token"),
        ({"token_type": None}, "not a bearer token"),
        ({"scope": ["read:orders"]}, "scope is not a string"),
        ({"expires_in": 0}, "expires_in"),
        ({"expires_in": -1}, "expires_in"),
        ({"expires_in": True}, "expires_in"),
        ({"expires_in": "soon"}, "expires_in"),
        ({"expires_in": [3600]}, "expires_in"),
    ],
)
def test_an_unusable_grant_is_no_token(changed, what):
    error = failure(response(200, GOOD | changed))
    assert isinstance(error, TokenEndpointUnavailable)
    assert (error.reason, what in error.detail) == ("unusable_answer", True)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>", b'{"access_token": NaN}', b'{"a": 1, "a": 2}'])
def test_a_grant_that_is_no_strict_json_object_is_no_token(body):
    assert failure(response(200, body)).reason == "unusable_answer"


@pytest.mark.parametrize(("expires_in", "lifetime_s"), [(3600, 3600.0), (0.5, 0.5), ("86400", 86400.0)])
def test_expires_in_is_the_lifetime(expires_in, lifetime_s):
    assert read(response(200, GOOD | {"expires_in": expires_in}), TARGET, silence_grants=False).lifetime_s == lifetime_s


def test_without_expires_in_five_minutes_are_assumed():
    answer = response(200, {"access_token": "a", "token_type": "bearer"})
    assert read(answer, TARGET, silence_grants=False) == Granted(value="a", lifetime_s=300.0, scopes=frozenset())


@pytest.mark.parametrize(
    ("scope", "silence_grants", "granted"),
    [
        ({}, True, {"read:orders", "write:orders"}),
        ({}, False, set()),
        ({"scope": ""}, True, set()),
        ({"scope": "write:orders more"}, True, {"write:orders", "more"}),
    ],
)
def test_what_an_answer_without_scope_means_is_for_the_source_to_say(scope, silence_grants, granted):
    assert read(response(200, GOOD | scope), TARGET, silence_grants=silence_grants).scopes == granted
