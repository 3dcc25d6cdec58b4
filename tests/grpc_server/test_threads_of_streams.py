"""The threads of streams: one that looks at those of `grpc.server`, and those that some handlers do without or bring along."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import grpc
import pytest
from grpc_health.v1 import health, health_pb2_grpc

from m2mguard.grpc import Guard, current_caller
from m2mguard.net import _sweeper
from tests.grpc_server.conftest import guarding, open_call, rest_of
from tests.grpc_servers import STACKS, bearer, call, registered, service, serving

OK, CANCELLED, UNAUTHENTICATED = grpc.StatusCode.OK, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAUTHENTICATED


def has_threads(number):
    """Whether there are so many threads that look at streams. Those of earlier tests may take a moment to end."""
    end = time.monotonic() + 10
    while [thread.name for thread in threading.enumerate()].count("m2mguard-grpc-streams") != number:
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("stack", STACKS)
def test_a_stream_that_ends_early_leaves_nothing(stack, server, token, handlers):
    prefix = {"sync": "", "aio": "aio_"}[stack]
    busy, echoes = (getattr(handlers, prefix + name) for name in ("busy", "echoes"))
    with guarding(stack, server, unary_stream=busy, stream_stream=echoes) as channel:
        calls = [open_call(channel, token) for _ in range(5)]
        for responses in calls:
            next(responses)
        assert has_threads(1 if stack == "sync" else 0)
        for responses in calls:
            responses.cancel()
            assert handlers.has_ended()
        assert rest_of(open_call(channel, token, iter([b"1", b"2"]))).messages == [b"1", b"2"]
        assert handlers.has_ended()
        assert has_threads(0)


def test_a_handler_that_sends_by_itself_ends(server):
    """The health service watches without a thread: it sends whenever a status changes."""
    services = registered(health_pb2_grpc.add_HealthServicer_to_server, health.HealthServicer())
    with serving("sync", [Guard(server, public=())], *services, threads=1) as channel:
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
        assert rest_of(watch(b"", timeout=20)).code is UNAUTHENTICATED
        calls = [watch(b"", metadata=bearer(server.token()), timeout=20) for _ in range(3)]
        for responses in calls:  # more than the pool has threads
            next(responses)
        calls.pop().cancel()
        server.clock.advance(hours=2)
        assert {rest_of(responses).code for responses in calls} == {CANCELLED}


def test_on_an_event_loop_such_a_handler_is_as_any_other(server, token):
    def stream(request, context, send=None):
        yield b"by itself" if send else b"as any other"

    stream.experimental_non_blocking = True
    with guarding("aio", server, unary_stream=stream) as channel:
        assert rest_of(open_call(channel, token)).messages == [b"as any other"]


def test_a_handler_that_sends_by_itself_to_nobody_leaves_nothing(server):
    class Gone:
        def add_callback(self, _):
            return False

    def watch(request, context, send):
        raise AssertionError("nobody is there")

    class Details:
        invocation_metadata = bearer(server.token())
        method = "/shop.Orders/unary_stream"

    watch.experimental_non_blocking = True
    guarded = Guard(server).intercept_service(lambda _: grpc.unary_stream_rpc_method_handler(watch), Details())
    guarded.unary_stream(b"", Gone(), print)
    assert has_threads(0)


def test_a_handler_keeps_the_pool_that_it_brings(server, token):
    """As the health service may, so that checks are answered while the server's own pool is full."""

    def quick(request, context):
        return threading.current_thread().name.encode() + b" " + current_caller().app_id.encode()

    with ThreadPoolExecutor(1, "own") as pool, guarding("sync", server, unary_unary=quick) as channel:
        quick.experimental_thread_pool = pool
        assert call(channel, "unary_unary", metadata=bearer(token)).messages == [b"own_0 app-orders"]


@pytest.mark.parametrize("streams", ["end", "keep"])
def test_several_threads_of_a_handler_read_its_requests(server, token, streams):
    """gRPC's own iterator takes them in turn."""

    def stream_unary(requests, context):
        with ThreadPoolExecutor(4) as pool:
            read = [pool.submit(list, requests) for _ in range(4)]
            return b"".join(sorted(request for future in read for request in future.result()))

    def slowly():
        for request in (b"1", b"2", b"3", b"4"):
            time.sleep(0.02)  # so that all threads wait
            yield request

    with serving(
        "sync", [Guard(server, streams=streams)], service("shop.Orders", stream_unary=stream_unary)
    ) as channel:
        ended = call(channel, "stream_unary", metadata=bearer(token), requests=slowly())
        assert (ended.code, ended.messages) == (OK, [b"1234"])


def test_without_a_thread_that_looks_no_stream_of_threads_begins(server, token, monkeypatch, caplog):
    caplog.set_level("CRITICAL", "grpc")

    class NoThread(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    with serving("sync", [Guard(server)]) as channel:
        assert call(channel, "unary_unary", metadata=bearer(token)).code is OK
        with monkeypatch.context() as patch:
            patch.setattr(_sweeper, "threading", SimpleNamespace(Thread=NoThread))
            assert call(channel, "unary_stream", metadata=bearer(token)).code is grpc.StatusCode.UNKNOWN
        assert call(channel, "unary_stream", metadata=bearer(token)).code is OK


def test_one_thread_looks_at_all_streams_however_they_come():
    begun = threading.Barrier(8)
    sweeper = _sweeper.Sweeper("m2mguard-grpc-streams", lambda _: True)

    def add(thing):
        begun.wait()
        sweeper.add(thing)
        return thing

    with ThreadPoolExecutor(8) as pool:
        for _ in range(50):
            things = list(pool.map(add, [object() for _ in range(8)]))
            count = [thread.name for thread in threading.enumerate()].count("m2mguard-grpc-streams")
            for thing in things:
                sweeper.remove(thing)
            assert count == 1
            assert has_threads(0)
