"""Who is let in, and how a refusal is answered: on each stack, for each kind of call."""

import threading
import time

import grpc
import pytest

from m2mguard import ConfigurationError, KeyCaching, Requirement, ResourceServer
from m2mguard.grpc import AioGuard, Guard, current_caller
from m2mguard.testing import SHOPPING_API, LocalIssuer, calling_as, fake_caller, faults

READ = Requirement(scopes=["read:orders"])
UNAUTHENTICATED, DENIED, UNAVAILABLE = (
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAVAILABLE,
)
HEALTH_CHECK = "/grpc.health.v1.Health/Check"


@pytest.fixture
def bearer(issuer, clock):
    def make(app_id="app-a", *scopes, **claims):
        return f"Bearer {issuer.mint(app_id, scopes=list(scopes), iat=clock(), exp=clock() + 600, **claims)}"

    return make


def test_a_handler_sees_who_calls(connect, kind, bearer):
    outcome = connect().call(kind, bearer("app-a"))
    assert outcome.code is grpc.StatusCode.OK
    assert set(b" ".join(outcome.answers).split()) == {b"app-a"}


def test_refusals_are_those_of_http(connect, kind, bearer, issuer, clock):
    client = connect(requires=READ)
    good = bearer("app-a", "read:orders")
    expired = f"Bearer {issuer.mint('app-a', scopes=['read:orders'], iat=clock() - 900, exp=clock() - 60)}"
    cases = {
        (): (UNAUTHENTICATED, 'Bearer realm="api"'),
        ("Basic YTpi",): (UNAUTHENTICATED, 'Bearer realm="api"'),
        (good, good): (UNAUTHENTICATED, 'error="invalid_request"'),
        ("Bearer a b",): (UNAUTHENTICATED, 'error="invalid_request"'),
        (good[:-8],): (UNAUTHENTICATED, 'error="invalid_token"'),
        (expired,): (UNAUTHENTICATED, 'error="invalid_token"'),
        (bearer("app-a", "read:orders", audience="https://other.api"),): (UNAUTHENTICATED, 'error="invalid_token"'),
        (bearer("app-a"),): (DENIED, 'error="insufficient_scope"'),
        (bearer("app-a", "read:orders", claims={"sub": "user-1"}),): (DENIED, 'error="insufficient_scope"'),
    }
    for fields, (code, challenge) in cases.items():
        outcome = client.call(kind, *fields)
        assert outcome.code is code, fields
        assert challenge in outcome.trailing["www-authenticate"]
        assert outcome.answers == []
        assert not any(field[-20:] in repr(outcome) for field in fields)
    assert client.call(kind, good).code is grpc.StatusCode.OK


def test_an_outage_is_unavailable_and_says_when_to_come_back(connect, kind):
    with LocalIssuer(algorithm="ES256") as issuer:
        token = issuer.mint()
        issuer.outage()
        outcome = connect(ResourceServer(issuer.trusted, audience=SHOPPING_API)).call(kind, f"Bearer {token}")
    assert outcome.code is UNAVAILABLE
    assert int(outcome.trailing["grpc-retry-pushback-ms"]) >= 1000
    assert "www-authenticate" not in outcome.trailing


def test_an_unknown_method_asks_for_a_token_first(connect, kind, bearer):
    client = connect()
    assert client.call(kind, method="/shop.Orders/NoSuch").code is UNAUTHENTICATED
    assert client.call(kind, bearer(), method="/shop.Orders/NoSuch").code is grpc.StatusCode.UNIMPLEMENTED


def test_a_method_asks_for_more_than_the_others(connect, bearer):
    methods = {"/shop.Orders/unary_unary": Requirement(scopes=["delete:orders"])}
    client = connect(requires=READ, methods=methods)
    outcomes = [client.call("unary_unary", bearer("app-a", *scopes)) for scopes in (["read:orders"], ["delete:orders"])]
    assert [outcome.code for outcome in outcomes] == [DENIED, DENIED]
    assert 'scope="delete:orders"' in outcomes[0].trailing["www-authenticate"]
    assert client.call("unary_unary", bearer("app-a", "read:orders", "delete:orders")).code is grpc.StatusCode.OK
    assert client.call("unary_stream", bearer("app-a", "read:orders")).code is grpc.StatusCode.OK


