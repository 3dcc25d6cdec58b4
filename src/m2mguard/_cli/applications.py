"""Loads MODULE:NAME from the user's code: an application, and the ResourceServer that protects it."""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass
from types import ModuleType

from m2mguard._cli.importing import CannotLoad, attribute, called, module_named
from m2mguard._route_marks import guards_of
from m2mguard._routes import servers_of
from m2mguard._server.resource_server import ResourceServer

_USUAL_NAMES = ("app", "application", "server", "create_app", "make_app", "asgi", "wsgi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What was found.

    Attributes:
        app: the object of that name: an application, a server, an issuer, or any other object.
        server: the ResourceServer that it is, holds, or is protected by; None where there is none.
        place: MODULE:NAME, as it was found.
    """

    app: object
    server: ResourceServer | None
    place: str


def load(place: str) -> Loaded:
    """Import what `--app` names. Runs the user's code; fetches nothing.

    Args:
        place: MODULE:NAME; the name may have dots, and may be a factory without arguments, with or without "()". MODULE alone takes
            what is called app, application, server or create_app there. A module of Django's settings means the site.

    Raises:
        CannotLoad: there is no such thing, the code raised, or there are several servers.
    """
    name, colon, rest = place.partition(":")
    module = module_named(name)
    if hasattr(module, "ROOT_URLCONF"):
        return _django(module, place)
    if not colon:
        rest = _usual(module)
    plain = rest.removesuffix("()")
    found = attribute(module, plain, module)
    if inspect.isfunction(found) and plain.startswith(("create_", "make_", "get_")) and not _is_factory(found):
        raise CannotLoad(
            f"--app {place}: {plain} takes arguments. Name a factory without any, or the application itself."
        )
    if _is_factory(found) or rest.endswith("()"):
        found = called(found, f"{name}:{plain}")
    return Loaded(app=found, server=_the_server(found, place, module), place=f"{name}:{rest}")


def _usual(module: ModuleType) -> str:
    servers = [name for name, one in vars(module).items() if isinstance(one, ResourceServer)]
    for name in (*_USUAL_NAMES, *servers):
        if hasattr(module, name):
            return name
    raise CannotLoad(
        f"--app: {module.__name__} has nothing called {', '.join(_USUAL_NAMES)}. Give MODULE:NAME, such as {module.__name__}:app."
    )


def _is_factory(found: object) -> bool:
    """A plain function that can be called without arguments. An ASGI or WSGI application takes some."""
    if not inspect.isfunction(found) or guards_of(found):
        return False
    parameters = inspect.signature(found).parameters.values()
    return not any(
        one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters
    )


def _django(module: ModuleType, place: str) -> Loaded:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", module.__name__)
    django = module_named("django")
    called(django.setup, "django.setup")
    return Loaded(app=module, server=_the_server(module, place, module), place=place)


def _the_server(found: object, place: str, module: ModuleType) -> ResourceServer | None:
    servers = servers_of(found)
    if len(servers) > 1:
        names = [f"{module.__name__}:{name}" for name, one in vars(module).items() if isinstance(one, ResourceServer)]
        raise CannotLoad(
            f"--app {place}: there are {len(servers)} different ResourceServers. Name one of them: "
            f"{', '.join(names) or 'MODULE:NAME of the server itself'}."
        )
    return servers[0] if servers else None
