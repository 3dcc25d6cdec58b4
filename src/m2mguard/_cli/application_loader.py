"""Loads the object that --app names in the user's code (MODULE:NAME), and the ResourceServer that protects it."""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass
from types import ModuleType

from m2mguard._cli.module_importer import LoadError, call_factory, get_attribute, import_module
from m2mguard._routes import servers_of, settings_of_site
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.route_marks import guards_of

_USUAL_NAMES = ("app", "application", "server", "create_app", "make_app", "asgi", "wsgi")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedApplication:
    """The object that --app names.

    Attributes:
        app: the object of that name: an application, a server, an issuer, or any other object.
        server: the object itself, its attribute, or the server that protects it; None if there is none.
        place: MODULE:NAME of the object.
    """

    app: object
    server: ResourceServer | None
    place: str


def load_application(place: str) -> LoadedApplication:
    """Import the object that `--app` names. Runs the user's code; fetches nothing.

    Args:
        place: MODULE:NAME; the name may have dots, and may be a factory without arguments, with or without "()". MODULE alone takes
            the object with a usual name: app, application, server or create_app. A Django settings module means its site, and so does
            the one file of a site that configures its settings itself.

    Raises:
        LoadError: the object does not exist, the user's code raised, or there are several servers.
    """
    name, colon, rest = place.partition(":")
    module = import_module(name)
    if hasattr(module, "ROOT_URLCONF"):
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", module.__name__)
        return _load_django_site(module, module, place)
    if not colon and (settings := settings_of_site(module.__name__)) is not None:
        return _load_django_site(settings, module, place)
    if not colon:
        rest = _find_usual_name(module)
    attribute_path = rest.removesuffix("()")
    found = get_attribute(module, attribute_path, module)
    if inspect.isfunction(found) and attribute_path.startswith(("create_", "make_", "get_")) and not _is_factory(found):
        raise LoadError(
            f"--app {place}: {attribute_path} takes arguments. Name a factory without any, or the application itself."
        )
    if _is_factory(found) or rest.endswith("()"):
        found = call_factory(found, f"{name}:{attribute_path}")
    return LoadedApplication(app=found, server=_find_server(found, place, module), place=f"{name}:{rest}")


def _find_usual_name(module: ModuleType) -> str:
    servers = [name for name, one in vars(module).items() if isinstance(one, ResourceServer)]
    for name in (*_USUAL_NAMES, *servers):
        if hasattr(module, name):
            return name
    raise LoadError(
        f"--app: {module.__name__} has nothing called {', '.join(_USUAL_NAMES)}. Give MODULE:NAME, such as {module.__name__}:app."
    )


def _is_factory(found: object) -> bool:
    """Whether this is a plain function that needs no arguments. An ASGI or WSGI application needs some."""
    if not inspect.isfunction(found) or guards_of(found):
        return False
    parameters = inspect.signature(found).parameters.values()
    return not any(
        one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters
    )


def _load_django_site(settings: object, module: ModuleType, place: str) -> LoadedApplication:
    django = import_module("django")
    call_factory(django.setup, "django.setup")
    return LoadedApplication(app=settings, server=_find_server(settings, place, module), place=place)


def _find_server(found: object, place: str, module: ModuleType) -> ResourceServer | None:
    servers = servers_of(found)
    if len(servers) > 1:
        names = [f"{module.__name__}:{name}" for name, one in vars(module).items() if isinstance(one, ResourceServer)]
        raise LoadError(
            f"--app {place}: there are {len(servers)} different ResourceServers. Name one of them: "
            f"{', '.join(names) or 'MODULE:NAME of the server itself'}."
        )
    return servers[0] if servers else None
