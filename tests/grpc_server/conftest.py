"""A server whose clock is moved, handlers of streams that go on until the test is over, and clients of them."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import grpc.aio
import pytest

from m2mguard.testing import TestServer
from tests.grpc_servers import GUARDS, Outcome, bearer, seen_caller, service, serving

CHALLENGE = (
    'Bearer realm="api", error="invalid_token", '
    'error_description="The access token is expired, malformed, or invalid for other reasons"'
)
IDLE = [
    ("sync", "idle", grpc.StatusCode.CANCELLED),  # nothing else ends a thread that waits
    ("aio", "aio_idle", grpc.StatusCode.UNAUTHENTICATED),
    ("aio", "writes_idle", grpc.StatusCode.UNAUTHENTICATED),
    ("aio", "idle", grpc.StatusCode.UNAUTHENTICATED),
]
BUSY = [("sync", "busy"), ("aio", "aio_busy"), ("aio", "busy")]


@pytest.fixture
def server():
    with TestServer() as running:
        yield running


@pytest.fixture
def token(server):
    return server.token()


@pytest.fixture
def looks_often(monkeypatch):
    for module in ("_aio", "_thread_calls"):
        monkeypatch.setattr(f"m2mguard.grpc.{module}.LONGEST_SLEEP_S", 0.1)


@pytest.fixture
def handlers():
    made = Handlers()
    yield made
    made.test_is_over.set()


class Handlers:
    """Handlers that note their end. `idle` waits for something that never comes, `busy` sends, `flood` sends as much as it can."""

    def __init__(self):
        self.ended = threading.Semaphore(0)
        self.is_waiting = threading.Event()
        self.test_is_over = threading.Event()
        self.big = b"x" * 300_000

    def has_ended(self):
        """Whether a handler has ended, within ten seconds."""
        return self.ended.acquire(timeout=10)

    @contextlib.contextmanager
    def noted(self):
        try:
            yield
        finally:
            self.ended.release()

    def idle(self, request, context):
        with self.noted():
            yield seen_caller()
            self.is_waiting.set()
            while not self.test_is_over.wait(0.02):
                if not getattr(context, "is_active", lambda: True)():  # a call that was cancelled is not
                    return

    def busy(self, request, context):
        with self.noted():
            while not self.test_is_over.wait(0.02):
                yield seen_caller()

    def flood(self, request, context):
        with self.noted():
            while not self.test_is_over.is_set():
                yield self.big

    def reads(self, requests, context):
        with self.noted():
            for _ in requests:
                pass
            return b"all"

    def echoes(self, requests, context):
        with self.noted():
            yield from requests

    async def aio_idle(self, request, context):
        with self.noted():
            yield seen_caller()
            self.is_waiting.set()
            await asyncio.sleep(60)

    async def aio_busy(self, request, context):
        with self.noted():
            while not self.test_is_over.is_set():
                yield seen_caller()
                await asyncio.sleep(0.02)

    async def aio_flood(self, request, context):
        with self.noted():
            while True:
                yield self.big

    async def aio_reads(self, requests, context):
        with self.noted():
            async for _ in requests:
                pass
            return b"all"

    async def aio_echoes(self, requests, context):
        with self.noted():
            async for request in requests:
                yield request

    async def writes_idle(self, request, context):
        with self.noted():
            await context.write(seen_caller())
            self.is_waiting.set()
            await asyncio.sleep(60)

    async def writes_flood(self, request, context):
        with self.noted():
            while True:
                await context.write(self.big)

    async def writes_echoes(self, requests, context):
        with self.noted():
            while (request := await context.read()) is not grpc.aio.EOF:
                await context.write(request)


def guarding(stack: str, server: Any, **methods: Any) -> contextlib.AbstractContextManager[grpc.Channel]:
    """Serve these methods of "shop.Orders" behind a guard."""
    return serving(stack, [GUARDS[stack](server)], service("shop.Orders", **methods))


def expire(server, token) -> None:
    """Move the clock to the moment at which a token expires, leeway included."""
    server.clock.move_to(server.verify(token).expires_at + 30)


def open_call(channel, token, requests: Iterator[bytes] | None = None) -> Any:
    """Open a call of a stream; with requests it is a stream of them, too."""
    kind = "unary_stream" if requests is None else "stream_stream"
    method = getattr(channel, kind)(f"/shop.Orders/{kind}")
    return method(b"" if requests is None else requests, metadata=bearer(token), timeout=20)


def rest_of(responses) -> Outcome:
    """Read until the end."""
    messages = []
    with contextlib.suppress(grpc.RpcError):
        messages.extend(responses)
    return Outcome(responses.code(), responses.details(), list(responses.trailing_metadata()), messages)


def assert_end(outcome: Outcome, *codes: grpc.StatusCode) -> None:
    assert outcome.code in codes
    if outcome.code is grpc.StatusCode.UNAUTHENTICATED:
        assert outcome.details == "The access token is expired, malformed, or invalid for other reasons"
        assert outcome.trailing == [("www-authenticate", CHALLENGE)]


class Requests:
    """Requests of a client: one every 20 ms if it is busy, else one and no more."""

    def __init__(self, *, busy: bool = False) -> None:
        self.busy = busy
        self.stopped = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield b"1"
        while not self.stopped.wait(0.02 if self.busy else 20) and self.busy:
            yield b"1"
