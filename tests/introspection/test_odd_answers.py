"""Whatever is no answer says nothing about the token: 503 and an event, never 401 and never accepted."""

import json
import os
import time

import pytest

from m2mguard import InvalidToken, KeysUnavailable, ResourceServer
from m2mguard.client import Assertion, ClientSecret, PrivateKeyJwt
from m2mguard.events import IntrospectionFailed, KeysUnavailableEvent
from m2mguard.net import HttpTransport, Response
from m2mguard.testing import SHOPPING_API, SigningKey, faults
from m2mguard.testing.faults import Fault
from tests.client_keys import private_pem

GOOD = {"active": True, "client_id": "app-orders", "aud": SHOPPING_API, "exp": 4_000_000_000}


def answering(document, **more) -> Fault:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Fault(body=body, **more)


def unavailable(api, token) -> KeysUnavailable:
    with pytest.raises(KeysUnavailable) as found:
        api.verify(token)
    assert (found.value.status, found.value.reason) == (503, "introspection_unavailable")
    answer = api.answer(found.value)
    assert "WWW-Authenticate" not in answer.headers
    assert int(answer.headers["Retry-After"]) >= 1
    return found.value


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (faults.status(401), "introspection_credentials"),
        (faults.status(403), "introspection_credentials"),
        (Fault(status=403, body=b""), "introspection_credentials"),
        (answering({"error": "invalid_client"}, status=400), "introspection_credentials"),
        (answering({"error": "invalid_request"}, status=400), "introspection_status"),
        (answering(b"Bad Request", status=400), "introspection_status"),
        (faults.status(201), "introspection_status"),
        (faults.status(404), "introspection_status"),
        (faults.status(429), "introspection_status"),
        (faults.status(500), "introspection_status"),
        (faults.status(503), "introspection_status"),
        (faults.redirect("https://other.example/"), "introspection_status"),
        (faults.html(), "introspection_answer"),
        (answering(GOOD, headers={"Content-Type": "text/plain"}), "introspection_answer"),
        (answering(GOOD, headers={"Content-Type": "application/token-introspection+jwt"}), "introspection_answer"),
        (faults.body(b""), "introspection_answer"),
        (answering([GOOD]), "introspection_answer"),
        (answering(b'{"active":false,"active":true,"client_id":"a"}'), "introspection_answer"),
        (answering(b'{"active":true,"exp":NaN}'), "introspection_answer"),
        (answering(json.dumps(GOOD).encode("utf-16")), "introspection_answer"),
        (answering(b'{"active":true,"a":' + b"[" * 40 + b"]" * 40 + b"}"), "introspection_answer"),
        (answering({name: value for name, value in GOOD.items() if name != "active"}), "introspection_answer"),
        (answering(GOOD | {"active": "true"}), "introspection_answer"),
        (answering(GOOD | {"active": 1}), "introspection_answer"),
        (answering(GOOD | {"active": None}), "introspection_answer"),
        (faults.huge(70_000), "too_long"),
        (faults.gzip_bomb(), "too_long"),
        (faults.disconnect(), "broken"),
        (faults.truncated(), "broken"),
    ],
    ids=str,
)
def test_an_odd_answer_says_nothing_about_the_token(api, issuer, events, fault, problem):
    token = issuer.mint_opaque()
    issuer.misbehave("introspection", fault)
    error = unavailable(api, token)
    assert (error.problem, error.issuer) == (problem, issuer.url)
    [failed] = events.wait_for(IntrospectionFailed)
    assert (failed.problem, failed.issuer, failed.failures) == (problem, issuer.url, 1)
    assert [event.problem for event in events.of(KeysUnavailableEvent)] == [problem]
    health = api.health().issuers[0].introspection
    assert (health.failures, health.last_problem, health.last_error) == (1, problem, failed.error)
    assert (health.remembered, health.refused, health.in_flight) == (0, 0, 0)


@pytest.mark.parametrize(
    "document", [GOOD, GOOD | {"extra": [[1]]}, b"\xef\xbb\xbf" + json.dumps(GOOD).encode()], ids=str
)
def test_a_good_answer_is_one(api, issuer, document):
    issuer.misbehave("introspection", answering(document, headers={"Content-Type": "Application/JSON ; charset=utf-8"}))
    assert api.verify("any-token").app_id == "app-orders"


def test_an_inactive_token_is_refused_whatever_else_the_answer_says(api, issuer, events):
    issuer.misbehave("introspection", answering(GOOD | {"active": False}))
    with pytest.raises(InvalidToken) as refused:
        api.verify("any-token")
    assert (refused.value.reason, refused.value.issuer, refused.value.app_id) == ("inactive", issuer.url, None)
    assert events.of(IntrospectionFailed) == []


