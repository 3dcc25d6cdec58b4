"""What both interceptors share: what a method asks for, who calls, and how a refusal is answered."""

from __future__ import annotations

import contextvars
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

import grpc

from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.route_marks import RouteGuard
from m2mguard._validation import strings
from m2mguard.caller import Caller
from m2mguard.errors import AnswerableError, ConfigurationError, InvalidToken, KeysUnavailable

Behavior = Callable[[Any, Any], Any]
HEALTH: Final = "/grpc.health.v1.Health/"
LONGEST_SLEEP_S: Final = 15.0
"""How long it takes at most until a withdrawn key, or a clock that was moved, is noticed."""
_METHOD = re.compile(r"/(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*/[A-Za-z_]\w*", re.ASCII)
_SERVICE = re.compile(r"/(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*/", re.ASCII)
_STATUSES: Final = MappingProxyType(
    {
        400: grpc.StatusCode.UNAUTHENTICATED,
        401: grpc.StatusCode.UNAUTHENTICATED,
        403: grpc.StatusCode.PERMISSION_DENIED,
        503: grpc.StatusCode.UNAVAILABLE,
    }
)
calling: Final[contextvars.ContextVar[Caller]] = contextvars.ContextVar("m2mguard.grpc.calling")


def current_caller() -> Caller:
    """The application that sent the call that is being handled.

    Raises:
        RuntimeError: no call is being handled here, nothing protects it, or its method is public.
    """
    try:
        return calling.get()
    except LookupError:
        raise RuntimeError(
            "there is no Caller: no Guard or AioGuard protects this call, or its method is public"
        ) from None


class Policy:
    """What both interceptors share: which methods are public, what the others ask for, and how a refusal is answered.

    Arguments as for `AioGuard`.

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
        if not isinstance(server, ResourceServer):
            raise ConfigurationError("server must be a ResourceServer.")
        _check_requirements(server, requires, methods)
        self.public = strings("public", public, what="names of services and methods")
        for name in self.public:
            if not _METHOD.fullmatch(name) and not _SERVICE.fullmatch(name):
                raise ConfigurationError(
                    f'public: {name!r} is neither a service, "/shop.Orders/", nor a method, "/shop.Orders/List".'
                )
        for name in methods:
            if self.is_public(name):
                raise ConfigurationError(f"methods: {name} is public, so nothing that it asks for would be checked.")
        if streams not in ("end", "keep"):
            raise ConfigurationError('streams must be "end" or "keep".')
        self.server = server
        self.ends_streams = streams == "end"
        self._default = requires
        self._methods = dict(methods)
        self.mark = RouteGuard(requirement=requires, server=server)

    def is_public(self, method: str) -> bool:
        """Tell whether a method, or its whole service, needs no token."""
        return method in self.public or method[: method.rfind("/") + 1] in self.public

    def requirements(self, method: str) -> list[Requirement]:
        """What a call of a method must meet; every one of them."""
        own = [one for one in (self._default, self._methods.get(method)) if one is not None]
        return own or [Requirement()]

    def authenticate(self, details: grpc.HandlerCallDetails) -> Caller:
        """Verify the token of a call, and check what it asks for. Blocks where keys must be fetched."""
        first, *others = self.requirements(details.method)
        caller = self.server.authenticate(authorization(details), first, request=details, route=_route(details))
        self._authorize(caller, others, details)
        return caller

    async def aauthenticate(self, details: grpc.HandlerCallDetails) -> Caller:
        """As `authenticate`, awaiting instead of blocking."""
        first, *others = self.requirements(details.method)
        caller = await self.server.aauthenticate(authorization(details), first, request=details, route=_route(details))
        self._authorize(caller, others, details)
        return caller

    def _authorize(self, caller: Caller, requirements: list[Requirement], details: grpc.HandlerCallDetails) -> None:
        for requirement in requirements:
            self.server.authorize(caller, requirement, request=details, route=_route(details))

    def status(self, error: AnswerableError) -> tuple[grpc.StatusCode, str, tuple[tuple[str, str], ...]]:
        """How a refusal is answered: the code, the details, the trailing metadata."""
        answer = self.server.answer(error)
        trailing = []
        if "WWW-Authenticate" in answer.headers:
            trailing.append(("www-authenticate", answer.headers["WWW-Authenticate"]))
        if isinstance(error, KeysUnavailable):
            trailing.append(("grpc-retry-pushback-ms", str(int(answer.headers["Retry-After"]) * 1000)))
        return _STATUSES[answer.status], error.description, tuple(trailing)


def _check_requirements(
    server: ResourceServer, requires: Requirement | None, methods: Mapping[str, Requirement]
) -> None:
    if not isinstance(methods, Mapping):
        raise ConfigurationError('methods must be a mapping, such as {"/shop.Orders/Delete": Requirement(...)}.')
    for name in methods:
        if not isinstance(name, str) or not _METHOD.fullmatch(name):
            raise ConfigurationError(f'methods: {name!r} is no name of a method, such as "/shop.Orders/Delete".')
    for requirement in (*methods.values(), *([] if requires is None else [requires])):
        if not isinstance(requirement, Requirement):
            raise ConfigurationError("requires and methods take Requirement(scopes=[...]).")
        server.check_requirement(requirement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Which side of a call sends many messages."""

    asks_stream: bool
    answers_stream: bool

    @property
    def streams(self) -> bool:
        return self.asks_stream or self.answers_stream


def wrapped(handler: Any, wrap: Callable[[Behavior, Kind], Behavior]) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler of the same kind that does what `wrap` makes of the original."""
    asks, answers = handler.request_streaming, handler.response_streaming
    name = f"{'stream' if asks else 'unary'}_{'stream' if answers else 'unary'}"
    behavior = wrap(getattr(handler, name), Kind(asks_stream=asks, answers_stream=answers))
    make = getattr(grpc, f"{name}_rpc_method_handler")
    made: grpc.RpcMethodHandler[Any, Any] = make(behavior, handler.request_deserializer, handler.response_serializer)
    return made


def authorization(details: grpc.HandlerCallDetails) -> list[str | bytes]:
    """The values of a call's `authorization` metadata, in order."""
    return [value for name, value in details.invocation_metadata or () if name == "authorization"]


def _route(details: grpc.HandlerCallDetails) -> tuple[str, str]:
    return "POST", details.method  # as HTTP/2 has it


def expired() -> InvalidToken:
    return InvalidToken("expired", claim="exp")
