"""`AioGuard`, for servers on an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Literal

import grpc
import grpc.aio

from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.route_marks import mark
from m2mguard.caller import Caller
from m2mguard.errors import AnswerableError, AuthError, KeysUnavailable
from m2mguard.grpc._policy import (
    HEALTH,
    LONGEST_SLEEP_S,
    Behavior,
    Kind,
    Policy,
    calling,
    expired,
    wrapped,
)
from m2mguard.grpc._threads import Guard


class AioGuard(grpc.aio.ServerInterceptor):
    """Protects a `grpc.aio.server`: `grpc.aio.server(interceptors=[AioGuard(server)])`.

    Answers as `Guard`; a stream always ends as UNAUTHENTICATED. Where a handler is no coroutine, gRPC runs it on a thread; its stream
    ends with its next message, since gRPC can cancel no such call.

    Args:
        server: verifies tokens and words the answers.
        requires: what every call that is not public must meet; None, the default, is `Requirement()`. A callable organization is given
            the `HandlerCallDetails`.
        methods: what one method asks for beside `requires`: `{"/shop.Orders/Delete": Requirement(scopes=["delete:orders"])}`. Default none.
        public: what needs no token: "/pkg.Service/" opens a service, "/pkg.Service/Method" one method. Default: the health service. The
            reflection service tells anybody what there is; name it here to open it.
        streams: "end", the default, ends a streaming call within a second of the token's `exp` and the leeway, and when its key was
            withdrawn, within 15 seconds of the server's knowing it. An outage ends nothing. "keep" lets it go on.

    Raises:
        ConfigurationError: an invalid argument.
    """

    def __init__(
        self,
        server: ResourceServer,
        requires: Requirement | None = None,
        methods: Mapping[str, Requirement] = MappingProxyType({}),
        public: Collection[str] = (HEALTH,),
        streams: Literal["end", "keep"] = "end",
    ) -> None:
        self._policy = Policy(server, requires, methods, public, streams)
        mark(self, self._policy.mark)
        self._threads = Guard(server, requires, methods, public, streams)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handler of a call."""
        if self._policy.is_public(handler_call_details.method):
            return await continuation(handler_call_details)
        try:
            caller = await self._policy.aauthenticate(handler_call_details)
        except AnswerableError as error:
            return self._refusing(error)
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        return wrapped(handler, lambda behavior, kind: self._wrap(behavior, kind, handler_call_details, caller))

    def _wrap(self, behavior: Behavior, kind: Kind, details: grpc.HandlerCallDetails, caller: Caller) -> Behavior:
        yields = inspect.isasyncgenfunction(behavior)
        if not yields and not inspect.iscoroutinefunction(behavior):
            return self._threads.wrap(behavior, kind, details, caller)

        async def answer(request: Any, context: Any) -> Any:
            calling.set(caller)  # of this call's own task
            if not kind.streams or not self._policy.ends_streams:
                return await run(request, context)
            limit = asyncio.timeout(None)
            try:
                async with limit:
                    watcher = asyncio.ensure_future(self._watch(limit, caller, details))
                    try:
                        return await run(request, context)
                    finally:
                        watcher.cancel()
            except TimeoutError:
                if not limit.expired():
                    raise
                await context.abort(*self._policy.status(expired()))

        async def run(request: Any, context: Any) -> Any:
            if not yields:
                return await behavior(request, context)
            async with contextlib.aclosing(behavior(request, context)) as messages:
                async for message in messages:
                    await context.write(message)  # and no `yield`, which a time limit cannot end safely
            return None

        return answer

    def _refusing(self, error: AnswerableError) -> grpc.RpcMethodHandler[Any, Any]:
        status = self._policy.status(error)

        async def refuse(_requests: object, context: Any) -> None:
            await context.abort(*status)

        return grpc.stream_unary_rpc_method_handler(refuse)  # for which gRPC waits for no request

    async def _watch(self, limit: asyncio.Timeout, caller: Caller, details: grpc.HandlerCallDetails) -> None:
        server = self._policy.server
        while (left := server.remaining(caller)) > 0:
            await asyncio.sleep(min(left, LONGEST_SLEEP_S))
            if server.remaining(caller) > 0:
                try:
                    await self._policy.aauthenticate(details)
                except AuthError:
                    break
                except KeysUnavailable:
                    pass  # this says nothing about the token
        limit.reschedule(asyncio.get_running_loop().time())
