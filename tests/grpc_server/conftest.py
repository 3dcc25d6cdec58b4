"""One service with all four kinds of call, on threads and on an event loop, behind our interceptors; and clients that call it."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2_grpc

from m2mguard import ResourceServer
from m2mguard.grpc import AioGuard, Guard, current_caller
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.manual_clock import ManualClock

KINDS = ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]
STACKS = ["threads", "event loop", "threads of an event loop"]


class Outcome(NamedTuple):
    """What a client saw of one call."""

    code: grpc.StatusCode
    details: str | None
    answers: list[bytes]
    trailing: dict[str, str]


def who() -> bytes:
    try:
        return current_caller().app_id.encode()
    except RuntimeError:
        return b"nobody"


class OnThreads(grpc.GenericRpcHandler):
    """Handlers as plain functions. A message "wait" makes them wait for the test's end, "work" makes a stream go on for ever."""

    def __init__(self, ended: threading.Event) -> None:
        self._ended = ended

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        kind = handler_call_details.method.removeprefix("/shop.Orders/").partition("/")[0]
        if not hasattr(self, kind):
            return None
        return getattr(grpc, f"{kind}_rpc_method_handler")(getattr(self, kind))

    def unary_unary(self, request: bytes, context: Any) -> bytes:
        return who()

    def unary_stream(self, request: bytes, context: Any) -> Iterator[bytes]:
        yield who()
        yield from self._goes_on(request, context)
        yield who()

    def stream_unary(self, requests: Iterator[bytes], context: Any) -> bytes:
        seen = [who() for _ in requests]
        return b" ".join([*seen, who()])

    def stream_stream(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for request in requests:
            yield who()
            yield from self._goes_on(request, context)

    def _goes_on(self, request: bytes, context: Any) -> Iterator[bytes]:
        while (
            request == b"wait" and context.is_active() and not self._ended.wait(0.05)
        ):  # a call that was cancelled is not
            pass
        if request == b"late":
            raise TimeoutError
        while request == b"work" and not self._ended.wait(0.01):
            yield who()


class OnALoop(OnThreads):
    """The same as coroutines, one of which writes its answers itself."""

    async def unary_unary(self, request: bytes, context: Any) -> bytes:  # type: ignore[override]
        return who()

    async def unary_stream(self, request: bytes, context: Any) -> Any:  # type: ignore[override]
        await context.write(who())
        async for answer in self._goes_on_async(request):
            await context.write(answer)
        await context.write(who())

    async def stream_unary(self, requests: Any, context: Any) -> bytes:  # type: ignore[override]
        seen = [who() async for _ in requests]
        return b" ".join([*seen, who()])

    async def stream_stream(self, requests: Any, context: Any) -> Any:  # type: ignore[override]
        async for request in requests:
            yield who()
            async for answer in self._goes_on_async(request):
                yield answer

    async def _goes_on_async(self, request: bytes) -> Any:
        if request == b"wait":
            await asyncio.sleep(60)
        if request == b"late":
            raise TimeoutError
        while request == b"work" and not self._ended.is_set():
            await asyncio.sleep(0.01)
            yield who()


@contextlib.contextmanager
def serving(stack: str, *arguments: Any, **settings: Any) -> Iterator[str]:
    """Serve the service and the health service; yields the address."""
    ended = threading.Event()
    with contextlib.ExitStack() as exits:
        exits.callback(ended.set)
        if stack == "threads":
            pool = exits.enter_context(ThreadPoolExecutor(8))
            server = grpc.server(pool, interceptors=[Guard(*arguments, **settings)])
            server.add_generic_rpc_handlers((OnThreads(ended),))
            health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            exits.callback(lambda: server.stop(0).wait(5))
            exits.callback(ended.set)
            yield f"127.0.0.1:{port}"
            return
        started: Any = asyncio.run_coroutine_threadsafe
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        exits.callback(loop.close)
        exits.callback(thread.join)
        exits.callback(lambda: loop.call_soon_threadsafe(loop.stop))

        async def start() -> tuple[Any, int]:
            pool = exits.enter_context(ThreadPoolExecutor(8))
            server = grpc.aio.server(pool, interceptors=[AioGuard(*arguments, **settings)])
            server.add_generic_rpc_handlers(((OnALoop if stack == "event loop" else OnThreads)(ended),))
            health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            return server, port

        server, port = started(start(), loop).result(10)
        exits.callback(lambda: started(server.stop(0), loop).result(10))
        exits.callback(ended.set)
        yield f"127.0.0.1:{port}"


class Client:
    """Calls a server with exactly the metadata that a test names."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address, [("grpc.enable_retries", 0)])

    def call(
        self, kind: str, *fields: str, method: str | None = None, message: bytes = b"once", timeout: float = 20
    ) -> Outcome:
        """One call with one message, to the method that has the name of its kind."""
        stub = getattr(self.channel, kind)(method or f"/shop.Orders/{kind}")
        sends = iter([message]) if kind.startswith("stream") else message
        metadata = [("authorization", field) for field in fields]
        call: Any = None
        answers: list[bytes] = []
        try:
            if kind.endswith("stream"):
                call = stub(sends, metadata=metadata, timeout=timeout)
                answers.extend(call)
            else:
                answer, call = stub.with_call(sends, metadata=metadata, timeout=timeout)
                answers.append(answer)
        except grpc.RpcError as error:
            call = error
        trailing = dict(call.trailing_metadata() or ())
        return Outcome(call.code(), call.details(), answers, trailing)

    def close(self) -> None:
        self.channel.close()


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    with LocalIssuer(algorithm="ES256") as running:
        yield running


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock(time.time())


@pytest.fixture(scope="module")
def server(issuer: LocalIssuer, clock: ManualClock) -> ResourceServer:
    return ResourceServer(issuer.trusted, audience=SHOPPING_API, clock=clock)


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def connect(stack: str, server: ResourceServer) -> Iterator[Callable[..., Client]]:
    """Serve with these settings, and connect a client."""
    with contextlib.ExitStack() as exits:

        def connected(*arguments: Any, **settings: Any) -> Client:
            client = Client(exits.enter_context(serving(stack, *(arguments or (server,)), **settings)))
            exits.callback(client.close)
            return client

        yield connected
