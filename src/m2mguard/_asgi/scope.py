"""The types of ASGI, and what an adapter reads from the scope of a connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from m2mguard._asgi.peer import peer_of
from m2mguard.certificates import CertificateReader
from m2mguard.paths import WEBSOCKET

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]  # frameworks type these their own ways; nothing narrower fits all


class RequestHead:
    """The head of a request, read from its scope."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    @property
    def method(self) -> str:
        method: str = self._scope.get("method", WEBSOCKET)
        return method

    @property
    def path_as_text(self) -> dict[str, Any]:
        scope = self._scope
        return {"path": scope["path"], "root_path": scope.get("root_path", ""), "raw_path": scope.get("raw_path")}

    @property
    def path(self) -> dict[str, Any]:
        path = self.path_as_text
        if path["raw_path"] is None:
            path["path"] = path["path"].encode("utf-8", "surrogatepass")  # decoded by the server as ASGI demands
        return path

    @property
    def fields(self) -> Iterable[tuple[str, str]]:
        return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._scope["headers"])

    @property
    def query(self) -> str:
        query: bytes = self._scope.get("query_string", b"")
        return query.decode("latin-1")

    @property
    def notes(self) -> Scope:
        """What belongs to this request alone, for what must be remembered of it: the scope, whose names no client chooses."""
        return self._scope

    @property
    def peer(self) -> str | None:
        return peer_of(self._scope)


def authorization_fields(scope: Scope) -> list[bytes]:
    """The value of every Authorization field of a request, in order."""
    return [value for name, value in scope["headers"] if len(name) == 13 and name.lower() == b"authorization"]


def arguments_of(scope: Scope, *, request: object, certificate: CertificateReader | None) -> dict[str, Any]:
    """What `ResourceServer.authenticate` is given of a request beside the requirement.

    Args:
        scope: of the connection.
        request: for a callable organization.
        certificate: the adapter's reader of certificates, or None.
    """
    return {
        "headers": authorization_fields(scope),
        "request": request,
        "route": route_of(scope),
        "head": RequestHead(scope),
        "certificate": certificate,
    }


def route_of(scope: Scope) -> tuple[str, str]:
    """The method and the path of a request, for the log."""
    return scope.get("method", WEBSOCKET), scope.get("path", "")


def without_caller(scope: Scope) -> Scope:
    """The scope without a caller that something above may have put there."""
    return {name: value for name, value in scope.items() if name not in ("auth", "user")}


async def no_application(_scope: object, _receive: object, _send: object) -> None:
    """Does nothing: to build a middleware for its arguments alone."""
