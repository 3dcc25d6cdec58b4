"""Litestar's side: a plugin that protects an application, and guards for handlers, routers and controllers. `request.auth` is the Caller.

Nothing is decided about tokens or answers here: tokens are verified by the middleware of `m2mguard.asgi`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator
from copy import copy
from dataclasses import replace
from typing import Any, Final, Literal
from urllib.parse import unquote_to_bytes

try:
    from litestar import Request, Response
    from litestar.config.app import AppConfig
    from litestar.connection import ASGIConnection
    from litestar.exceptions import HTTPException, WebSocketException
    from litestar.handlers import ASGIRouteHandler, BaseRouteHandler
    from litestar.openapi.spec import Components, SecurityScheme
    from litestar.plugins import InitPlugin, ReceiveRoutePlugin
    from litestar.routes import BaseRoute, HTTPRoute
    from litestar.utils import normalize_path
except ImportError as _missing:
    raise ImportError('m2mguard.litestar needs Litestar: pip install "m2mguard[litestar]"') from _missing

from m2mguard._server.answers import Answer
from m2mguard._server.requirement import HasUrl, Requirement
from m2mguard._server.resource_metadata import ResourceMetadata
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.route_marks import RouteGuard, guards_of, mark
from m2mguard.asgi import (
    POLICY_VIOLATION,
    ASGIApp,
    BearerAuthMiddleware,
    Message,
    OnError,
    Receive,
    Scope,
    Send,
    authorization_fields,
    route_of,
    send_answer,
)
from m2mguard.caller import Caller
from m2mguard.errors import AnswerableError, ConfigurationError

__all__ = ["M2MGuardPlugin", "RefusedRequest", "requires"]

Connection = ASGIConnection[Any, Any, Any, Any]
Organization = str | Callable[[Connection], str | None] | None

SCHEME: Final = "M2MAuth"
_PASSAGE: Final = "m2mguard.litestar"  # in the scope of a connection that has passed the middleware
_ROUTED: Final = (
    "m2mguard.litestar.routed"  # in the scope that the middleware sees: the one that Litestar's router has left
)
_OF_THE_BODY: Final = frozenset(("content-type",))


class RefusedRequest(HTTPException):
    """A request that a guard has refused, for an application's own exception handlers. Without one, the standard answer is sent.

    Attributes:
        refusal: the error behind it, whose `reason` is for the operator only.
        answer: the standard answer: status, headers, body.
    """

    def __init__(self, refusal: AnswerableError, answer: Answer) -> None:
        headers = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
        super().__init__(detail=refusal.description, status_code=answer.status, headers=headers)
        self.refusal = refusal
        self.answer = answer


class M2MGuardPlugin(InitPlugin, ReceiveRoutePlugin):
    """Protects every route of an application: `Litestar(plugins=[M2MGuardPlugin(server)])`.

    Handlers find the Caller at `request.auth` and `request.user`; on a public path there is none. Mounted ASGI applications and WebSockets
    are protected, too. A refused WebSocket handshake is answered as by `BearerAuthMiddleware`. The scheme and each operation's scopes are
    added to the OpenAPI schema. With a `resource_url` the API's metadata is served, to anybody (RFC 9728). For a path without a route
    Litestar's router answers 404 before it asks any middleware. Safe to share between tasks, event loops and applications.

    Args:
        server: verifies tokens and words the answers.
        requires: what every protected request must meet; None, the default, is `Requirement()`. A callable organization is given the
            connection, with its `path_params`.
        public: the paths that need no token, as for `BearerAuthMiddleware`; below a mounted application the whole path. Default none.
        preflight: "protect" (default) or "exempt", as for `BearerAuthMiddleware`. Needless with Litestar's `cors_config`.
        on_error: as for `BearerAuthMiddleware`: called with the refusal and the ASGI scope. The refusals of guards are exceptions instead.

    Raises:
        ConfigurationError: an invalid argument.
    """

    def __init__(
        self,
        server: ResourceServer,
        *,
        requires: Requirement | None = None,
        public: Iterable[str] = (),
        preflight: Literal["protect", "exempt"] = "protect",
        on_error: OnError | None = None,
    ) -> None:
        self._server = server
        self._options: dict[str, Any] = {
            "requires": _of_scope(requires),
            "public": list(public) if isinstance(public, Iterator) else public,
            "preflight": preflight,
            "on_error": on_error,
        }
        (guard,) = guards_of(BearerAuthMiddleware(_nowhere, server, **self._options))
        self._guard = replace(guard, requirement=requires)
        mark(self, self._guard)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add the middleware, the answer to refusals of guards, the scheme, and the route of the metadata. Litestar calls this."""
        middleware = _MiddlewareFactory(self._server, self._options)
        mark(middleware, self._guard)
        app_config.middleware.insert(0, middleware)
        app_config.exception_handlers.setdefault(RefusedRequest, _respond)
        if app_config.openapi_config is not None:
            app_config.openapi_config = copy(app_config.openapi_config)
            scheme = SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")
            theirs = app_config.openapi_config.components
            ours = Components(security_schemes={SCHEME: scheme})
            app_config.openapi_config.components = [ours, *(theirs if isinstance(theirs, list) else [theirs])]
        if self._server.resource_metadata is not None:
            app_config.route_handlers.append(_document(self._server.resource_metadata))
        return app_config

    def receive_route(self, route: BaseRoute) -> None:
        """Check the guards of a route, and add what it asks for to the schema. Litestar calls this.

        Raises:
            ConfigurationError: a guard names App IDs or an organization without the issuer, where the server trusts several.
        """
        handlers: list[Any] = (
            route.route_handlers if isinstance(route, HTTPRoute) else [getattr(route, "route_handler", None)]
        )
        for handler in handlers:
            asked = [one.requirement for one in _guards_of_handler(handler) if one.requirement is not None]
            for requirement in asked:
                self._server.check_requirement(requirement)
            if not isinstance(route, HTTPRoute) or self._is_public(route.path):
                continue
            security = getattr(handler, "security", None) or []
            if not any(SCHEME in one for one in security):
                plugin = [self._guard.requirement] if self._guard.requirement is not None else []
                handler.security = [*security, *_security([*plugin, *asked])]

    def _is_public(self, path: str) -> bool:
        return self._guard.public is not None and self._guard.public.match(path)


