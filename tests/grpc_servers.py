"""Real gRPC servers of both stacks, with methods of all four kinds, and calls to them. Messages are bytes, so no protobuf is needed."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import grpc
import grpc.aio

from m2mguard.grpc import AioGuard, Guard, current_caller
from m2mguard.testing.contract import shown

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
GUARDS: Mapping[str, Any] = {"sync": Guard, "aio": AioGuard}
STACKS = tuple(GUARDS)
OPTIONS = [
    ("grpc.max_metadata_size", 300_000),
    ("grpc.absolute_max_metadata_size", 300_000),
    ("grpc.max_receive_message_length", -1),
]


class Tls(NamedTuple):
    """How both sides of a connection prove who they are."""

    server: grpc.ServerCredentials
    client: grpc.ChannelCredentials


class Outcome(NamedTuple):
    """How a call ended, as its client saw it."""

    code: grpc.StatusCode
    details: str
    trailing: list[tuple[str, str]]
    messages: list[bytes]

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.trailing if key == name]


def seen_caller() -> bytes:
    """What a handler sees of its caller, as JSON; null if there is none."""
    try:
        return json.dumps(shown(current_caller())).encode()
    except RuntimeError:
        return b"null"


def unary_unary(request, context):
    return seen_caller()


def unary_stream(request, context):
    for _ in range(3):
        yield seen_caller()


def stream_unary(requests, context):
    assert list(requests) == [b"1", b"2"]
    return seen_caller()


def stream_stream(requests, context):
    for _ in requests:
        yield seen_caller()


async def aio_unary_unary(request, context):
    return seen_caller()


async def aio_unary_stream(request, context):
    for _ in range(3):
        yield seen_caller()


async def aio_stream_unary(requests, context):
    assert [request async for request in requests] == [b"1", b"2"]
    return seen_caller()


async def aio_stream_stream(requests, context):
    async for _ in requests:
        yield seen_caller()


async def written_unary_stream(request, context):
    for _ in range(3):
        await context.write(seen_caller())


async def written_stream_stream(requests, context):
    while await context.read() is not grpc.aio.EOF:
        await context.write(seen_caller())


SYNC_METHODS = {f.__name__: f for f in (unary_unary, unary_stream, stream_unary, stream_stream)}
AIO_METHODS = dict(zip(KINDS, (aio_unary_unary, aio_unary_stream, aio_stream_unary, aio_stream_stream), strict=True))
WRITING_METHODS = {"unary_stream": written_unary_stream, "stream_stream": written_stream_stream}
METHODS = {"sync": SYNC_METHODS, "aio": AIO_METHODS}


def service(name: str, **methods: Any) -> grpc.GenericRpcHandler:
    """A service whose methods are named after their kind, with an optional suffix: `unary_stream_slow`."""
    handlers = {}
    for method, function in methods.items():
        make = getattr(grpc, "_".join(method.split("_")[:2]) + "_rpc_method_handler")
        handlers[method] = make(function)
    return grpc.method_handlers_generic_handler(name, handlers)


def registered(add: Callable[[Any, Any], None], servicer: Any) -> list[grpc.GenericRpcHandler]:
    """What an `add_…Servicer_to_server` registers, without a server."""
    handlers: list[grpc.GenericRpcHandler] = []
    server = SimpleNamespace(add_generic_rpc_handlers=handlers.extend, add_registered_method_handlers=lambda *_: None)
    add(servicer, server)
    return handlers


@contextlib.contextmanager
def serving(
    stack: str, interceptors: Sequence[Any], *services: grpc.GenericRpcHandler, threads: int = 8, tls: Tls | None = None
) -> Iterator[grpc.Channel]:
    """Serve on loopback inside the block; yields a channel to it. Without services there is "shop.Orders", with a method of each kind."""
    services = services or (service("shop.Orders", **METHODS[stack]),)
    running = sync_server if stack == "sync" else aio_server
    with running(interceptors, services, threads, tls) as port:
        address = f"127.0.0.1:{port}"
        connected = (
            grpc.insecure_channel(address, options=OPTIONS)
            if tls is None
            else grpc.secure_channel(address, tls.client, options=OPTIONS)
        )
        with connected as channel:
            yield channel


def _add_port(server: Any, tls: Tls | None) -> int:
    port: int = (
        server.add_insecure_port("127.0.0.1:0") if tls is None else server.add_secure_port("127.0.0.1:0", tls.server)
    )
    return port


@contextlib.contextmanager
def sync_server(
    interceptors: Sequence[Any], services: Sequence[grpc.GenericRpcHandler], threads: int, tls: Tls | None = None
) -> Iterator[int]:
    with ThreadPoolExecutor(threads) as pool:
        server = grpc.server(pool, handlers=list(services), interceptors=list(interceptors), options=OPTIONS)
        port = _add_port(server, tls)
        server.start()
        try:
            yield port
        finally:
            server.stop(grace=None).wait(10)


@contextlib.contextmanager
def aio_server(
    interceptors: Sequence[Any], services: Sequence[grpc.GenericRpcHandler], threads: int, tls: Tls | None = None
) -> Iterator[int]:
    """On an event loop on a thread of its own."""
    started, port = threading.Event(), 0
    stop: list[Any] = []

    async def main() -> None:
        nonlocal port
        ended, pool = asyncio.Event(), ThreadPoolExecutor(threads)
        server = grpc.aio.server(pool, handlers=services, interceptors=interceptors, options=OPTIONS)
        port = _add_port(server, tls)
        await server.start()
        stop.append(partial(asyncio.get_running_loop().call_soon_threadsafe, ended.set))
        started.set()
        await ended.wait()
        await server.stop(None)
        await asyncio.to_thread(pool.shutdown)  # a thread of it may wait for this loop

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="grpc.aio")
    thread.start()
    assert started.wait(10)
    try:
        yield port
    finally:
        stop[0]()
        thread.join(10)


def call(
    channel: grpc.Channel,
    kind: str,
    *,
    method: str = "",
    metadata: Sequence[tuple[str, str]] = (),
    request: bytes = b"1",
    requests: Any = (b"1", b"2"),
    timeout: float = 20,
) -> Outcome:
    """Call a method, read everything, and tell how it ended."""
    requests_come, responses_come = (part == "stream" for part in kind.split("_")[:2])
    invoke = getattr(channel, "_".join(kind.split("_")[:2]))(method or f"/shop.Orders/{kind}")
    sent = iter(requests) if requests_come else request
    messages: list[bytes] = []
    try:
        if responses_come:
            ended = invoke(sent, metadata=metadata, timeout=timeout)
            messages.extend(ended)
        else:
            message, ended = invoke.with_call(sent, metadata=metadata, timeout=timeout)
            messages.append(message)
    except grpc.RpcError as error:
        ended = error
    return Outcome(ended.code(), ended.details(), [(key, value) for key, value in ended.trailing_metadata()], messages)


def bearer(token: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}")]
