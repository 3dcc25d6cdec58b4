"""The operations of Django Ninja behind a URL pattern, and the authentication classes of an API. Does not import Django Ninja."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from m2mguard._routes.django_middleware import with_server
from m2mguard._routes.forwarding import free_variables
from m2mguard._routes.guarding import guards_around, where_is
from m2mguard._routes.report import RouteReport, reports
from m2mguard._routes.view_guards import answering_around, guards_of_view
from m2mguard._routes.wrappers import Seen, is_a

DOCUMENTATION = "ninja.openapi.views"


def path_view_of(view: Any) -> Any:
    """What serves the operations of a URL pattern's view, or None where the view is not of Django Ninja."""
    while view is not None:
        for found in free_variables(view).values():
            if is_a(found, "ninja.operation", "PathView"):
                return found
        view = getattr(view, "__wrapped__", None)
    return None


def survey_operations(path_view: Any, path: str, shape: str, seen: Seen) -> Iterator[RouteReport]:
    """The reports on every operation of one path."""
    for operation in path_view.operations:
        guards, doubt = _asked(operation)
        guards += with_server(guards_of_view(operation.view_func))
        yield from reports(
            path,
            sorted(operation.methods),
            (*seen, *guards),
            where=where_is(operation.view_func),
            doubt=doubt,
            shape=shape,
        )


def callbacks_of(api: Any) -> Iterator[Any]:
    """The authentication classes and functions of a NinjaAPI, of its routers and operations; none of anything else."""
    if not is_a(api, "ninja", "NinjaAPI"):
        return
    yield from _listed(api.auth)
    for registration in api._router_registrations:  # noqa: SLF001  # what is public builds the URLs, and freezes the API
        yield from _listed(registration[2])
        yield from _of_router(registration[1])


def _of_router(router: Any) -> Iterator[Any]:
    yield from _listed(router.auth)
    for path_view in router.path_operations.values():
        for operation in path_view.operations:
            yield from operation.auth_callbacks
    for registration in router._routers:  # noqa: SLF001
        yield from _of_router(registration[1])


def _listed(auth: Any) -> Iterator[Any]:
    yield from auth if isinstance(auth, list | tuple) else [auth]


def _asked(operation: Any) -> tuple[Seen, str]:
    """The guards of an operation, and what else may ask for something. Ninja asks one after the other, until one lets the request in."""
    above = _around(operation)
    for callback in operation.auth_callbacks:
        guards = guards_around(callback, raises=True)
        if guards:
            return tuple(replace(one, above=one.above or above) for one in guards), ""
        above = above or where_is(callback if hasattr(callback, "__qualname__") else type(callback))
    return (), f"{above} may ask for something" if operation.auth_callbacks else ""


def _around(operation: Any) -> str:
    """What is around a whole operation and may answer before it, such as a decorator of `decorate_view`; "" where nothing is."""
    run = operation.run
    innermost: object = inspect.unwrap(run)
    is_ninjas_own = getattr(innermost, "__self__", None) is operation
    return answering_around(run) if is_ninjas_own else where_is(innermost)
