"""The routes of a Starlette or FastAPI application. Reads what the application has built; imports neither framework."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from m2mguard._route_marks import RouteGuard
from m2mguard._routes.report import ObservedRoute, RouteReport, guards_around, reports, where_is
from m2mguard._server.requirement import Requirement

_DECORATORS = "starlette.authentication"
_DOCUMENTATION = ("openapi_url", "docs_url", "redoc_url", "swagger_ui_oauth2_redirect_url")


def is_starlette(app: object) -> bool:
    """Whether this is a Starlette or FastAPI application, or a router."""
    routing = sys.modules.get("starlette.routing")
    applications = sys.modules.get("starlette.applications")
    return (routing is not None and isinstance(app, routing.Router)) or (
        applications is not None and isinstance(app, applications.Starlette)
    )


def survey_starlette(app: Any, seen: tuple[ObservedRoute, ...] = (), prefix: str = "") -> Iterator[RouteReport]:
    """Every route, with the guards above it."""
    for middleware in getattr(app, "user_middleware", ()):
        seen += tuple(ObservedRoute(guard=one, root=prefix) for one in guards_of_middleware(middleware))
    spread = getattr(
        sys.modules.get("fastapi.routing"), "iter_route_contexts", list
    )  # included routers are kept as such
    for route in spread(app.routes):
        yield from _route(route, app, seen, prefix)


def guards_of_middleware(middleware: Any) -> tuple[RouteGuard, ...]:
    """The guards that a middleware will have, once the application is built: it is built here alone, around nothing."""
    from m2mguard.asgi import BearerAuthMiddleware

    if not (inspect.isclass(middleware.cls) and issubclass(middleware.cls, BearerAuthMiddleware)):
        return ()
    return guards_around(middleware.cls(_nothing, *middleware.args, **middleware.kwargs))


async def _nothing(scope: object, receive: object, send: object) -> None:
    """An application that serves nothing."""


def _route(route: Any, app: Any, seen: tuple[ObservedRoute, ...], prefix: str) -> Iterator[RouteReport]:
    path = prefix + getattr(route, "path", "")
    endpoint = getattr(route, "endpoint", None)
    if endpoint is None:
        yield from _mounted(getattr(route, "original_route", route), seen, path)
        return
    found = (
        *seen,
        *(ObservedRoute(guard=one, root=prefix) for one in _on_the_way(route.app)),
        *_asked_by_decorator(endpoint),
    )
    doubt = ""
    dependant = getattr(route, "dependant", None)
    if dependant is not None:
        guards, doubt = _dependencies(dependant, getattr(app, "dependency_overrides", {}))
        found += tuple(ObservedRoute(guard=one) for one in guards)
    methods = getattr(route, "methods", None)
    kind = ("WEBSOCKET",) if "WebSocket" in type(getattr(route, "original_route", route)).__name__ else methods or ()
    documents = {getattr(app, name, None) for name in _DOCUMENTATION} - {None}
    yield from reports(
        path, sorted(set(kind) - {"HEAD"}), found, where=where_is(endpoint), doubt=doubt,
        open_on_purpose="FastAPI's own documentation" if getattr(route, "path", None) in documents and dependant is None else "",
    )  # fmt: skip


def _mounted(route: Any, seen: tuple[ObservedRoute, ...], path: str) -> Iterator[RouteReport]:
    inner: Any = getattr(route, "app", None)
    for guard in _on_the_way(inner):
        seen += (ObservedRoute(guard=guard, root=path),)
    while not is_starlette(inner) and getattr(inner, "app", None) is not None:
        inner = inner.app
    if is_starlette(inner):
        yield from survey_starlette(inner, seen, path)
        return
    files = type(inner).__name__ == "StaticFiles"
    doubt = "" if files else f"{where_is(inner)} is an application of its own, which may ask for something"
    text = "files that anybody may read" if files else ""
    yield from reports(f"{path}/*", (), seen, where=where_is(inner), doubt=doubt, open_on_purpose=text)


def _on_the_way(app: Any) -> Iterator[RouteGuard]:
    """The guards of the middleware around a route or mount, the outermost first."""
    while app is not None and not is_starlette(app):
        yield from guards_around(app)
        app = getattr(app, "app", None)


def _asked_by_decorator(endpoint: Any) -> Iterator[ObservedRoute]:
    """What Starlette's own `@requires` asks for: without a Caller it refuses everyone."""
    while endpoint is not None:
        if getattr(endpoint, "__globals__", {}).get("__name__") == _DECORATORS:
            scopes = inspect.getclosurevars(endpoint).nonlocals.get("scopes_list", ())
            yield ObservedRoute(guard=RouteGuard(requirement=Requirement(scopes=scopes)))
        endpoint = getattr(endpoint, "__wrapped__", None)


def _dependencies(dependant: Any, overrides: Mapping[Any, Any]) -> tuple[list[RouteGuard], str]:
    """The guards among the dependencies of a FastAPI route, with the scopes of `Security(...)`; and what else may ask for something."""
    guards: list[RouteGuard] = []
    doubt = ""
    for one in _tree(dependant):
        call = overrides.get(one.call, one.call)
        found = guards_around(call)
        scopes = [*(getattr(one, "parent_oauth_scopes", None) or ()), *(getattr(one, "own_oauth_scopes", None) or ())]
        scopes = scopes or list(getattr(one, "security_scopes", None) or ())
        guards += found
        if found and scopes:
            guards.append(RouteGuard(requirement=Requirement(scopes=scopes), server=found[0].server))
        if call is not one.call:
            doubt = "a dependency is overridden (dependency_overrides)"
        elif not found and _is_security(call):
            doubt = f"{where_is(type(call))} may ask for something"
    return guards, doubt


def _is_security(call: object) -> bool:
    base = sys.modules.get("fastapi.security.base")
    return base is not None and isinstance(call, base.SecurityBase)


def _tree(dependant: Any) -> Iterator[Any]:
    for one in dependant.dependencies:
        yield one
        yield from _tree(one)
