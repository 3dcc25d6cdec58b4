"""`Guard`, for servers whose handlers run on threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import grpc

from m2mguard.grpc._handlers import Handler, wrapped
from m2mguard.grpc._interceptor import Interceptor


class Guard(Interceptor, grpc.ServerInterceptor):
    """Protects a `grpc.server`: `grpc.server(pool, interceptors=[Guard(server)])`.

    A refused call is UNAUTHENTICATED (400 and 401), PERMISSION_DENIED (403) or UNAVAILABLE (503, with `grpc-retry-pushback-ms`), and the
    challenge is in the trailing metadata, as `www-authenticate`. A handler finds the Caller by `current_caller()`. An unknown method asks
    for a token, too. A call that waits for keys keeps its thread of the pool, as any handler does, and no other one.

    A stream that is at work ends with its token as UNAUTHENTICATED. One whose handler waits is cancelled, since nothing else can end it:
    its client sees CANCELLED. Arguments and errors as for `AioGuard`; here every call is verified where its handler runs.
    """

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Wrap the handler of a call."""
        handler = continuation(handler_call_details)
        if self._policy.is_public(handler_call_details.method):
            return handler
        if handler is None:
            handler = grpc.stream_stream_rpc_method_handler(_unimplemented)
        return wrapped(handler, partial(self._thread_calls.wrap, handler=handler, details=handler_call_details))


def _unimplemented(_request: Any, context: Any) -> Iterator[Any]:
    yield from ()
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
