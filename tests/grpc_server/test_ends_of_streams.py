"""A stream ends with its token: on both stacks, wherever its handler is, and whatever its client does. The server's clock is moved.

How long an end takes is printed, and held to a generous bound, beside the 20 seconds that a call lasts if nothing ends it.
"""

import contextlib
import threading
import time

import grpc
import pytest

from m2mguard import Requirement
from m2mguard.testing import TestServer
from tests.grpc_server.conftest import BUSY, IDLE, Requests, assert_end, expire, guarding, open_call, rest_of
from tests.grpc_servers import GUARDS, bearer, service, serving

CANCELLED, UNAUTHENTICATED = grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAUTHENTICATED
BOUND_S = 10.0
FLOOD = [("sync", "flood", CANCELLED), ("aio", "aio_flood", UNAUTHENTICATED), ("aio", "writes_flood", UNAUTHENTICATED)]
ECHO = [("sync", "echoes"), ("aio", "aio_echoes"), ("aio", "writes_echoes"), ("aio", "echoes")]
READS = [("sync", "reads"), ("aio", "aio_reads"), ("aio", "reads")]
pytestmark = pytest.mark.usefixtures("looks_often")


@pytest.mark.parametrize(("stack", "handler", "code"), IDLE)
def test_a_stream_ends_although_its_handler_is_waiting(stack, handler, code, server, token, handlers, capsys):
    with guarding(stack, server, unary_stream=getattr(handlers, handler)) as channel:
        responses = open_call(channel, token)
        next(responses)
        assert handlers.is_waiting.wait(10)
        expire(server, token)
        began = time.perf_counter()
        outcome = rest_of(responses)
        took_s = time.perf_counter() - began
        assert_end(outcome, code)
        handlers.test_is_over.set()
        assert handlers.has_ended()
    with capsys.disabled():
        print(f"\n{stack}, {handler}: the stream ended {took_s:.2f} s after its token, as {code.name}")
    assert took_s < BOUND_S


@pytest.mark.parametrize(("stack", "handler"), BUSY)
def test_a_stream_ends_as_unauthenticated_between_two_messages(stack, handler, server, token, handlers):
    with guarding(stack, server, unary_stream=getattr(handlers, handler)) as channel:
        responses = open_call(channel, token)
        assert next(responses) == next(responses)
        expire(server, token)
        began = time.perf_counter()
        assert_end(rest_of(responses), UNAUTHENTICATED)
        assert time.perf_counter() - began < BOUND_S
        assert handlers.has_ended()


@pytest.mark.parametrize(("stack", "handler", "code"), FLOOD)
def test_a_stream_whose_client_stops_reading_frees_its_handler(stack, handler, code, server, token, handlers):
    with guarding(stack, server, unary_stream=getattr(handlers, handler)) as channel:
        responses = open_call(channel, token)
        next(responses)
        time.sleep(0.3)  # the windows of HTTP/2 fill up
        expire(server, token)
        began = time.perf_counter()
        assert handlers.has_ended()
        assert time.perf_counter() - began < BOUND_S
        assert_end(rest_of(responses), code)


@pytest.mark.parametrize(("stack", "handler", "code"), [*FLOOD, ("aio", "flood", UNAUTHENTICATED)])
def test_a_stream_whose_client_never_read_ends_when_it_does(stack, handler, code, server, token, handlers):
    """At the expiry the first response is still being sent, and with it gRPC's initial metadata."""
    handlers.big *= 100
    with guarding(stack, server, unary_stream=getattr(handlers, handler)) as channel:
        responses = open_call(channel, token)
        time.sleep(0.3)
        expire(server, token)
        time.sleep(1)
        began = time.perf_counter()
        outcome = rest_of(responses)
        assert time.perf_counter() - began < BOUND_S
        assert_end(outcome, code)
        assert handlers.has_ended()


@pytest.mark.parametrize("stack", ["sync", "aio"])
def test_a_client_that_goes_instead_of_reading_frees_its_handler(stack, server, token, handlers):
    """As above, at the same moment."""
    handlers.big *= 100
    flood = {"sync": handlers.flood, "aio": handlers.aio_flood}[stack]
    with guarding(stack, server, unary_stream=flood) as channel:
        responses = open_call(channel, token)
        time.sleep(0.3)
        expire(server, token)
        time.sleep(0.2)
        responses.cancel()
        assert handlers.has_ended()


