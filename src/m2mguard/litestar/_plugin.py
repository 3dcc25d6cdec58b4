"""The plugin that protects an application, and says so in its OpenAPI schema."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import replace
from typing import Any, Final, Literal

from litestar.config.app import AppConfig
from litestar.handlers import ASGIRouteHandler
from litestar.openapi.spec import Components, SecurityScheme
from litestar.plugins import InitPlugin, ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

from m2mguard._asgi.scope import no_application
from m2mguard._asgi.sending import send_answer
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_metadata import ResourceMetadata
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.route_marks import guards_of, mark
from m2mguard.asgi import BearerAuthMiddleware, OnError
from m2mguard.certificates import CertificateReader
from m2mguard.litestar._guards import RefusedRequest, guards_of_handler, respond
from m2mguard.litestar._middleware import MiddlewareFactory, requirement_of_scope

SCHEME: Final = "M2MAuth"


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
        certificate: as for `BearerAuthMiddleware`.

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
        certificate: CertificateReader | None = None,
    ) -> None:
        self._server = server
        self._options: dict[str, Any] = {
            "requires": requirement_of_scope(requires),
            "public": list(public) if isinstance(public, Iterator) else public,
            "preflight": preflight,
            "on_error": on_error,
            "certificate": certificate,
        }
        (guard,) = guards_of(BearerAuthMiddleware(no_application, server, **self._options))
        self._guard = replace(guard, requirement=requires)
        mark(self, self._guard)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add the middleware, the answer to refusals of guards, the scheme, and the route of the metadata. Litestar calls this."""
        middleware = MiddlewareFactory(self._server, self._options)
        mark(middleware, self._guard)
        app_config.middleware.insert(0, middleware)
        app_config.exception_handlers.setdefault(RefusedRequest, respond)
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
            asked = [one.requirement for one in guards_of_handler(handler) if one.requirement is not None]
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


def _document(metadata: ResourceMetadata) -> ASGIRouteHandler:
    """A route for the metadata, so that Litestar asks the middleware, which serves it."""

    async def resource_metadata(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001  # Litestar asks for these names
        await send_answer(metadata.answer, scope, send)

    return ASGIRouteHandler(metadata.path, copy_scope=True)(resource_metadata)


def _security(asked: list[Requirement]) -> list[dict[str, list[str]]]:
    """The scopes as OpenAPI has them; a list of alternatives where any of several will do."""
    scopes = [scope for one in asked for scope in one.scopes]
    choices = itertools.product(*(one.any_scope for one in asked if one.any_scope))
    return [{SCHEME: list(dict.fromkeys((*scopes, *choice)))} for choice in choices]
