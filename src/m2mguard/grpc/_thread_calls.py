"""Calls whose handlers run on threads: each is verified there, has its Caller, and ends with its token. No event loop is waited for."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn

import grpc

from m2mguard._server.open_connections import LONGEST_SLEEP_S
from m2mguard.caller import Caller
from m2mguard.errors import AnswerableError
from m2mguard.grpc._call_head import CallHead
from m2mguard.grpc._handlers import Behavior, Handler, is_stream
from m2mguard.grpc._policy import CURRENT_CALLER, Policy, expired
from m2mguard.net._sweeper import Sweeper

_SENDS_ITSELF = "experimental_non_blocking"
"""gRPC's mark of a function that is given a callback for its responses, and returns at once. The health service has one."""


class CallEnded(Exception):
    """Leaves a handler whose call has ended, among others one that asks for a request after the end."""


@dataclass(eq=False, slots=True)
class OpenStream:
    """A streaming call that ends with its token: between two messages, or, where its handler waits, by `cut` on another thread."""

    policy: Policy
    details: grpc.HandlerCallDetails
    context: Any
    caller: Caller
    cut: Callable[[OpenStream], object]
    head: CallHead | None
    looked_at: float = field(default_factory=time.monotonic)
    is_over: bool = False
    is_cut: bool = False
    is_sending: bool = False

    def requests(self, requests: Iterator[Any]) -> Iterator[Any]:
        """Pass requests on until the end, which is an exception, since not all have come. No generator: several threads may read."""
        return map(self._still_open, requests)

    def _still_open(self, request: Any) -> Any:
        self._check()
        return request

    def responses(self, responses: Generator[Any]) -> Iterator[Any]:
        """Pass responses on until the end, of which gRPC then sends the status: an abort would wait until a client reads it."""
        with contextlib.closing(responses), contextlib.suppress(CallEnded):
            for response in responses:
                self._check()
                self.is_sending = True
                yield response
                self.is_sending = False
        if self.is_over:
            code, details, trailing = self.policy.status(expired())
            self.context.set_trailing_metadata(trailing)
            self.context.set_details(details)
            self.context.set_code(code)

    def abort_if_over(self) -> None:
        """End a call that is over, also where its handler went on after the exception. One that was cut has ended."""
        if self.is_over and not self.is_cut:
            abort(self.context, self.policy, expired())

    def _check(self) -> None:
        if self.is_over or self.policy.server.remaining(self.caller) <= 0:
            self.is_over = True
            raise CallEnded

    def look(self) -> None:
        """See whether the token is still good; if not, and half a second has ended nothing, cut the call."""
        if self.is_over:
            self.cut(self)
        else:
            self.is_over = self.policy.server.remaining(self.caller) <= 0 or not self._is_accepted()

    def _is_accepted(self) -> bool:
        if time.monotonic() - self.looked_at < LONGEST_SLEEP_S:
            return True
        self.looked_at = time.monotonic()
        return self.policy.is_accepted(self.details, self.head)

    def cancel(self) -> None:
        """Cut a call of `grpc.server`, which has no other way."""
        self.is_cut = True
        self.context.cancel()


class ThreadCalls:
    """Wraps the functions of handlers, and looks at their open streams."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._open: Sweeper[OpenStream] = Sweeper("m2mguard-grpc-streams", OpenStream.look)

    def wrap(
        self,
        behavior: Behavior,
        handler: Handler,
        details: grpc.HandlerCallDetails,
        caller: Caller | None = None,
        cut: Callable[[OpenStream], object] = OpenStream.cancel,
    ) -> Behavior:
        """Wrap what a handler does. The token is verified on its thread, unless its Caller is known and has time left."""
        begin = partial(self._begin, details, caller, cut)

        def one_response(request: Any, context: Any) -> Any:
            with contextlib.suppress(CallEnded):
                stream, within = begin(context)
                with self._watched(stream, handler) as is_limited:
                    response = None
                    with contextlib.suppress(CallEnded):
                        response = within.run(behavior, stream.requests(request) if is_limited else request, context)
                    stream.abort_if_over()
                    return response
            return None

        def responses(request: Any, context: Any) -> Iterator[Any]:
            with contextlib.suppress(CallEnded):
                stream, within = begin(context)
                with self._watched(stream, handler) as is_limited:
                    if is_limited and handler.request_streaming:
                        request = stream.requests(request)
                    answers = _each(within.run(lambda: iter(behavior(request, context))), within)
                    yield from stream.responses(answers) if is_limited else answers

        def sends_itself(request: Any, context: Any, send: Callable[[Any], object] | None = None) -> Any:
            if send is None:  # an event loop's server does not know this kind
                return responses(request, context)
            stream, within = begin(context)
            with contextlib.ExitStack() as exits:
                exits.enter_context(self._watched(stream, handler))
                if not context.add_callback(exits.pop_all().close):
                    return None  # the client has gone
            return within.run(behavior, request, context, send)

        if not handler.response_streaming:
            return one_response
        return sends_itself if getattr(behavior, _SENDS_ITSELF, False) else responses

    def _begin(
        self,
        details: grpc.HandlerCallDetails,
        caller: Caller | None,
        cut: Callable[[OpenStream], object],
        context: Any,
    ) -> tuple[OpenStream, contextvars.Context]:
        """The call, and a context of its own in which `current_caller` finds its Caller: threads of a pool serve many calls."""
        head = self._policy.head(details, context)
        if caller is None or self._policy.server.remaining(caller) <= 0:
            try:
                caller = self._policy.authenticate(details, head)
            except AnswerableError as error:
                abort(context, self._policy, error)
        within = contextvars.copy_context()
        within.run(CURRENT_CALLER.set, caller)
        return OpenStream(self._policy, details, context, caller, cut, head), within

    @contextlib.contextmanager
    def _watched(self, stream: OpenStream, handler: Handler) -> Iterator[bool]:
        """Look at a stream, if it ends with its token. Yields whether it does."""
        if not is_stream(handler) or not self._policy.is_limited(stream.caller):
            yield False
            return
        try:
            self._open.add(stream)
            yield True
        finally:
            self._open.remove(stream)


def abort(context: Any, policy: Policy, error: AnswerableError) -> NoReturn:
    """End a call by an exception."""
    code, details, trailing = policy.status(error)
    context.set_trailing_metadata(trailing)
    context.abort(code, details)
    raise CallEnded  # on a thread of an event loop's server, grpcio before 1.85 returns, and ends the call later


def _each(responses: Iterator[Any], within: contextvars.Context) -> Generator[Any]:
    """The messages of a handler, each made in the context of its call."""
    end = object()
    try:
        while (message := within.run(next, responses, end)) is not end:
            yield message
    finally:
        close = getattr(responses, "close", None)  # of a generator, whose `finally` belongs to the call, too
        if close is not None:
            within.run(close)