@pytest.mark.parametrize("busy", [True, False])
@pytest.mark.parametrize(("stack", "handler"), ECHO)
def test_a_stream_in_both_directions_ends(stack, handler, busy, server, token, handlers):
    with guarding(stack, server, stream_stream=getattr(handlers, handler)) as channel:
        requests = Requests(busy=busy)
        responses = open_call(channel, token, iter(requests))
        assert next(responses) == b"1"
        expire(server, token)
        began = time.perf_counter()
        assert_end(rest_of(responses), UNAUTHENTICATED, *([] if busy or stack == "aio" else [CANCELLED]))
        assert time.perf_counter() - began < BOUND_S
        requests.stopped.set()
        assert handlers.has_ended()


@pytest.mark.parametrize("busy", [True, False])
@pytest.mark.parametrize(("stack", "handler"), READS)
def test_a_stream_of_requests_ends(stack, handler, busy, server, token, handlers):
    with guarding(stack, server, stream_unary=getattr(handlers, handler)) as channel:
        requests = Requests(busy=busy)
        method = channel.stream_unary("/shop.Orders/stream_unary")
        future = method.future(iter(requests), metadata=bearer(token), timeout=20)
        time.sleep(0.2)
        assert not future.done()
        expire(server, token)
        began = time.perf_counter()
        code = future.code()
        assert time.perf_counter() - began < BOUND_S
        assert code is (UNAUTHENTICATED if busy or stack == "aio" else CANCELLED)
        requests.stopped.set()
        assert handlers.has_ended()


@pytest.mark.parametrize(("stack", "handler", "code"), IDLE)
def test_the_time_of_the_end_by_a_real_clock(stack, handler, code, handlers, capsys):
    with (
        TestServer(leeway=0.5, clock=time.time) as server,
        guarding(stack, server, unary_stream=getattr(handlers, handler)) as channel,
    ):
        token = server.token(lifetime=1.5)
        expires_at = server.verify(token).expires_at
        responses = open_call(channel, token)
        assert_end(rest_of(responses), code)
        late_s = time.time() - expires_at - 0.5
        handlers.test_is_over.set()
        assert handlers.has_ended()
    with capsys.disabled():
        print(f"\n{stack}, {handler}: the stream ended {late_s:.2f} s after exp and leeway")
    assert 0 <= late_s < BOUND_S


@pytest.mark.parametrize(("stack", "handler"), BUSY)
def test_the_leeway_is_the_servers_and_the_end_comes_after_it(stack, handler, handlers):
    with TestServer(leeway=120) as server, guarding(stack, server, unary_stream=getattr(handlers, handler)) as channel:
        token = server.token(lifetime=60)
        expires_at = server.verify(token).expires_at
        responses = open_call(channel, token)
        server.clock.move_to(expires_at + 110)
        end, received = time.monotonic() + 0.6, 0
        while time.monotonic() < end:
            received += bool(next(responses))
        assert received > 0
        server.clock.move_to(expires_at + 120)
        assert_end(rest_of(responses), UNAUTHENTICATED)


@pytest.mark.parametrize(("stack", "handler"), BUSY)
def test_a_sign_in_that_grows_old_ends_no_stream_but_the_expiry_does(stack, handler, handlers):
    """`max_age` counts when a call begins. That the open call is looked at again is seen by what its organization is asked."""
    looked_at = threading.Semaphore(0)

    def organization(_details):
        looked_at.release()
        return "org-blue"

    with TestServer(machine_only=False) as server:
        auth_time = int(server.clock())
        token = server.issuer.mint_user_token(organization_id="org-blue", claims={"auth_time": auth_time})
        recent = Requirement(max_age=300, organization="*")
        methods = {"/shop.Orders/unary_stream": Requirement(organization=organization)}
        guard = GUARDS[stack](server, requires=recent, methods=methods)
        with (
            serving(stack, [guard], service("shop.Orders", unary_stream=getattr(handlers, handler))) as channel,
            contextlib.ExitStack() as at_end,
        ):
            at_end.callback(handlers.test_is_over.set)  # also if this fails: the server waits for its handlers
            responses = open_call(channel, token)
            next(responses)
            server.clock.advance(seconds=331)
            while looked_at.acquire(blocking=False):
                pass
            is_looked_at = all(looked_at.acquire(timeout=15) for _ in range(2))
            next(responses)  # raises, if the call has ended
            refused = rest_of(open_call(channel, token))
            server.clock.move_to(server.verify(token, Requirement(organization="*")).expires_at + 30)
            assert_end(rest_of(responses), UNAUTHENTICATED)
            assert handlers.has_ended()
    assert is_looked_at
    assert (refused.code, 'max_age="300"' in refused.trailing[0][1]) == (UNAUTHENTICATED, True)
