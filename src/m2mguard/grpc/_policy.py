"""What a method asks for, who calls, and how a refusal is answered. The same for threads and event loops."""

from __future__ import annotations

import contextvars
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import grpc

from m2mguard._server.open_connections import ais_still_accepted, is_still_accepted
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard.caller import Caller
from m2mguard.certificates import CertificateReader
from m2mguard.errors import AnswerableError, InvalidToken, KeysUnavailable
from m2mguard.grpc._call_head import CallHead

_STATUSES: Final = MappingProxyType(
    {
        400: grpc.StatusCode.UNAUTHENTICATED,
        401: grpc.StatusCode.UNAUTHENTICATED,
        403: grpc.StatusCode.PERMISSION_DENIED,
        503: grpc.StatusCode.UNAVAILABLE,
    }
)
CURRENT_CALLER: Final[contextvars.ContextVar[Caller]] = contextvars.ContextVar("m2mguard.grpc.caller")


def current_caller() -> Caller:
    """The application that sent the call that is being handled.

    Raises:
        RuntimeError: no call is being handled here, nothing protects it, or its method is public.
    """
    try:
        return CURRENT_CALLER.get()
    except LookupError:
        raise RuntimeError(
            "there is no Caller: no Guard or AioGuard protects this call, or its method is public"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What every call must meet, how that is checked, and how a refusal is answered. `_interceptor` says what the fields mean."""

    server: ResourceServer
    default: Requirement | None
    methods: Mapping[str, Requirement]
    public: Collection[str]
    ends_streams: bool
    certificate: CertificateReader | None

    def head(self, details: grpc.HandlerCallDetails, context: Any) -> CallHead | None:
        """What a call tells of its sender; None where nobody asks for it."""
        return None if self.certificate is None else CallHead(details, context)

    def is_public(self, method: str) -> bool:
        """Tell whether a method, or its whole service, needs no token."""
        return method in self.public or method[: method.rfind("/") + 1] in self.public

    def requirements(self, method: str) -> list[Requirement]:
        """What a call of a method must meet; every one of them."""
        own = [one for one in (self.default, self.methods.get(method)) if one is not None]
        return own or [Requirement()]

    def authenticate(
        self, details: grpc.HandlerCallDetails, head: CallHead | None = None, *, is_open: bool = False
    ) -> Caller:
        """Verify the token of a call, and check what it asks for. Blocks where keys must be fetched.

        Args:
            details: of the call.
            head: of the call; None, the default: a bound token is refused.
            is_open: whether the call was let in before: `max_age` then no longer counts.
        """
        first, *others = self._asked(details.method, is_open=is_open)
        caller = self.server.authenticate(
            _authorization(details), first, **self._arguments(details, head, is_open=is_open)
        )
        self._authorize(caller, others, details)
        return caller

    async def aauthenticate(
        self, details: grpc.HandlerCallDetails, head: CallHead | None = None, *, is_open: bool = False
    ) -> Caller:
        """As `authenticate`, awaiting instead of blocking."""
        first, *others = self._asked(details.method, is_open=is_open)
        caller = await self.server.aauthenticate(
            _authorization(details), first, **self._arguments(details, head, is_open=is_open)
        )
        self._authorize(caller, others, details)
        return caller

    def is_accepted(self, details: grpc.HandlerCallDetails, head: CallHead | None) -> bool:
        """Tell whether a call that is open would still be let in."""
        return is_still_accepted(lambda: self.authenticate(details, head, is_open=True))

    async def ais_accepted(self, details: grpc.HandlerCallDetails, head: CallHead | None) -> bool:
        """As `is_accepted`, awaiting instead of blocking."""
        return await ais_still_accepted(lambda: self.aauthenticate(details, head, is_open=True))

    def is_limited(self, caller: Caller) -> bool:
        """Tell whether a stream ends with its token. One of `calling_as` may have expired long ago, and is accepted nevertheless."""
        return self.ends_streams and self.server.remaining(caller) > 0

    def _arguments(self, details: grpc.HandlerCallDetails, head: CallHead | None, *, is_open: bool) -> dict[str, Any]:
        return {
            "request": details,
            "route": _route(details),
            "head": head,
            "certificate": self.certificate,
            "is_open": is_open,
        }

    def _asked(self, method: str, *, is_open: bool) -> list[Requirement]:
        asked = self.requirements(method)
        return [one.for_open_connection() for one in asked] if is_open else asked

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


def _authorization(details: grpc.HandlerCallDetails) -> list[str | bytes]:
    """The values of a call's `authorization` metadata, in order."""
    return [value for name, value in details.invocation_metadata or () if name == "authorization"]


def _route(details: grpc.HandlerCallDetails) -> tuple[str, str]:
    return "POST", details.method  # as HTTP/2 has it


def expired() -> InvalidToken:
    """Why a stream ends."""
    return InvalidToken("expired", claim="exp")
