"""`Guard`, for servers whose handlers run on threads."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import grpc

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
from m2mguard.net._sweeper import EVERY_S, Sweeper


class Guard(grpc.ServerInterceptor):
    """Protects a `grpc.server`: `grpc.server(pool, interceptors=[Guard(server)])`.

    A refused call is UNAUTHENTICATED (400 and 401), PERMISSION_DENIED (403) or UNAVAILABLE (503, with `grpc-retry-pushback-ms`), and the
    challenge is in the trailing metadata, as `www-authenticate`. A handler finds the Caller by `current_caller()`. An unknown method asks
    for a token, too. A call that waits for keys keeps its thread of the pool, as any handler does, and no other one.

    A stream that is at work ends with its token as UNAUTHENTICATED. One whose handler waits is cancelled, since nothing else can end it:
    its client sees CANCELLED. Arguments and errors as for `AioGuard`.
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
        self._open: Sweeper[_OpenStream] = Sweeper("m2mguard-grpc-streams", _OpenStream.look)

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handler of a call."""
        handler, details = continuation(handler_call_details), handler_call_details
        if self._policy.is_public(details.method):
            return handler
        if handler is None:
            handler = grpc.stream_stream_rpc_method_handler(_unimplemented)
        return wrapped(handler, lambda behavior, kind: self.wrap(behavior, kind, details))

    def wrap(
        self, behavior: Behavior, kind: Kind, details: grpc.HandlerCallDetails, caller: Caller | None = None
    ) -> Behavior:
        """Wrap what a handler does, for a thread. The token is verified there, unless its Caller is known."""

        def answer_once(request: Any, context: Any) -> Any:
            known, within = self._enter(details, context, caller)
            if not kind.streams or not self._policy.ends_streams:
                return within.run(behavior, request, context)
            stream = _OpenStream(self._policy, details, context, known)
            self._open.add(stream)
            try:
                return within.run(behavior, stream.while_good(request), context)
            finally:
                self._open.remove(stream)

        def answer_stream(request: Any, context: Any) -> Iterator[Any]:
            known, within = self._enter(details, context, caller)
            answers = within.run(lambda: iter(behavior(request, context)))
            if not self._policy.ends_streams:
                yield from _each(answers, within)
                return
            stream = _OpenStream(self._policy, details, context, known)
            self._open.add(stream)
            try:
                yield from stream.while_good(_each(answers, within))
            finally:
                self._open.remove(stream)

        return answer_stream if kind.answers_stream else answer_once

    def _enter(
        self, details: grpc.HandlerCallDetails, context: Any, caller: Caller | None
    ) -> tuple[Caller, contextvars.Context]:
        """The Caller of a call, and a context of its own in which `current_caller` finds it: threads of a pool serve many calls."""
        try:
            caller = caller or self._policy.authenticate(details)
        except AnswerableError as error:
            _abort(context, self._policy, error)
            raise
        within = contextvars.copy_context()
        within.run(calling.set, caller)
        return caller, within


@dataclass(eq=False, slots=True)
class _OpenStream:
    """A streaming call on threads, that is to end with its token."""

    policy: Policy
    details: grpc.HandlerCallDetails
    context: Any
    caller: Caller
    looked_at: float = field(default_factory=time.monotonic)
    is_over: bool = False

    def while_good(self, messages: Iterator[Any]) -> Iterator[Any]:
        """Pass messages on, and abort the call at the first one after the end."""
        for message in messages:
            if self.is_over or self.policy.server.remaining(self.caller) <= 0:
                _abort(self.context, self.policy, expired())
                return
            yield message

    def look(self) -> bool:
        """Cancel the call if its token has ended a while ago or is refused; tell whether to look again."""
        if self.policy.server.remaining(self.caller) > -EVERY_S and self._is_accepted():
            return True
        self.is_over = True
        cancel = getattr(
            self.context, "cancel", None
        )  # a thread of an event loop's server has no way to cancel its call
        if cancel is not None:
            cancel()
        return False

    def _is_accepted(self) -> bool:
        if time.monotonic() - self.looked_at < LONGEST_SLEEP_S or self.policy.server.remaining(self.caller) <= 0:
            return True
        self.looked_at = time.monotonic()
        try:
            self.policy.authenticate(self.details)
        except AuthError:
            return False
        except KeysUnavailable:
            return True  # this says nothing about the token
        return True


def _unimplemented(_request: Any, context: Any) -> Iterator[Any]:
    yield from ()
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


def _each(answers: Iterator[Any], within: contextvars.Context) -> Iterator[Any]:
    """The messages of a handler, each made in the context of its call."""
    end = object()
    try:
        while (message := within.run(next, answers, end)) is not end:
            yield message
    finally:
        close = getattr(answers, "close", None)  # of a generator, whose `finally` belongs to the call, too
        if close is not None:
            within.run(close)


def _abort(context: grpc.ServicerContext, policy: Policy, error: AnswerableError) -> None:
    """End a call. Most contexts raise; that of a thread of an event loop's server returned before grpcio 1.76."""
    code, details, trailing = policy.status(error)
    context.set_trailing_metadata(trailing)
    context.abort(code, details)
