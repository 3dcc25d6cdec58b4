"""The routes of a Starlette or FastAPI application. Reads what the application has built; imports neither framework."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

from m2mguard._routes.fastapi_dependencies import asked_by_dependencies
from m2mguard._routes.forwarding import always_calls, free_variables
from m2mguard._routes.guarding import ObservedRoute, is_forwarding, is_ours, module_of, where_is
from m2mguard._routes.report import OUR_OWN_PAGE, RouteReport, own_answers, reports
from m2mguard._routes.wrappers import (
    Seen,
    Survey,
    guards_of_middleware,
    is_a,
    middleware_may_answer,
    replaced_by_user,
    unwrap,
)
from m2mguard._server.requirement import Requirement
from m2mguard._server.route_marks import RouteGuard

_DECORATORS = "starlette.authentication"
_ANOTHER_AUTHENTICATION = "another AuthenticationMiddleware, whose scopes @requires looks at,"


def is_starlette(app: object) -> bool:
    """Whether this is a Starlette or FastAPI application, or a router."""
    return is_a(app, "starlette.routing", "Router") or is_a(app, "starlette.applications", "Starlette")


def survey_starlette(app: Any, seen: Seen, prefix: str, survey: Survey) -> Iterator[RouteReport]:
    """Every route, with the guards above it."""
    replaced = replaced_by_user(app, ("__call__", "build_middleware_stack", "app"))
    if replaced is not None:
        yield from own_answers(prefix, seen, replaced)
    for middleware in getattr(app, "user_middleware", ()):
        guards = guards_of_middleware(middleware, prefix)
        options = [*middleware.args, *middleware.kwargs.values()]
        if not guards and middleware_may_answer(middleware.cls, options):
            functions = [one for one in options if inspect.isroutine(one)]  # as FastAPI's `@app.middleware("http")`
            yield from own_answers(prefix, seen, functions[0] if functions else middleware.cls)
        seen += guards
    router = getattr(app, "router", app)
    _, seen, told = unwrap(router.middleware_stack, seen, prefix, inspect.ismethod)
    yield from told
    # FastAPI keeps included routers as such
    spread = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", list)
    for route in spread(app.routes):
        yield from _route(route, app, seen, prefix, survey)
    if not is_forwarding(module_of(router.default)):
        yield from survey(router.default, seen, prefix)


def _route(route: Any, app: Any, seen: Seen, prefix: str, survey: Survey) -> Iterator[RouteReport]:
    path = prefix + (getattr(route, "path", None) or "")
    endpoint = getattr(route, "endpoint", None)
    original = getattr(route, "original_route", route)
    if endpoint is None:
        yield from _mounted(original, seen, path, survey)
        return
    if _may_answer(original):
        yield from own_answers(path, seen, type(original))
    _, seen, told = unwrap(route.app, seen, prefix, lambda _: False)
    yield from told
    dependant = getattr(route, "dependant", None)
    guards, doubt = (
        ([], "") if dependant is None else asked_by_dependencies(dependant, getattr(app, "dependency_overrides", {}))
    )
    found = (*seen, *guards)
    methods = getattr(route, "methods", None) or ()
    if is_a(original, "starlette.routing", "WebSocketRoute"):
        methods = ("WEBSOCKET",)
    for served, handler in (_handlers(endpoint) or {(*sorted(methods),): endpoint}).items():
        yield from reports(
            path, served, (*found, *_asked_by_decorator(handler, found)),
            where=where_is(handler), doubt=doubt, open_on_purpose=_purpose(endpoint),
        )  # fmt: skip


def _handlers(endpoint: Any) -> dict[tuple[str, ...], Any]:
    """The handlers of a class, by their method, where `@requires` of Starlette's is on one of them."""
    names = ("get", "head", "post", "put", "patch", "delete", "options") if inspect.isclass(endpoint) else ()
    found: dict[tuple[str, ...], Any] = {
        (name.upper(),): getattr(endpoint, name) for name in names if hasattr(endpoint, name)
    }
    return found if any(list(_asked_by_decorator(one, ())) for one in found.values()) else {}


def _may_answer(route: Any) -> bool:
    """Whether a class of routes of the user's may answer by itself. FastAPI's are asked for the handler that they build."""
    if replaced_by_user(route, ("handle", "matches")) is not None:
        return True
    build = getattr(type(route), "get_route_handler", None)
    if build is None or is_forwarding(module_of(build)):
        return False
    handler = route.get_route_handler()
    names = [name for name, value in free_variables(handler).items() if is_forwarding(module_of(value))]
    return not is_forwarding(module_of(handler)) and not always_calls(handler, names)


def _purpose(endpoint: Any) -> str:
    """Why an endpoint is open on purpose; "" for one of the user's."""
    if is_ours(endpoint):
        return OUR_OWN_PAGE
    return "FastAPI's own documentation" if module_of(endpoint) == "fastapi.applications" else ""


def _mounted(route: Any, seen: Seen, path: str, survey: Survey) -> Iterator[RouteReport]:
    inner = getattr(route, "app", None)
    if inner is None or replaced_by_user(route, ("handle", "matches")) is not None:
        doubt = f"{where_is(type(route))} is a route of another kind"
        yield from reports(f"{path}/*", (), seen, where=where_is(type(route)), doubt=doubt)
    else:
        yield from survey(inner, seen, path)


def is_files(app: Any) -> bool:
    """Whether this serves files, as Starlette does; and nothing else."""
    return is_a(app, "starlette.staticfiles", "StaticFiles") and replaced_by_user(app, ("__call__",)) is None


def _asked_by_decorator(endpoint: Any, seen: Seen) -> Iterator[ObservedRoute]:
    """What Starlette's own `@requires` asks for. It looks at the scopes that some middleware has found."""
    above = "" if seen else _ANOTHER_AUTHENTICATION
    while endpoint is not None:
        if module_of(endpoint) == _DECORATORS:
            scopes = inspect.getclosurevars(endpoint).nonlocals.get("scopes_list", ())
            yield ObservedRoute(guard=RouteGuard(requirement=Requirement(scopes=scopes)), above=above)
        endpoint = getattr(endpoint, "__wrapped__", None)
