"""Which ResourceServers protect an application, a route, or another object? Reads what is built; runs and changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from m2mguard._routes.django_sites import is_django, survey_view
from m2mguard._routes.guarding import module_of
from m2mguard._routes.ninja_operations import callbacks_of
from m2mguard._routes.starlette_apps import is_starlette
from m2mguard._routes.survey import belongs_to_django, survey
from m2mguard._routes.wrappers import guards_of_middleware, inner_of
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.route_marks import guards_of

_FLASK_EXTENSION = "m2mguard"


def servers_of(target: object) -> list[ResourceServer]:
    """Every ResourceServer that an object is, holds, or is protected by; the outermost first.

    Args:
        target: a ResourceServer; an application of any framework, or what is wrapped around it; a dependency, middleware or view of an
            adapter; Django's settings module; or a list of such objects.
    """
    return list(dict.fromkeys(_servers(target)))


def _servers(target: Any) -> Iterator[ResourceServer]:
    if isinstance(target, ResourceServer):
        yield target
        return
    if isinstance(target, list | tuple | set | frozenset):
        for one in target:
            yield from _servers(one)
        return
    around = target
    while around is not None:
        yield from (guard.server for guard in guards_of(around) if guard.server is not None)
        yield from _of_flask(around)
        around = inner_of(around)
    for middleware in getattr(target, "user_middleware", ()) if is_starlette(target) else ():
        yield from (one.guard.server for one in guards_of_middleware(middleware) if one.guard.server is not None)
    for middleware in getattr(target, "middlewares", ()):  # of aiohttp
        yield from (guard.server for guard in guards_of(middleware) if guard.server is not None)
    for callback in callbacks_of(target):
        yield from (guard.server for guard in guards_of(callback) if guard.server is not None)
    for report in survey(target):
        yield from report.servers
    held = vars(target).values() if hasattr(target, "__dict__") else ()
    yield from (one for one in held if isinstance(one, ResourceServer))
    yield from _of_django(target)


def _of_flask(app: object) -> Iterator[ResourceServer]:
    extensions = getattr(app, "extensions", None)
    extension = extensions.get(_FLASK_EXTENSION) if isinstance(extensions, dict) else None
    if isinstance(extension, ResourceServer):
        yield extension


def _of_django(target: Any) -> Iterator[ResourceServer]:
    """The server of a Django site, or of one view, authentication or middleware class of it."""
    if "m2mguard.django._settings" not in sys.modules or not is_django():
        return
    is_rest_class = isinstance(target, type) and hasattr(target, "authentication_classes")
    view: Any = target.as_view() if is_rest_class else target
    owner = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if hasattr(owner, "http_method_names"):
        for report in survey_view(view):
            yield from report.servers
    if belongs_to_django(target) or _is_of_the_site(target):
        ours = sys.modules["m2mguard.django._settings"]
        if hasattr(ours.settings, ours.SETTING):  # a site of Django Ninja needs no setting
            yield ours.resource_server()


def _is_of_the_site(target: Any) -> bool:
    """Whether a view or class asks the site's server, since it has none of its own."""
    kinds = target.__mro__ if isinstance(target, type) else type(target).__mro__
    ours = ("m2mguard.django.", "m2mguard.drf")
    if any(kind.__module__.startswith(ours) for kind in kinds):
        return getattr(target, "server", None) is None
    while target is not None:
        if module_of(target).startswith(ours):
            return True
        target = getattr(target, "__wrapped__", None)
    return False
