"""The routes of a Litestar application. Reads what the application has built; does not import Litestar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from m2mguard._routes.guarding import ObservedRoute, guards_around, is_ours, where_is
from m2mguard._routes.report import OUR_OWN_PAGE, RouteReport, own_answers, reports
from m2mguard._routes.wrappers import Seen, Survey, is_a, replaced_by_user
from m2mguard._server.route_marks import guards_of

_AUTOMATIC = "litestar.routes.http"
"""The module of the handlers of OPTIONS that Litestar adds; they name the methods of their route."""


def is_litestar(app: object) -> bool:
    """Whether this is a Litestar application."""
    return is_a(app, "litestar", "Litestar")


def survey_litestar(app: Any, seen: Seen, prefix: str, survey: Survey) -> Iterator[RouteReport]:
    """Every route, with the guards of the plugin, the layers and the handler."""
    replaced = replaced_by_user(app, ("__call__",))
    if replaced is not None:
        yield from own_answers(prefix, seen, replaced)
    for route in app.routes:
        path = prefix + route.path
        for handler in getattr(route, "route_handlers", None) or [route.route_handler]:
            if handler.fn.__module__ == _AUTOMATIC:
                continue
            found = () if is_ours(handler.fn) else (*seen, *_asked(handler, prefix))
            if getattr(handler, "is_mount", False):
                yield from _mounted(handler, path.rstrip("/"), found, survey)
            else:
                methods = sorted(getattr(handler, "http_methods", ()) or _without_methods(handler))
                yield from reports(
                    path, methods, found, where=where_is(handler.fn), open_on_purpose=_purpose(handler.fn)
                )


def _asked(handler: Any, prefix: str) -> Iterator[ObservedRoute]:
    """The plugin's guard, which is in the middleware, and the guards of all layers, which need the plugin."""
    above = ""
    has_plugin = False
    for middleware in reversed(handler.resolve_middleware()):  # the outermost first
        for one in guards_around(middleware, root=prefix):
            has_plugin = True
            yield ObservedRoute(guard=one.guard, root=one.root, above=one.above or above)
        above = above or ("" if guards_of(middleware) else where_is(getattr(middleware, "middleware", middleware)))
    if not has_plugin:
        return
    for layer in handler.ownership_layers:
        for guard in layer.guards or ():
            yield from guards_around(guard, root=prefix, raises=True)


def _mounted(handler: Any, path: str, seen: Seen, survey: Survey) -> Iterator[RouteReport]:
    """The routes of what is mounted, whose handler may be the application itself."""
    found = list(survey(handler.fn, seen, path))
    yield from found or reports(f"{path}/*", (), seen, where=where_is(handler.fn))


def _without_methods(handler: Any) -> tuple[str, ...]:
    return ("WEBSOCKET",) if is_a(handler, "litestar.handlers", "WebsocketRouteHandler") else ()


def _purpose(function: Any) -> str:
    """Why a handler is open on purpose; "" for one of the user's."""
    if is_ours(function):
        return OUR_OWN_PAGE
    return "Litestar's own documentation" if function.__module__.startswith("litestar.") else ""