@pytest.mark.parametrize(
    ("fault", "is_asked"),
    [
        (faults.status(401), False),
        (Fault(status=429, headers={"Retry-After": "30"}), False),
        (Fault(status=503, headers={"Retry-After": "30"}), False),
        (faults.status(500), True),
        (Fault(status=500, headers={"Retry-After": "30"}), True),
        (faults.html(), True),
    ],
    ids=str,
)
def test_what_one_token_can_bring_about_keeps_no_other_from_being_asked_about(make_api, issuer, clock, fault, is_asked):
    """Else a stranger who finds a token at which the endpoint fails could close it for all."""
    api = make_api()
    issuer.misbehave("introspection", fault, times=1)
    unavailable(api, issuer.mint_opaque())
    other = issuer.mint_opaque()
    if is_asked:
        assert api.verify(other).app_id == "app-orders"
        return
    wait = unavailable(api, other).retry_after
    assert issuer.count("introspection") == 1
    clock.advance(wait)
    assert api.verify(other).app_id == "app-orders"


def test_the_endpoint_is_found_again_after_it_moved(make_api, issuer):
    """The metadata is asked again after a failure."""
    api = make_api(introspection={"endpoint": None})
    api.verify(issuer.mint_opaque())
    assert issuer.count("discovery") == 1
    issuer.misbehave("introspection", faults.status(404), times=1)
    unavailable(api, issuer.mint_opaque())
    api.verify(issuer.mint_opaque())
    assert issuer.count("discovery") == 2


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"introspection_endpoint": None}, "no_endpoint"),
        ({"introspection_endpoint": "https://other.example/introspect"}, "other_origin"),
        ({"introspection_endpoint": "ftp://127.0.0.1/"}, "bad_endpoint"),
        ({"issuer": "https://other.example"}, "other_issuer"),
    ],
    ids=str,
)
def test_metadata_may_not_send_us_elsewhere(make_api, issuer, members, problem):
    issuer.misbehave("discovery", faults.members(**members))
    assert unavailable(make_api(introspection={"endpoint": None}), issuer.mint_opaque()).problem == problem
    assert issuer.count("introspection") == 0


@pytest.mark.parametrize(
    "authentication",
    [Assertion(lambda: "no jwt"), ClientSecret(lambda: ""), ClientSecret(lambda: os.environ["NO_SUCH_VARIABLE"])],
    ids=["no assertion", "no secret", "it raises"],
)
def test_a_proof_that_cannot_be_made_is_our_fault(make_api, issuer, authentication):
    api = make_api(introspection={"authentication": authentication})
    assert unavailable(api, issuer.mint_opaque()).problem == "introspection_proof"
    assert issuer.count("introspection") == 0


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_the_question_is_a_form(make_api, issuer, method):
    secret = "secret-of-app-admin"
    api = make_api(introspection={"authentication": ClientSecret(secret, method)})
    token = "a+b/c=="
    with pytest.raises(InvalidToken):
        api.verify(token)
    [request] = [one for one in issuer.requests if one.endpoint == "introspection"]
    assert request.method == "POST"
    assert request.headers["accept"] == "application/json"
    body = b"token=a%2Bb%2Fc%3D%3D&token_type_hint=access_token"
    more = f"&client_id=app-admin&client_secret={secret}".encode() if method == "client_secret_post" else b""
    assert request.body == body + more
    assert ("authorization" in request.headers) == (method == "client_secret_basic")


def test_a_private_key_signs_an_assertion_for_each_question(make_api, issuer):
    key = PrivateKeyJwt(private_pem(SigningKey.generate("ES256")))
    api = make_api(introspection={"authentication": key})
    unavailable(api, issuer.mint_opaque())  # a local issuer knows no keys of clients; a real one is in tests/interop
    [request] = [one for one in issuer.requests if one.endpoint == "introspection"]
    assert b"client_assertion=ey" in request.body


class Lying(HttpTransport):
    """A transport from outside that keeps no promise."""

    def __init__(self, what) -> None:
        super().__init__()
        self._what = what

    def request(self, method, url, **arguments):
        return self._what()


def test_a_transport_that_raises_anything_is_an_outage(issuer):
    for raised in (ZeroDivisionError("the-token"), OSError(), RecursionError()):

        def fail(raised=raised):
            raise raised

        api = ResourceServer(issuer.introspecting(), SHOPPING_API, transport=Lying(fail))
        error = unavailable(api, issuer.mint_opaque())
        assert error.problem == "other"
        assert "the-token" not in str(error)


def test_a_transport_that_returns_too_much_is_not_believed(issuer):
    answer = Response(
        status=200, headers={"content-type": "application/json"}, body=b'{"active": true}' + b" " * 70_000
    )
    api = ResourceServer(issuer.introspecting(), SHOPPING_API, transport=Lying(lambda: answer))
    assert unavailable(api, issuer.mint_opaque()).problem == "too_long"


def test_a_proof_that_takes_all_the_time_leaves_none_to_ask(make_api, issuer, clock):
    def slow() -> str:
        clock.advance(31)
        return "secret-of-app-admin"

    api = make_api(introspection={"authentication": ClientSecret(slow)})
    assert unavailable(api, issuer.mint_opaque()).problem == "timeout"
    assert issuer.count("introspection") == 0


def test_a_slow_endpoint_is_given_up_in_time(make_api, issuer):
    api = make_api(introspection={"timeout": 0.2})
    issuer.misbehave("introspection", faults.hang())
    began = time.monotonic()
    assert unavailable(api, issuer.mint_opaque()).problem == "timeout"
    assert time.monotonic() - began < 30
