"""Which ResourceServers protect an application, a route, or another object? Reads what is built; runs and changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from m2mguard._route_marks import guards_of
from m2mguard._routes.starlette_apps import is_starlette
from m2mguard._routes.survey import belongs_to_django, survey
from m2mguard._routes.wrappers import guards_of_middleware
from m2mguard._server.resource_server import ResourceServer

_FLASK_EXTENSION = "m2mguard"


def servers_of(target: object) -> list[ResourceServer]:
    """Every ResourceServer that an object is, holds, or is protected by; the outermost first.

    Args:
        target: a ResourceServer; an application of any framework, or what is wrapped around it; a dependency, middleware or view of an
            adapter; Django's settings module; or a list of such objects.
    """
    return list(dict.fromkeys(_servers(target)))


def _servers(target: object) -> Iterator[ResourceServer]:
    if isinstance(target, ResourceServer):
        yield target
        return
    around: object = target
    while around is not None:
        yield from (guard.server for guard in guards_of(around) if guard.server is not None)
        yield from _of_flask(around)
        around = getattr(around, "app", None) or getattr(around, "wsgi_app", None)
    for middleware in getattr(target, "user_middleware", ()) if is_starlette(target) else ():
        yield from (guard.server for guard in guards_of_middleware(middleware) if guard.server is not None)
    for report in survey(target):
        yield from report.servers
    held = target if isinstance(target, list | tuple) else vars(target).values() if hasattr(target, "__dict__") else ()
    yield from (one for one in held if isinstance(one, ResourceServer))
    if "m2mguard.django._settings" in sys.modules and belongs_to_django(target):
        yield sys.modules["m2mguard.django._settings"].resource_server()


def _of_flask(app: object) -> Iterator[ResourceServer]:
    extensions = getattr(app, "extensions", None)
    extension = extensions.get(_FLASK_EXTENSION) if isinstance(extensions, dict) else None
    if isinstance(extension, ResourceServer):
        yield extension
