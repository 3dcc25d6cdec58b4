"""Which calls end with their token and which do not, and what a handler learns of it. How they end: the file beside."""

import asyncio
import contextlib
import logging
import threading
import time

import grpc
import pytest

from m2mguard import Requirement
from m2mguard.testing import TestServer, calling_as, fake_caller
from tests.grpc_server.conftest import BUSY, IDLE, Requests, assert_end, expire, guarding, open_call, rest_of
from tests.grpc_servers import GUARDS, STACKS, bearer, call, seen_caller, service, serving

OK, CANCELLED, UNAUTHENTICATED = grpc.StatusCode.OK, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAUTHENTICATED
pytestmark = pytest.mark.usefixtures("looks_often")


@pytest.mark.parametrize("stack", STACKS)
def test_a_plain_handler_that_reads_on_after_the_end_learns_of_it(stack, server, token, handlers, caplog):
    raised = []

    def busy_elsewhere(requests, context):
        next(requests)
        handlers.is_waiting.set()
        handlers.test_is_over.wait(10)
        with handlers.noted():
            try:
                next(requests)
            except Exception as error:
                raised.append(error)
                raise

    with guarding(stack, server, stream_unary=busy_elsewhere) as channel:
        requests = Requests()
        method = channel.stream_unary("/shop.Orders/stream_unary")
        future = method.future(iter(requests), metadata=bearer(token), timeout=20)
        assert handlers.is_waiting.wait(10)
        expire(server, token)
        assert future.code() is {"sync": CANCELLED, "aio": UNAUTHENTICATED}[stack]
        handlers.test_is_over.set()
        assert handlers.has_ended()
        requests.stopped.set()
    assert len(raised) == 1
    assert [record for record in caplog.records if record.name.startswith("grpc")] == []
    raised.clear()


@pytest.mark.parametrize("stack", STACKS)
def test_a_plain_handler_that_hides_the_end_is_ended_all_the_same(stack, server, token, handlers):
    def hides(requests, context):
        next(requests)
        handlers.is_waiting.set()
        handlers.test_is_over.wait(10)
        with contextlib.suppress(Exception):
            next(requests)
        return b"as if nothing had happened"

    with guarding(stack, server, stream_unary=hides) as channel:
        method = channel.stream_unary("/shop.Orders/stream_unary")
        future = method.future(iter([b"1", b"2"]), metadata=bearer(token), timeout=20)
        assert handlers.is_waiting.wait(10)
        expire(server, token)
        handlers.test_is_over.set()
        assert future.code() is UNAUTHENTICATED


@pytest.mark.parametrize("kind", ["unary_stream", "unary_stream_writing"])
def test_a_coroutine_that_hides_the_end_is_ended_all_the_same(kind, server, token):
    """As an `except BaseException` in a loop does."""

    async def hides(request, context):
        for _ in range(1000):
            yield b"1"
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.02)

    async def hides_and_writes(request, context):
        for _ in range(1000):
            with contextlib.suppress(BaseException):
                await context.write(b"1")
                await asyncio.sleep(0.02)

    with guarding("aio", server, **{kind: hides if kind == "unary_stream" else hides_and_writes}) as channel:
        method = channel.unary_stream(f"/shop.Orders/{kind}")
        responses = method(b"", metadata=bearer(token), timeout=20)
        assert next(responses) == b"1"
        expire(server, token)
        assert_end(rest_of(responses), UNAUTHENTICATED)


@pytest.mark.parametrize(("stack", "handler"), [*BUSY, *(one[:2] for one in IDLE)])
def test_a_stream_goes_on_if_it_may(stack, handler, server, token, handlers):
    guard = GUARDS[stack](server, streams="keep")
    with serving(stack, [guard], service("shop.Orders", unary_stream=getattr(handlers, handler))) as channel:
        responses = open_call(channel, token)
        next(responses)
        server.clock.advance(hours=2)
        assert not handlers.ended.acquire(timeout=0.8)
        responses.cancel()
        handlers.test_is_over.set()
        assert handlers.has_ended()


@pytest.mark.parametrize("stack", STACKS)
def test_a_call_of_one_request_and_response_is_not_ended(stack, server):
    def slow(request, context):
        server.clock.advance(hours=2)
        time.sleep(0.8)
        return seen_caller()

    async def aio_slow(request, context):
        server.clock.advance(hours=2)
        await asyncio.sleep(0.8)
        return seen_caller()

    with guarding(stack, server, unary_unary={"sync": slow, "aio": aio_slow}[stack]) as channel:
        assert call(channel, "unary_unary", metadata=bearer(server.token())).code is OK
        assert call(channel, "unary_unary", metadata=bearer(server.token(lifetime=-7200))).code is UNAUTHENTICATED