def requires(
    *scopes: str,
    any_scope: Collection[str] = (),
    app_ids: Collection[str] = (),
    organization: Organization = None,
    issuers: Collection[str | HasUrl] = (),
) -> Callable[[Connection, BaseRouteHandler], Any]:
    """A guard for a handler, router, controller or application that has the plugin: `guards=[requires("read:orders")]`.

    What the plugin and all guards ask for adds up: a token of an organization is refused by a plugin without `requires`. On a public path a
    guard asks for a token itself. A refusal is raised as `RefusedRequest`; a refused WebSocket handshake is answered as by the plugin.

    Args:
        *scopes: every one of these must be granted.
        any_scope: as for `Requirement`.
        app_ids: as for `Requirement`.
        organization: as for `Requirement`. A callable is given the connection, with its `path_params`.
        issuers: as for `Requirement`.

    Raises:
        ConfigurationError: an invalid value; or, for each request, no plugin.
    """
    requirement = Requirement(
        scopes=scopes, any_scope=any_scope, app_ids=app_ids, organization=organization, issuers=issuers
    )

    async def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        scope: Any = connection.scope
        passage: _Passage | None = scope.get(_PASSAGE)
        if passage is None:
            raise ConfigurationError("requires() needs the plugin: Litestar(plugins=[M2MGuardPlugin(server)]).")
        caller = scope.get("auth")
        try:
            if isinstance(caller, Caller):
                passage.server.authorize(caller, requirement, request=connection, route=passage.route)
            else:
                scope["auth"] = scope["user"] = await passage.server.aauthenticate(
                    authorization_fields(scope), requirement, request=connection, route=passage.route
                )
        except AnswerableError as error:
            answer = passage.server.answer(error)
            if scope["type"] == "websocket":
                passage.refusal = answer
                raise WebSocketException(detail="", code=POLICY_VIOLATION) from error
            raise RefusedRequest(error, answer) from error

    mark(guard, RouteGuard(requirement=requirement))
    return guard


class _Passage:
    """What a guard must know of the middleware that a connection has passed, and of the refusal of a handshake the other way round."""

    __slots__ = ("refusal", "route", "server")

    def __init__(self, server: ResourceServer, route: tuple[str, str]) -> None:
        self.server = server
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


class _MiddlewareFactory:
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
        self._middleware = BearerAuthMiddleware(self._enter, server, **options)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        await self._middleware({**scope, "path": _whole_path(scope), _ROUTED: scope}, receive, send)

    async def _enter(self, entered: Scope, receive: Receive, send: Send) -> None:
        scope = entered[_ROUTED]
        for name in ("auth", "user"):
            scope.pop(name, None)
            if name in entered:
                scope[name] = entered[name]
        passage = scope[_PASSAGE] = _Passage(self._server, route_of(entered))
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


def _of_scope(requirement: Requirement | None) -> Requirement | None:
    """The same requirement, whose callable organization is given the connection."""
    organization = requirement.organization if isinstance(requirement, Requirement) else None
    if requirement is None or not callable(organization):
        return requirement
    of_connection = organization
    return replace(requirement, organization=lambda scope: of_connection(ASGIConnection(scope[_ROUTED])))


def _respond(request: Request[Any, Any, Any], refused: RefusedRequest) -> Response[Any]:
    """The standard answer, unless the application has a handler for exceptions of this kind."""
    handlers: Any = request.route_handler.resolve_exception_handlers()
    for kind in RefusedRequest.__mro__[1:]:
        if kind in handlers:
            response: Response[Any] = handlers[kind](request, refused)
            return response
    answer = refused.answer
    return Response(
        b"" if request.method == "HEAD" else answer.body,
        status_code=answer.status,
        headers={name: value for name, value in answer.headers.items() if name.lower() not in _OF_THE_BODY},
        media_type=answer.headers["Content-Type"],
    )


def _document(metadata: ResourceMetadata) -> ASGIRouteHandler:
    """A route for the metadata, so that Litestar asks the middleware, which serves it."""

    async def resource_metadata(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001  # Litestar asks for these names
        await send_answer(metadata.answer, scope, send)

    return ASGIRouteHandler(metadata.path, copy_scope=True)(resource_metadata)


def _guards_of_handler(handler: Any) -> list[RouteGuard]:
    """The guards of ours on a handler and on the layers around it, the outermost first."""
    return [
        mark
        for layer in getattr(handler, "ownership_layers", ())
        for guard in layer.guards or ()
        for mark in guards_of(guard)
    ]


def _security(asked: list[Requirement]) -> list[dict[str, list[str]]]:
    """The scopes as OpenAPI has them; a list of alternatives where any of several will do."""
    scopes = [scope for one in asked for scope in one.scopes]
    choices = itertools.product(*(one.any_scope for one in asked if one.any_scope))
    return [{SCHEME: list(dict.fromkeys((*scopes, *choice)))} for choice in choices]


async def _nowhere(scope: Any, receive: Any, send: Any) -> None:
    """Stands for an application while the arguments of a plugin are checked."""


def __dir__() -> list[str]:
    return sorted(__all__)
