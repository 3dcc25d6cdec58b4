"""`AioGuard`, for servers on an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeAlias, cast

import grpc
import grpc.aio

from m2mguard._server.open_connections import LONGEST_SLEEP_S
from m2mguard.caller import Caller
from m2mguard.errors import AnswerableError
from m2mguard.grpc._call_head import CallHead
from m2mguard.grpc._handlers import Behavior, Handler, is_stream, wrapped
from m2mguard.grpc._interceptor import Interceptor
from m2mguard.grpc._policy import CURRENT_CALLER, expired
from m2mguard.grpc._thread_calls import CallEnded, OpenStream, abort

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_RETRY_AFTER_S: Final = 0.05


class AioGuard(Interceptor, grpc.aio.ServerInterceptor):
    """Protects a `grpc.aio.server`: `grpc.aio.server(interceptors=[AioGuard(server)])`.

    Answers as `Guard`; a stream always ends as UNAUTHENTICATED, and its handler is cancelled. A handler that is no coroutine runs on a
    thread, which nothing can cancel: its client sees the end, and it goes on until it sends or reads again.

    Args:
        server: verifies tokens and words the answers.
        requires: what every call that is not public must meet; None, the default, is `Requirement()`. A callable organization is given
            the `HandlerCallDetails`.
        methods: what one method asks for beside `requires`: `{"/shop.Orders/Delete": Requirement(scopes=["delete:orders"])}`. Default none.
        public: what needs no token: "/pkg.Service/" opens a service, "/pkg.Service/Method" one method. Default: the health service. The
            reflection service tells anybody what there is; name it here to open it.
        streams: "end", the default, ends a streaming call within a second of the token's `exp` and the leeway, and when its key was
            withdrawn, within 15 seconds of the server's knowing it. An outage ends nothing, nor does `max_age`, which counts when a call
            begins. "keep" lets it go on.
        certificate: reads the client's certificate for tokens that are bound to one (RFC 8705 section 3): `certificates.from_grpc()` where
            this server ends TLS, or the reader of the proxy that does. A call is then verified where its handler runs, since only that
            sees the connection: after the request of a unary call has come. Default None: a bound token is refused.

    Raises:
        ConfigurationError: an invalid argument.
    """

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Wrap the handler of a call."""
        if self._policy.is_public(handler_call_details.method):
            return await continuation(handler_call_details)
        caller = None
        if self._policy.certificate is None:
            try:
                caller = await self._policy.aauthenticate(handler_call_details)
            except AnswerableError as error:
                return self._refusing(error)
        handler = await continuation(handler_call_details)
        if handler is None and caller is None:
            handler = grpc.stream_stream_rpc_method_handler(_unimplemented)
        if handler is None:
            return None
        return wrapped(handler, partial(self._wrap, handler=handler, details=handler_call_details, caller=caller))

    def _wrap(
        self, behavior: Behavior, handler: Handler, details: grpc.HandlerCallDetails, caller: Caller | None
    ) -> Behavior:
        """Wrap what a handler does. A call without a Caller is verified there: only the handler sees the connection."""
        yields = inspect.isasyncgenfunction(behavior)
        if not yields and not inspect.iscoroutinefunction(behavior):
            cut = partial(_abort_from_outside, asyncio.get_running_loop())
            return self._thread_calls.wrap(behavior, handler, details, caller, cut)

        async def answer(request: Any, context: Context) -> Any:
            head = self._policy.head(details, context)
            current = await self._still(caller, details, head, context)
            CURRENT_CALLER.set(current)  # of this call's own task
            if not is_stream(handler) or not self._policy.is_limited(current):
                return await run(request, context)
            async with self._ending(context, current, details, head):
                return await run(request, context)

        async def run(request: Any, context: Context) -> Any:
            if not yields:
                return await behavior(request, context)
            async with contextlib.aclosing(behavior(request, context)) as responses:
                async for response in responses:
                    await context.write(response)  # no `yield`: a generator that is cancelled there ends at any time
            return None

        return answer

    def _refusing(self, error: AnswerableError) -> Handler:
        async def refuse(_requests: object, context: Context) -> None:
            await context.abort(*self._policy.status(error))

        return grpc.stream_unary_rpc_method_handler(refuse)  # for which gRPC waits for no request

    async def _still(
        self, caller: Caller | None, details: grpc.HandlerCallDetails, head: CallHead | None, context: Context
    ) -> Caller:
        """The Caller, verified again if its token has expired since: a client can send its one request long after it has opened a call."""
        if caller is not None and self._policy.server.remaining(caller) > 0:
            return caller
        try:
            return await self._policy.aauthenticate(details, head)
        except AnswerableError as error:
            await context.abort(*self._policy.status(error))
            raise

    @contextlib.asynccontextmanager
    async def _ending(
        self, context: Context, caller: Caller, details: grpc.HandlerCallDetails, head: CallHead | None
    ) -> AsyncIterator[None]:
        """End a stream with its token: another task sends the status, and the stream's own task is cancelled, as when a client cancels."""
        is_open, is_ending = True, False
        task = cast("asyncio.Task[Any]", asyncio.current_task())

        async def end() -> None:
            nonlocal is_ending
            await self._end_of(caller, details, head)
            is_ending = True
            await _send_initial_metadata(context, while_true=lambda: is_open)
            if is_open:
                task.cancel()  # is seen by the task after the next line has begun to send
            with contextlib.suppress(grpc.aio.BaseError):  # of which one says that the status was sent
                await context.abort(*self._policy.status(expired()))

        ending = asyncio.ensure_future(end())
        try:
            yield
        finally:
            is_open = False
            if is_ending:
                await ending
            else:
                ending.cancel()

    async def _end_of(self, caller: Caller, details: grpc.HandlerCallDetails, head: CallHead | None) -> None:
        """Wait until a token has expired or is refused."""
        while (left_s := self._policy.server.remaining(caller)) > 0:
            await asyncio.sleep(min(left_s, LONGEST_SLEEP_S))
            if self._policy.server.remaining(caller) > 0 and not await self._policy.ais_accepted(details, head):
                return


async def _unimplemented(_requests: Any, context: Context) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


async def _send_initial_metadata(context: Context, *, while_true: Callable[[], bool]) -> None:
    """Send the initial metadata, unless they were sent.

    While the first response is being sent, gRPC does not know that it sends them too, and would fail to send a status, for good.
    """
    while True:
        try:
            await context.send_initial_metadata(())
        except grpc.aio.InternalError:
            if not while_true():
                return
            await asyncio.sleep(_RETRY_AFTER_S)
        except grpc.aio.BaseError:
            return  # they were sent
        else:
            return


def _abort_from_outside(loop: asyncio.AbstractEventLoop, stream: OpenStream) -> None:
    """Cut a call whose handler runs on a thread. The context of such a call blocks, so this takes a thread of the loop's own."""

    def end() -> None:
        with contextlib.suppress(grpc.aio.BaseError, CallEnded):
            with contextlib.suppress(grpc.aio.UsageError):
                stream.context.send_initial_metadata(())  # fails as below while the first response is being sent
            stream.is_cut = True
            abort(stream.context, stream.policy, expired())

    if not stream.is_cut and not stream.is_sending:  # else it ends with the next response, or when this is called again
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(loop.run_in_executor, None, end)
