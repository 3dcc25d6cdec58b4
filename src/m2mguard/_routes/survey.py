"""Which routes does an application have, and what does each ask of its caller? Reads what is built; serves and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from m2mguard._routes.django_sites import is_django, survey_django
from m2mguard._routes.flask_apps import is_flask, survey_flask, survey_rules
from m2mguard._routes.guarding import is_ours, where_is
from m2mguard._routes.litestar_apps import is_litestar, survey_litestar
from m2mguard._routes.report import RouteReport, reports
from m2mguard._routes.starlette_apps import is_files, is_starlette, survey_starlette
from m2mguard._routes.wrappers import Seen, is_a, unwrap
from m2mguard._server.route_marks import guards_of

_OF_DJANGO = ("django.core.handlers.", "django.test.client.", "django.conf.")


def survey(app: object) -> list[RouteReport]:
    """Report on every route of a FastAPI, Starlette, Litestar, Flask, Django, Django REST framework or Django Ninja application.

    Args:
        app: the application, or what is wrapped around it. For Django the WSGI or ASGI application, or the settings module.

    Returns:
        One report for each route, in the framework's order; for an application of another kind one for all of it, if something of
        m2mguard is around it; none for what is no application.
    """
    return list(_survey(app, (), ""))


def _survey(app: Any, seen: Seen, path: str) -> Iterator[RouteReport]:
    """Every route of an application, below guards and below a path."""
    app, seen, told = unwrap(app, seen, path, _is_innermost)
    yield from told
    if is_starlette(app):
        yield from survey_starlette(app, seen, path, _survey)
    elif is_litestar(app):
        yield from survey_litestar(app, seen, path, _survey)
    elif is_flask(app):
        yield from survey_flask(app, seen, path, _survey)
    elif is_flask(getattr(app, "__self__", None)):  # its `wsgi_app`
        yield from survey_rules(app.__self__, seen, path)
    elif _is_dispatcher(app):
        yield from _survey(app.app, seen, path)
        for mount, mounted in app.mounts.items():
            yield from _survey(mounted, seen, path + mount)
    elif is_django() and belongs_to_django(app):
        yield from survey_django(seen, path)
    elif is_files(app):
        yield from reports(f"{path}/*", (), seen, where=where_is(app), open_on_purpose="files that anybody may read")
    elif callable(app):
        yield from _unknown(app, seen, path)


def _unknown(app: Any, seen: Seen, path: str) -> Iterator[RouteReport]:
    purpose = "m2mguard's own page for everybody" if is_ours(app) and not guards_of(app) else ""
    doubt = "" if purpose else f"{where_is(app)} is an application of its own, whose routes cannot be read"
    yield from reports(f"{path}/*", (), seen, where=where_is(app), doubt="" if seen else doubt, open_on_purpose=purpose)


def _is_innermost(app: Any) -> bool:
    return (
        is_starlette(app)
        or is_litestar(app)
        or is_flask(app)
        or is_files(app)
        or _is_dispatcher(app)
        or belongs_to_django(app)
    )


def _is_dispatcher(app: Any) -> bool:
    return is_a(app, "werkzeug.middleware.dispatcher", "DispatcherMiddleware")


def belongs_to_django(target: object) -> bool:
    """Whether an object means the Django site of this process: its application or handler, a client of Django's tests, its settings."""
    kinds = [f"{kind.__module__}.{kind.__name__}" for kind in type(target).__mro__]
    is_module = type(target).__name__ == "module" and hasattr(target, "ROOT_URLCONF")
    return is_module or any(kind.startswith(_OF_DJANGO) for kind in kinds)
