"""Refusals and outages of token endpoints: those recorded from Logto, and those of other issuers by the RFCs."""

import pytest

from m2mguard.client import TokenEndpointUnavailable, TokenRequestError, TokenRequestRefused
from m2mguard.client._refusals import read_refusal
from m2mguard.client._token_request import TokenTarget
from tests.client.answers import RECORDED, SECRET, failure, general_failure, recorded, response


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
        ("err-secret-expired", "expired_secret", "the App Secret has expired"),
        ("err-application-not-m2m", "grant_type", "must be a machine-to-machine application"),
        ("err-spa", "wrong_secret", "an application without a secret"),
        ("err-claims-script-blocks", "claims_script", "custom token claims script failed"),
        ("err-claims-script-times-out", "claims_script", "Script execution timed out after 5000ms."),
    ],
)
def test_each_refusal_of_logto_has_a_reason_and_advice(name, reason, advice):
    error = failure(recorded(name))
    assert isinstance(error, TokenRequestRefused)
    assert error.reason == reason
    assert advice in str(error)


def test_recorded_refusals_do_not_repeat_the_endpoints_description():
    for name, answer in RECORDED.items():
        if name.startswith("err-"):
            error = failure(recorded(name))
            assert isinstance(error, TokenRequestRefused)
            assert error.reason != "other"
            assert answer["body"]["error_description"] not in str(error)


def test_advice_asks_for_a_resource_if_there_is_none():
    assert "give resource" in str(failure(recorded("err-no-resource"), TokenTarget()))


def test_advice_suggests_the_resource_with_a_trailing_slash():
    assert "'https://a.api/' would be another" in str(
        failure(recorded("err-unknown-resource"), TokenTarget(resource="https://a.api"))
    )


def test_a_refusal_for_scopes_names_them():
    error = failure(response(400, {"error": "invalid_scope"}))
    assert (error.reason, "'read:orders write:orders'" in error.detail) == ("scope", True)


def test_access_denied_without_an_organization_has_the_reason_denied():
    assert failure(response(403, {"error": "access_denied"}), TokenTarget(resource="https://a.api")).reason == "denied"


def test_an_unknown_code_is_a_refusal_that_names_the_code():
    error = failure(response(400, {"error": "gone_fishing"}))
    assert (type(error), error.reason, error.error) == (TokenRequestRefused, "other", "gone_fishing")
    assert "gone_fishing" in str(error)


@pytest.mark.parametrize("description", ["a sentence of tomorrow", None, 7])
def test_an_unknown_invalid_request_of_logto_names_all_three_causes(description):
    error = failure(response(400, {"error": "invalid_request", "error_description": description}))
    assert (type(error), error.reason) == (TokenRequestRefused, "malformed_request")
    for cause in ("App Secret has expired", "machine-to-machine application", "claims script failed"):
        assert cause in error.detail
    assert ("a sentence of tomorrow" in error.detail) is (description == "a sentence of tomorrow")


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 405, 429, 500, 502, 503])
def test_an_answer_without_an_oauth_error_is_an_outage(status):
    for body in (b"<html>who are you?</html>", b"", b'{"error": 7}', b'["error"]'):
        error = failure(response(status, body))
        assert isinstance(error, TokenEndpointUnavailable)
        assert str(status) in error.detail


@pytest.mark.parametrize(
    ("statuses", "advice"),
    [
        ((300, 301, 307, 399), "configure the URL that it leads to"),
        ((400, 401, 403, 404, 405), "check its URL, and any proxy in between"),
        ((204, 299, 402, 406, 500, 503), ""),
    ],
)
def test_the_advice_for_a_status_depends_on_the_status(statuses, advice):
    hints = {"configure the URL that it leads to", "check its URL, and any proxy in between"}
    for status in statuses:
        detail = failure(response(status, b"")).detail
        assert {hint for hint in hints if hint in detail} == ({advice} if advice else set()), status


def test_a_5xx_is_an_outage_even_with_an_error_code():
    assert isinstance(failure(response(503, {"error": "invalid_client"})), TokenEndpointUnavailable)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("7", 7.0),
        ("86400", 300.0),
        ("soon", 0.0),
        ("-1", 0.0),
        ("", 0.0),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        ("Sun, 06 Nov 1994 08:49:30 GMT", 0.0),
        ("Sun, 06 Nov 2094 08:49:37 GMT", 300.0),
    ],
)
def test_retry_after_is_limited_to_five_minutes(given, taken):
    assert failure(response(429, b"", retry_after=given)).retry_after == taken
    assert failure(response(503, b"", retry_after=given)).retry_after == taken
    assert failure(response(400, {"error": "temporarily_unavailable"}, retry_after=given)).retry_after == taken


def test_a_retry_after_date_counts_from_the_date_of_the_answer():
    slow_clock = {"date": "Sun, 06 Nov 1994 06:49:37 GMT", "retry_after": "Sun, 06 Nov 1994 06:50:07 GMT"}
    assert failure(response(503, b"", **slow_clock)).retry_after == 30.0


def test_a_429_has_its_own_reason():
    assert failure(response(429, {"error": "slow_down"})).reason == "too_many_requests"


