"""Which routes does an application have, and what does each ask of its caller? Reads what is built; serves and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from m2mguard._routes.django_sites import is_django, survey_django
from m2mguard._routes.flask_apps import is_flask, survey_flask
from m2mguard._routes.report import ObservedRoute, RouteReport, guards_around, reports, where_is
from m2mguard._routes.starlette_apps import is_starlette, survey_starlette

_OF_DJANGO = ("django.core.handlers.", "django.test.client.", "django.conf.")


def survey(app: object) -> list[RouteReport]:
    """Report on every route of a FastAPI, Starlette, Flask, Django or Django REST framework application.

    Args:
        app: the application, or what is wrapped around it. For Django the WSGI or ASGI application, or the settings module.

    Returns:
        One report for each route, in the framework's order; for an application of another kind one for all of it, if something of
        m2mguard is around it; none for what is no application.
    """
    return list(_survey(app, ()))


def _survey(app: object, seen: tuple[ObservedRoute, ...]) -> Iterator[RouteReport]:
    if is_starlette(app):
        yield from survey_starlette(app, seen)
        return
    if is_flask(app):
        yield from survey_flask(app, seen)
        return
    if is_django() and belongs_to_django(app):
        yield from survey_django(seen)
        return
    inner = getattr(app, "app", None) or getattr(app, "wsgi_app", None)
    around = (*seen, *(ObservedRoute(guard=guard) for guard in guards_around(app)))
    if inner is not None:
        yield from _survey(inner, around)
    elif callable(app):
        yield from reports("/*", (), around, where=where_is(app), doubt="" if around else "its routes cannot be read")


def belongs_to_django(target: object) -> bool:
    """Whether an object means the Django site of this process: its application or handler, a client of Django's tests, its settings."""
    kinds = [f"{kind.__module__}.{kind.__name__}" for kind in type(target).__mro__]
    is_module = type(target).__name__ == "module" and hasattr(target, "ROOT_URLCONF")
    return is_module or any(kind.startswith(_OF_DJANGO) for kind in kinds)
