"""One call of a gRPC method over loopback: without authentication, with m2mguard, and with the interceptor that people write with PyJWT.
The client is in the same process, so its work counts in every number. m2mguard remembers the token, as it always does."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import grpc.aio
import jwt

from benchmarks.apps import BARE, OURS, protection
from benchmarks.measure import Case, Effort, Measured, interleaved
from benchmarks.peers import SCOPE, Verify, pyjwt
from m2mguard.grpc import AioGuard, Guard
from m2mguard.testing import LocalIssuer

THREADS, LOOP = "grpc.server, ES384", "grpc.aio, ES384"
BY_HAND = "an interceptor with PyJWKClient"
METHOD = "/shop.Orders/Get"
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


def answer(_request: bytes, _context: Any) -> bytes:
    return b"order 7"


async def answer_on_loop(_request: bytes, _context: Any) -> bytes:
    return b"order 7"


def refuse(_request: bytes, context: Any) -> None:
    context.abort(UNAUTHENTICATED, "Invalid token")


async def refuse_on_loop(_request: bytes, context: Any) -> None:
    await context.abort(UNAUTHENTICATED, "Invalid token")


def token_of(details: grpc.HandlerCallDetails) -> str:
    return dict(details.invocation_metadata).get("authorization", "").removeprefix("Bearer ")


class ByHand(grpc.ServerInterceptor):
    def __init__(self, verify: Verify) -> None:
        self._verify = verify

    def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        try:
            self._verify(token_of(details))
        except jwt.PyJWTError:
            return grpc.unary_unary_rpc_method_handler(refuse)
        return continuation(details)


class ByHandOnLoop(grpc.aio.ServerInterceptor):
    def __init__(self, verify: Verify) -> None:
        self._verify = verify

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        try:
            self._verify(token_of(details))
        except jwt.PyJWTError:
            return grpc.unary_unary_rpc_method_handler(refuse_on_loop)
        return await continuation(details)


def orders(function: Any) -> list[grpc.GenericRpcHandler]:
    return [grpc.method_handlers_generic_handler("shop.Orders", {"Get": grpc.unary_unary_rpc_method_handler(function)})]


@contextmanager
def on_threads(interceptors: Sequence[Any]) -> Iterator[int]:
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, handlers=orders(answer), interceptors=interceptors)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield port
        finally:
            server.stop(None).wait()


@contextmanager
def on_loop(interceptors: Sequence[Any]) -> Iterator[int]:
    async def start() -> tuple[Any, int]:
        server = grpc.aio.server(handlers=orders(answer_on_loop), interceptors=interceptors)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, port

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server, port = asyncio.run_coroutine_threadsafe(start(), loop).result()
        try:
            yield port
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def grpc_times(effort: Effort) -> dict[str, Mapping[str, Measured]]:
    """The CPU time of one call, by kind of server and by what protects it."""
    with LocalIssuer(algorithm="ES384") as issuer:
        verify = pyjwt(issuer)
        stacks: dict[str, tuple[Any, dict[str, list[Any]]]] = {
            THREADS: (on_threads, {BARE: [], OURS: [Guard(**protection(issuer))], BY_HAND: [ByHand(verify)]}),
            LOOP: (on_loop, {BARE: [], OURS: [AioGuard(**protection(issuer))], BY_HAND: [ByHandOnLoop(verify)]}),
        }
        metadata = [("authorization", f"Bearer {issuer.mint(scopes=[SCOPE])}")]
        return {title: _measured(serve, variants, metadata, effort) for title, (serve, variants) in stacks.items()}


def _measured(
    serve: Any, variants: Mapping[str, Sequence[Any]], metadata: Sequence[tuple[str, str]], effort: Effort
) -> dict[str, Measured]:
    with ExitStack() as stack:
        cases = {}
        for name, interceptors in variants.items():
            port = stack.enter_context(serve(interceptors))
            call = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}")).unary_unary(METHOD)
            cases[name] = Case(lambda sent, call=call: call(b"", metadata=sent, timeout=20), [metadata])
        return interleaved(cases, rounds=effort.rounds)
