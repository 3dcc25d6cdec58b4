"""A stream ends with its token, whether its handler works, waits, or has a client that stops reading."""

import logging
import threading
import time
from typing import Any

import grpc
import pytest

from m2mguard import ResourceServer
from m2mguard.grpc import Guard
from m2mguard.grpc._policy import Kind
from m2mguard.testing import SHOPPING_API, LocalIssuer, fake_caller
from tests.manual_clock import ManualClock

CALLER: Any = fake_caller("app-a", expires_at=time.time() + 600)
STREAMS = ["unary_stream", "stream_stream"]


@pytest.fixture
def server(issuer):
    return ResourceServer(issuer.trusted, audience=SHOPPING_API, leeway=0)


@pytest.fixture(autouse=True)
def looks_often(monkeypatch):
    for module in ("_aio", "_threads"):
        monkeypatch.setattr(f"m2mguard.grpc.{module}.LONGEST_SLEEP_S", 0.1)


def bearer(issuer, seconds):
    return f"Bearer {issuer.mint('app-a', exp=time.time() + seconds)}"


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("message", [b"work", b"wait"])
def test_a_stream_ends_with_its_token(connect, stack, issuer, kind, message):
    if message == b"wait" and stack == "threads of an event loop":
        pytest.skip("gRPC can cancel no such call")
    client = connect()
    client.call(kind, bearer(issuer, 60))
    began = time.monotonic()
    outcome = client.call(kind, bearer(issuer, 1), message=message)
    took_s = time.monotonic() - began
    print(f"{stack}, {kind}, {message}: ended {took_s:.2f} s after a token of 1 s was made")
    assert outcome.answers[0] == b"app-a"
    if message == b"wait" and stack == "threads":  # only a cancellation ends a thread that waits
        assert outcome.code is grpc.StatusCode.CANCELLED
    else:
        assert outcome.code is grpc.StatusCode.UNAUTHENTICATED
        assert 'error="invalid_token"' in outcome.trailing["www-authenticate"]
    assert 0.5 < took_s < 10


def test_a_client_that_sends_for_ever_is_ended_too(connect, issuer):
    ended = threading.Event()

    def messages():
        while not ended.wait(0.02):
            yield b"once"

    stub = connect().channel.stream_unary("/shop.Orders/stream_unary")
    with pytest.raises(grpc.RpcError) as caught:
        stub(messages(), metadata=[("authorization", bearer(issuer, 1))], timeout=20)
    ended.set()
    assert caught.value.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.CANCELLED)


def test_a_client_that_stops_reading_is_ended_too(connect, issuer):
    stub = connect().channel.unary_stream("/shop.Orders/unary_stream")
    call = stub(b"work", metadata=[("authorization", bearer(issuer, 1))], timeout=20)
    next(call)
    time.sleep(2.5)
    with pytest.raises(grpc.RpcError):
        for _ in call:
            pass
    assert call.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.CANCELLED)


@pytest.mark.parametrize("stack", ["threads", "event loop"])
def test_a_stream_may_be_kept(connect, issuer):
    client = connect(streams="keep")
    assert client.call("unary_stream", bearer(issuer, 1)).answers == [b"app-a"] * 2
    outcome = client.call("unary_stream", bearer(issuer, 1), message=b"work", timeout=2)
    assert outcome.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert len(outcome.answers) > 10


def test_a_withdrawn_key_ends_a_stream_and_an_outage_does_not(connect, stack):
    clock = ManualClock(time.time())
    message = b"work" if stack == "threads of an event loop" else b"wait"
    with LocalIssuer(algorithm="ES256") as issuer:
        server = ResourceServer(issuer.trusted, audience=SHOPPING_API, clock=clock)
        stub, kid = connect(server).channel.unary_stream("/shop.Orders/unary_stream"), issuer.current_key.kid
        call = stub(message, metadata=[("authorization", f"Bearer {issuer.mint()}")], timeout=30)
        assert next(call) == b"app-orders"
        issuer.outage()
        server.purge()  # so that it cannot be told whether the token is good
        time.sleep(1.2)
        assert call.is_active()
        issuer.recover()
        issuer.rotate()
        issuer.withdraw(kid)
        clock.advance(60)
        server.refresh()
        with pytest.raises(grpc.RpcError):
            list(call)
        assert call.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.CANCELLED)


def test_a_time_out_of_the_handler_itself_is_its_own(connect, issuer, monkeypatch):
    monkeypatch.setattr(
        logging.getLogger("grpc._cython.cygrpc"), "disabled", True
    )  # a logged traceback would keep the server alive
    outcome = connect().call("unary_stream", bearer(issuer, 60), message=b"late")
    assert (outcome.code, outcome.answers) == (grpc.StatusCode.UNKNOWN, [b"app-a"])


def test_an_iterator_is_a_stream_too(server, issuer):
    behavior = Guard(server).wrap(
        lambda request, context: iter(request), Kind(asks_stream=False, answers_stream=True), None, CALLER
    )
    assert list(behavior([b"a", b"b"], None)) == [b"a", b"b"]


def test_nothing_remains_of_ended_streams(connect, stack, issuer):
    client = connect()
    for _ in range(3):
        assert client.call("stream_stream", bearer(issuer, 60)).code is grpc.StatusCode.OK
    deadline = time.monotonic() + 5
    while any(thread.name == "m2mguard-grpc-streams" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
