"""Signed answers (RFC 9701): whose they are, for whom and when they were made."""

from dataclasses import replace

import pytest

from m2mguard import KeysUnavailable, ResourceServer
from m2mguard.events import IntrospectionFailed
from m2mguard.testing import SHOPPING_API, SigningKey, faults
from m2mguard.testing.faults import Fault

TYP = "token-introspection+jwt"
ACTIVE = {"active": True, "client_id": "app-orders", "aud": SHOPPING_API, "exp": 4_000_000_000}
FOREIGN = SigningKey.generate("ES256", kid="foreign")


@pytest.fixture
def api(make_api):
    return make_api(introspection={"jwt": True})


def signed(issuer, *, key=None, header=None, without=(), **claims) -> Fault:
    key = key or issuer.current_key
    now = int(issuer.clock())
    said = {"iss": issuer.url, "aud": "app-admin", "iat": now, "token_introspection": ACTIVE} | claims
    body = key.sign_compact(
        {"alg": key.algorithm, "kid": key.kid, "typ": TYP} | (header or {}),
        {name: value for name, value in said.items() if name not in without},
    )
    return faults.body(body.encode())


def test_a_signed_answer_is_asked_for_and_verified(api, issuer):
    assert api.verify(issuer.mint_opaque(scopes=["read:orders"])).scopes == {"read:orders"}
    [request] = [one for one in issuer.requests if one.endpoint == "introspection"]
    assert request.headers["accept"] == "application/token-introspection+jwt"
    assert issuer.count("jwks") == 1
    api.verify(issuer.mint_opaque())
    api.verify(issuer.mint())
    assert issuer.count("jwks") == 1  # one key lifecycle for answers and tokens


ACCEPTED = {
    "as it should be": {},
    "a long type": {"header": {"typ": "application/Token-Introspection+JWT"}},
    "several audiences": {"aud": ["app-other", "app-admin"]},
}
REFUSED = {
    "another audience": ({"aud": "app-orders"}, "introspection_audience"),
    "audiences without ours": ({"aud": ["app-orders"]}, "introspection_audience"),
    "a part of our id": ({"aud": "app-admin-2"}, "introspection_audience"),
    "no audience": ({"without": ("aud",)}, "introspection_audience"),
    "another issuer": ({"iss": "https://other.example"}, "introspection_signature"),
    "no issuer": ({"without": ("iss",)}, "introspection_signature"),
    "a list of issuers": ({"iss": ["x"]}, "introspection_signature"),
    "an access token": ({"header": {"typ": "at+jwt"}}, "introspection_signature"),
    "no type": ({"header": {"typ": "JWT"}}, "introspection_signature"),
    "another key": ({"key": FOREIGN}, "introspection_signature"),
    "another key under our name": ({"key": FOREIGN, "header": {"kid": "{kid}"}}, "introspection_signature"),
    "no algorithm": ({"header": {"alg": "none"}}, "introspection_signature"),
    "a critical extension": ({"header": {"crit": ["x"]}}, "introspection_signature"),
    "no time": ({"without": ("iat",)}, "introspection_answer"),
    "an old one": ({"iat": "{old}"}, "introspection_answer"),
    "one of the future": ({"iat": "{future}"}, "introspection_answer"),
    "a time in words": ({"iat": "now"}, "introspection_signature"),
    "no answer within": ({"without": ("token_introspection",)}, "introspection_answer"),
    "an answer in words": ({"token_introspection": "active"}, "introspection_answer"),
    "no word of active": ({"token_introspection": {"client_id": "app-orders"}}, "introspection_answer"),
}


def filled(options, issuer):
    values = {"{kid}": issuer.current_key.kid, "{old}": issuer.clock() - 91, "{future}": issuer.clock() + 91}
    return {
        name: {k: values.get(v, v) if isinstance(v, str) else v for k, v in value.items()}
        if isinstance(value, dict)
        else values.get(value, value)
        if isinstance(value, str)
        else value
        for name, value in options.items()
    }


@pytest.mark.parametrize("case", ACCEPTED)
def test_an_answer_for_us_is_believed(api, issuer, case):
    issuer.misbehave("introspection", Fault(headers={}, body=signed(issuer, **ACCEPTED[case]).body))
    assert api.verify("any-token").app_id == "app-orders"


@pytest.mark.parametrize("case", REFUSED)
def test_any_other_answer_says_nothing(api, issuer, events, case):
    options, problem = REFUSED[case]
    issuer.misbehave("introspection", signed(issuer, **filled(options, issuer)))
    with pytest.raises(KeysUnavailable) as unavailable:
        api.verify("any-token")
    assert (unavailable.value.status, unavailable.value.problem) == (503, problem)
    assert [event.problem for event in events.wait_for(IntrospectionFailed)] == [problem]


@pytest.mark.parametrize("algorithms", [["ES256"], ["RS256"]])
def test_an_answer_is_signed_by_an_algorithm_of_the_issuers_tokens(issuer, clock, algorithms):
    settings = replace(issuer.introspecting("app-admin", jwt=True, timeout=30), algorithms=algorithms)
    api = ResourceServer(settings, SHOPPING_API, clock=clock)
    if algorithms == ["ES256"]:
        assert api.verify(issuer.mint_opaque()).app_id == "app-orders"
        return
    with pytest.raises(KeysUnavailable) as unavailable:
        api.verify(issuer.mint_opaque())
    assert unavailable.value.problem == "introspection_signature"


def test_a_changed_signature_is_not_believed(api, issuer):
    body = signed(issuer).body
    issuer.misbehave("introspection", faults.body(body[:-20] + b"A" * 20))
    with pytest.raises(KeysUnavailable) as unavailable:
        api.verify("any-token")
    assert unavailable.value.problem == "introspection_signature"


@pytest.mark.parametrize("body", [b"", b"{}", b"a.b", b"a.b.c", b"a.b.c.d.e", b"\xff.\xff.\xff"], ids=repr)
def test_what_is_no_jwt_is_not_believed(api, issuer, body):
    issuer.misbehave("introspection", faults.body(body))
    with pytest.raises(KeysUnavailable) as unavailable:
        api.verify("any-token")
    assert unavailable.value.problem == "introspection_signature"


def test_a_plain_answer_is_not_taken_for_a_signed_one(api, issuer):
    issuer.misbehave("introspection", Fault(headers={"Content-Type": "application/json"}, body=b'{"active": false}'))
    with pytest.raises(KeysUnavailable) as unavailable:
        api.verify("any-token")
    assert unavailable.value.problem == "introspection_answer"


def test_an_answer_by_a_new_key_makes_the_keys_be_fetched(api, issuer):
    api.verify(issuer.mint_opaque())
    issuer.rotate()
    assert api.verify(issuer.mint_opaque()).app_id == "app-orders"
    assert issuer.count("jwks") == 2


def test_without_keys_a_signed_answer_cannot_be_verified(api, issuer):
    issuer.misbehave("jwks", faults.status(503))
    with pytest.raises(KeysUnavailable) as unavailable:
        api.verify(issuer.mint_opaque())
    assert (unavailable.value.reason, unavailable.value.problem) == (
        "introspection_unavailable",
        "introspection_signature",
    )
    issuer.behave()