@pytest.mark.parametrize("token", [{}, {"access_token": None}])
def test_a_refusal_with_status_200_is_a_refusal(token):
    error = failure(response(200, {"error": "invalid_scope", "error_description": "no such scope"} | token))
    assert (type(error), error.reason) == (TokenRequestRefused, "scope")


# Any other issuer


@pytest.mark.parametrize(
    ("status", "body", "reason", "advice"),
    [
        (401, {"error": "invalid_client"}, "client_authentication", "client_secret"),
        (400, {"error": "invalid_client"}, "client_authentication", "client_secret"),
        (400, {"error": "invalid_client_id"}, "client_authentication", "client_id"),
        (401, {"error": "unauthorized_client"}, "client_authentication", "client_secret"),
        (401, {"error": "access_denied", "error_description": "Unauthorized"}, "client_authentication", "client_id"),
        (401, {"error": "unauthorized"}, "client_authentication", "client_authentication"),
        (401, {"error": "invalid_scope"}, "scope", "read:orders"),
        (400, {"error": "unauthorized_client"}, "unauthorized_client", "check client_id"),
        (403, {"error": "unauthorized_client"}, "unauthorized_client", "client_credentials"),
        (403, {"error": "access_denied"}, "denied", "authorize"),
        (400, {"error": "access_denied"}, "denied", "grant it access"),
        (
            400,
            {"error": "invalid_grant", "error_description": "no client credentials user enabled"},
            "denied",
            "user enabled",
        ),
        (400, {"error": "invalid_target"}, "resource", "'https://shopping.api'"),
        (400, {"error": "invalid_resource"}, "resource", "'https://shopping.api'"),
        (400, {"error": "unsupported_grant_type"}, "grant_type", "client_credentials"),
        (400, {"error": "invalid_request"}, "malformed_request", "Authorization field"),
        (403, {"error": "consent_required"}, "other", "consent_required"),
    ],
)
def test_codes_of_any_issuer_are_read_by_the_rfc_and_quoted(status, body, reason, advice):
    error = general_failure(status, body)
    assert (type(error), error.reason, error.error) == (TokenRequestRefused, reason, body["error"])
    assert error.error_description == body.get("error_description")
    for expected in (advice, body["error"], body.get("error_description", "")):
        assert expected in error.detail


@pytest.mark.parametrize("name", [name for name in RECORDED if name.startswith("err-")])
def test_advice_for_other_issuers_has_no_terms_of_logto(name):
    detail = general_failure(RECORDED[name]["status"], RECORDED[name]["body"]).detail
    for phrase in (
        "App ID",
        "App Secret",
        "claims script",
        "machine-to-machine",
        "organization 'org-7'",
        "is not registered",
    ):
        assert phrase not in detail


def test_an_unknown_code_of_logto_is_read_like_that_of_any_issuer():
    error = failure(response(400, {"error": "gone_fishing", "error_description": "back on Monday"}))
    assert (error.reason, "back on Monday" in error.detail) == ("other", True)


@pytest.mark.parametrize(("code", "advice"), [("invalid_target", "give resource"), ("invalid_scope", "give scopes")])
def test_advice_asks_for_a_missing_resource_or_scopes(code, advice):
    assert advice in failure(response(400, {"error": code}), TokenTarget(), refusal=read_refusal).detail
    assert advice not in general_failure(400, {"error": code}).detail


@pytest.mark.parametrize("description", [None, 7, "", "  ", ["text"]])
def test_a_description_that_is_no_text_is_ignored(description):
    error = general_failure(400, {"error": "invalid_request", "error_description": description})
    assert error.error_description is None
    assert error.detail.endswith("(the issuer says: invalid_request)")


def test_the_issuers_description_is_one_line_without_our_secret():
    sentence = f"no client\nhas the secret {SECRET}\x1b[31m"
    error = general_failure(401, {"error": "invalid_client", "error_description": sentence})
    assert error.error_description == "no client has the secret [redacted]\\x1b[31m"
    assert SECRET not in f"{error} {error!r} {error.args}"


# Outages


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 500, 503])
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("temporarily_unavailable", "temporarily_unavailable"),
        ("server_error", "temporarily_unavailable"),
        ("SERVER_ERROR", "temporarily_unavailable"),
        ("internal_server_error", "temporarily_unavailable"),
        ("slow_down", "too_many_requests"),
        ("rate_limit_exceeded", "too_many_requests"),
    ],
)
def test_a_code_of_an_outage_is_an_outage_with_any_status(status, code, reason):
    for error in (general_failure(status, {"error": code}), failure(response(status, {"error": code}))):
        assert (type(error), error.reason, error.error) == (TokenEndpointUnavailable, reason, code)


@pytest.mark.parametrize("code", ["server_errors", "unavailable_client", "invalid_request"])
def test_a_code_that_is_no_outage_is_a_refusal(code):
    assert isinstance(general_failure(400, {"error": code}), TokenRequestRefused)


def test_a_copy_of_an_error_has_all_its_attributes():
    error = general_failure(403, {"error": "access_denied", "error_description": "no grant"})
    copy = error.again(7.0)
    assert isinstance(copy, TokenRequestError)
    assert (copy.error, copy.error_description, copy.retry_after) == ("access_denied", "no grant", 7.0)
    assert str(copy) == str(error)