@pytest.mark.parametrize(("stack", "functions"), [("sync", "sync"), ("aio", "sync"), ("aio", "aio")])
def test_a_request_that_comes_after_the_expiry_is_not_served(stack, functions, server):
    """A client can open a call, and send its one request an hour later."""
    reached = []

    def serve(request, context):
        reached.append(request)
        return b""

    async def aio_serve(request, context):
        return serve(request, context)

    def late():
        time.sleep(0.3)
        server.clock.advance(hours=2)
        yield b"late"

    def send(requests):
        method, metadata = "/shop.Orders/unary_unary", bearer(server.token())
        return call(channel, "stream_unary", method=method, metadata=metadata, requests=requests)

    with guarding(stack, server, unary_unary={"sync": serve, "aio": aio_serve}[functions]) as channel:
        assert_end(send(late()), UNAUTHENTICATED)
        assert reached == []
        assert send([b"1"]).code is OK


@pytest.mark.parametrize("stack", STACKS)
def test_a_caller_of_calling_as_whose_time_is_over_keeps_its_stream(stack, server, token, handlers):
    server.clock.advance(days=1)
    busy = {"sync": handlers.busy, "aio": handlers.aio_busy}[stack]
    with calling_as(server, fake_caller()), guarding(stack, server, unary_stream=busy) as channel:
        responses = open_call(channel, token)
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            next(responses)
        responses.cancel()
        assert handlers.has_ended()


@pytest.mark.parametrize(("stack", "handler", "code"), IDLE)
def test_a_withdrawn_key_ends_a_stream_and_an_outage_does_not(stack, handler, code, handlers):
    with TestServer(http=True) as server:
        issuer = server.issuer
        with guarding(stack, server, unary_stream=getattr(handlers, handler)) as channel:
            kid, responses = issuer.current_key.kid, open_call(channel, server.token())
            next(responses)
            issuer.outage()
            server.purge()  # so that it cannot be told whether the token is good
            assert not handlers.ended.acquire(timeout=1.2)
            assert responses.is_active()
            issuer.recover()
            issuer.rotate()
            issuer.withdraw(kid)
            server.clock.advance(seconds=60)
            server.refresh()
            assert_end(rest_of(responses), code)
            handlers.test_is_over.set()
            assert handlers.has_ended()


@pytest.mark.parametrize(("stack", "handler"), BUSY)
def test_what_an_organization_raises_ends_no_stream_but_the_expiry_does(stack, handler, server, handlers):
    asked, token = threading.Semaphore(0), server.token(organization_id="org-blue")

    def organization(details):
        asked.release()
        if handlers.is_waiting.is_set():
            raise LookupError("the database is down")
        return "org-blue"

    guard = GUARDS[stack](server, requires=Requirement(organization=organization))
    with serving(stack, [guard], service("shop.Orders", unary_stream=getattr(handlers, handler))) as channel:
        responses = open_call(channel, token)
        next(responses)
        handlers.is_waiting.set()
        for _ in range(3):
            assert asked.acquire(timeout=10)
        next(responses)
        server.clock.advance(hours=2)
        assert_end(rest_of(responses), UNAUTHENTICATED)


@pytest.mark.parametrize("stack", STACKS)
def test_a_time_out_of_the_handler_itself_is_its_own(stack, server, token, monkeypatch):
    # a logged traceback would keep the server alive
    monkeypatch.setattr(logging.getLogger("grpc._cython.cygrpc"), "disabled", True)

    def late(request, context):
        yield b"1"
        raise TimeoutError

    async def aio_late(request, context):
        yield b"1"
        raise TimeoutError

    with guarding(stack, server, unary_stream={"sync": late, "aio": aio_late}[stack]) as channel:
        outcome = rest_of(open_call(channel, token))
    assert (outcome.code, outcome.messages) == (grpc.StatusCode.UNKNOWN, [b"1"])


@pytest.mark.parametrize("stack", STACKS)
def test_an_iterator_without_a_close_is_a_stream_too(stack, server, token):
    with guarding(stack, server, unary_stream=lambda request, context: iter([b"a", b"b"])) as channel:
        assert rest_of(open_call(channel, token)).messages == [b"a", b"b"]
