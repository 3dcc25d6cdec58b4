"""The middleware below Litestar's router: undoes what the router did to the path, and leaves guards what they need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from litestar.connection import ASGIConnection
from litestar.handlers import ASGIRouteHandler
from litestar.utils import normalize_path

from m2mguard._asgi.scope import ASGIApp, Message, Receive, Scope, Send, route_of
from m2mguard._asgi.sending import send_answer
from m2mguard._server.answers import Answer
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.certificates import CertificateReader

PASSAGE: Final = "m2mguard.litestar"
"""In the scope of a connection that has passed the middleware: its `Passage`."""
_ROUTED: Final = "m2mguard.litestar.routed"
"""In the scope that the middleware sees: the scope that Litestar's router has left."""


class Passage:
    """What a guard must know of the middleware that a connection has passed, and of the refusal of a handshake the other way round."""

    __slots__ = ("certificate", "refusal", "route", "server")

    def __init__(self, server: ResourceServer, route: tuple[str, str], certificate: CertificateReader | None) -> None:
        self.server = server
        self.certificate = certificate
        self.route = route
        self.refusal: Answer | None = None

    def sending(self, scope: Scope, send: Send) -> Send:
        """Send the answer to a handshake that a guard has refused, where Litestar would close it with a code of its own."""

        async def send_refusal(message: Message) -> None:
            if self.refusal is not None and message["type"] == "websocket.close":
                await send_answer(self.refusal, scope, send)
            else:
                await send(message)

        return send_refusal


class MiddlewareFactory:
    """What Litestar calls for each route."""

    def __init__(self, server: ResourceServer, options: dict[str, Any]) -> None:
        self._server = server
        self._options = options

    def __call__(self, app: ASGIApp) -> ASGIApp:
        return _Middleware(app, self._server, self._options)


class _Middleware:
    """`BearerAuthMiddleware` below Litestar's router, which has changed the path. The Caller is put into the scope that Litestar keeps."""

    def __init__(self, app: ASGIApp, server: ResourceServer, options: dict[str, Any]) -> None:
        self.app = app
        self._server = server
        self._certificate: CertificateReader | None = options["certificate"]
        self._middleware = BearerAuthMiddleware(self._enter, server, **options)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        await self._middleware({**scope, "path": _whole_path(scope), _ROUTED: scope}, receive, send)

    async def _enter(self, entered: Scope, receive: Receive, send: Send) -> None:
        scope = entered[_ROUTED]
        for name in ("auth", "user"):
            scope.pop(name, None)
            if name in entered:
                scope[name] = entered[name]
        passage = scope[PASSAGE] = Passage(self._server, route_of(entered), self._certificate)
        await self.app(scope, receive, passage.sending(scope, send) if scope["type"] == "websocket" else send)


def _whole_path(scope: Scope) -> str:
    """The path as it was sent, decoded; where that is not what the router has seen, one with an empty segment, which is never public.

    The router hands on a normalized path, and to a mounted application only what is below the mount.
    """
    routed: str = scope["path"]
    is_mounted = isinstance(scope["route_handler"], ASGIRouteHandler)
    raw_path: bytes | None = scope.get("raw_path")
    if raw_path is None:
        return f"/{routed}" if is_mounted else routed
    sent = unquote_to_bytes(raw_path.partition(b"?")[0]).decode("utf-8", "replace")
    whole, below = normalize_path(sent), routed.rstrip("/")
    is_root = is_mounted or whole == normalize_path(scope.get("root_path", ""))
    return sent if (whole.endswith(below) if below else is_root) else f"/{routed}"


def requirement_of_scope(requirement: Requirement | None) -> Requirement | None:
    """The same requirement, whose callable organization is given the connection."""
    organization = requirement.organization if isinstance(requirement, Requirement) else None
    if requirement is None or not callable(organization):
        return requirement
    of_connection = organization
    return replace(requirement, organization=lambda scope: of_connection(ASGIConnection(scope[_ROUTED])))