def test_health_is_public_and_other_services_are_once_named(connect, bearer):
    assert connect().call("unary_unary", method=HEALTH_CHECK, message=b"").code is grpc.StatusCode.OK
    closed = connect(public=())
    assert closed.call("unary_unary", method=HEALTH_CHECK, message=b"").code is UNAUTHENTICATED
    named = connect(public=["/shop.Orders/unary_unary", "/shop.Other/"])
    outcome = named.call("unary_unary")
    assert (outcome.code, outcome.answers) == (grpc.StatusCode.OK, [b"nobody"])
    assert named.call("unary_unary", bearer()).answers == [b"nobody"]
    assert named.call("unary_stream").code is UNAUTHENTICATED
    assert named.call("unary_unary", method="/shop.Other/NoSuch").code is grpc.StatusCode.UNIMPLEMENTED
    assert named.call("unary_unary", method="/shop.Other2/NoSuch").code is UNAUTHENTICATED


def test_a_caller_does_not_remain_on_a_thread(connect, bearer):
    client = connect(public=["/shop.Orders/unary_unary"])
    for _ in range(12):
        assert client.call("unary_stream", bearer("app-b")).answers == [b"app-b"] * 2
        assert client.call("stream_unary", bearer("app-c")).answers == [b"app-c app-c"]
        assert client.call("unary_unary").answers == [b"nobody"]


def test_a_test_may_say_who_calls(connect, server):
    client = connect(requires=READ)
    with calling_as(server, fake_caller("app-fake", scopes=["read:orders"])):
        assert client.call("unary_unary").answers == [b"app-fake"]
    with calling_as(server, fake_caller("app-fake")):
        assert client.call("unary_unary").code is DENIED


def test_a_hanging_issuer_delays_no_public_call(connect, capsys):
    with LocalIssuer(algorithm="ES256") as issuer:
        issuer.misbehave("jwks", faults.hang())
        server = ResourceServer(issuer.trusted, audience=SHOPPING_API, caching=KeyCaching(timeout=2))
        client = connect(server)
        client.call("unary_unary", method=HEALTH_CHECK, message=b"")
        outcomes = []
        waiting = [
            threading.Thread(target=lambda: outcomes.append(client.call("unary_unary", f"Bearer {issuer.mint()}"))) for _ in range(4)
        ]  # fmt: skip
        for thread in waiting:
            thread.start()
        while issuer.count("jwks") == 0:
            time.sleep(0.01)
        began = time.perf_counter()
        assert client.call("unary_unary", method=HEALTH_CHECK, message=b"").code is grpc.StatusCode.OK
        took_s = time.perf_counter() - began
        assert outcomes == []
        for thread in waiting:
            thread.join()
    with capsys.disabled():
        print(f"\na public call took {took_s * 1e3:.1f} ms while 4 waited for keys")
    assert [outcome.code for outcome in outcomes] == [UNAVAILABLE] * 4
    assert took_s < 1


def test_outside_of_a_call_there_is_no_caller():
    with pytest.raises(RuntimeError, match="no Caller"):
        current_caller()


@pytest.mark.parametrize("guard", [Guard, AioGuard])
@pytest.mark.parametrize(
    "invalid",
    [
        {"requires": "read:orders"}, {"methods": ["/a/b"]}, {"methods": {"a/b": READ}}, {"methods": {"/a/": READ}},
        {"methods": {"/a/b": ["read:orders"]}}, {"public": "/a/"}, {"public": ["a/b"]}, {"public": ["/"]}, {"streams": "cut"},
        {"requires": Requirement(issuers=["https://other.example"])},
    ],
)  # fmt: skip
def test_an_invalid_argument_is_found_at_once(guard, invalid, server):
    with pytest.raises(ConfigurationError):
        guard(server, **invalid)
    with pytest.raises(ConfigurationError):
        guard(None)
