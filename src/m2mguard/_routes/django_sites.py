"""The URL patterns of a Django site. Imports Django only where the site has."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator
from typing import Any

from m2mguard._routes.django_middleware import middleware_guards, with_server
from m2mguard._routes.guarding import is_ours, module_of, where_is
from m2mguard._routes.ninja_operations import DOCUMENTATION, path_view_of, survey_operations
from m2mguard._routes.report import OUR_OWN_PAGE, RouteReport, reports
from m2mguard._routes.view_guards import by_handler, guards_of_handler, guards_of_view
from m2mguard._routes.wrappers import Seen
from m2mguard._server.route_marks import guards_of

_ASKS_FOR_A_LOGIN = "django.contrib.auth.decorators"
_FILES = ("django.views.static", "django.contrib.staticfiles.views")
_ADMIN = "django.contrib.admin."
_ANY_METHOD: tuple[str, ...] = ()
_SPECIAL = re.compile(r"[\\.*+?()\[\]{}|^$].*", re.DOTALL)


def is_django() -> bool:
    """Whether this process has a configured Django site."""
    conf = sys.modules.get("django.conf")
    return conf is not None and bool(conf.settings.configured)


def settings_of_site(module: str) -> object | None:
    """The settings of the Django site of this process, if that module has its URL patterns; else None."""
    settings = sys.modules["django.conf"].settings if is_django() else None
    return settings if getattr(settings, "ROOT_URLCONF", None) == module else None


def survey_django(seen: Seen = (), prefix: str = "") -> Iterator[RouteReport]:
    """Every URL pattern, with the guards of the middleware, the view and its class."""
    from django.urls import get_resolver

    guards, told = middleware_guards(seen, prefix)
    yield from told
    # Django Ninja has one pattern for each operation of a path, and each serves all of them
    yield from dict.fromkeys(_patterns(get_resolver().url_patterns, f"{prefix}/", f"{prefix}/", guards))


def survey_view(view: Any) -> Iterator[RouteReport]:
    """The reports on one view alone, wherever it is served."""
    yield from _view(view, "/", "/", ())


def _patterns(patterns: Any, path: str, shape: str, seen: Seen) -> Iterator[RouteReport]:
    for one in patterns:
        below = path + str(one.pattern).removeprefix("^").removesuffix("$")
        below_shape = shape + _shape(one)
        if not hasattr(one, "url_patterns"):
            yield from _view(one.callback, below, below_shape, seen)
        elif getattr(one, "app_name", None) == "admin":
            yield from _admin(one, below, below_shape, seen)
        else:
            yield from _patterns(one.url_patterns, below, below_shape, seen)


def _shape(pattern: Any) -> str:
    """What a pattern adds to a path, with `<>` in the place of whatever can vary."""
    text = str(pattern.pattern)
    if type(pattern.pattern).__name__ != "RegexPattern":
        return text
    start = "" if text.startswith("^") else "<>"
    end = "" if text.endswith("$") or hasattr(pattern, "url_patterns") else "<>"
    return start + _SPECIAL.sub("<>", text.removeprefix("^").removesuffix("$")) + end


def _admin(resolver: Any, path: str, shape: str, seen: Seen) -> Iterator[RouteReport]:
    """One report for the admin's own views; and those for the views that somebody has put among them."""
    yield from reports(
        path,
        _ANY_METHOD,
        seen,
        where="django.contrib.admin",
        open_on_purpose="Django's admin, which asks for a login",
        shape=f"{shape}<>",
    )
    others = [one for one in _all_patterns(resolver) if not _is_of_the_admin(one.callback)]
    for one in others:
        text = str(one.pattern).removeprefix("^").removesuffix("$")
        yield from _view(one.callback, f"{path}{text}", f"{shape}<>", seen)


def _all_patterns(resolver: Any) -> Iterator[Any]:
    for one in resolver.url_patterns:
        yield from _all_patterns(one) if hasattr(one, "url_patterns") else (one,)


def _is_of_the_admin(view: Any) -> bool:
    while view is not None:
        if module_of(view).startswith(_ADMIN):
            return True
        view = getattr(view, "__wrapped__", None)
    return False


def _view(view: Any, path: str, shape: str, seen: Seen) -> Iterator[RouteReport]:
    found = (*seen, *with_server(guards_of_view(view)))
    path_view = path_view_of(view)
    if path_view is not None:
        yield from survey_operations(path_view, path, shape, found)
        return
    rest = getattr(view, "cls", None)
    if rest is not None and hasattr(rest, "authentication_classes"):
        from m2mguard._routes.rest_framework_views import survey_rest_view

        yield from survey_rest_view(view, rest, path, shape, found)
        return
    owner = getattr(view, "view_class", None)
    doubt = _doubt(view)
    if owner is None:
        purpose = _purpose(view)
        yield from reports(
            path, _ANY_METHOD, found, where=where_is(view), doubt=doubt, open_on_purpose=purpose, shape=shape
        )
        return
    handlers = _handlers(owner)
    if not any(map(guards_of, handlers)):
        yield from reports(
            path, sorted(itertools.chain(*handlers.values())), found, where=where_is(owner), doubt=doubt, shape=shape
        )
        return
    for handler, methods in handlers.items():
        guards = with_server(guards_of_handler(owner, "dispatch", handler))
        yield from reports(path, methods, (*found, *guards), where=where_is(handler), doubt=doubt, shape=shape)


def _handlers(owner: Any) -> dict[Any, list[str]]:
    """The methods that each handler of a class serves; without the OPTIONS that Django answers by itself."""
    from django.views import View

    names = [name.upper() for name in owner.http_method_names if hasattr(owner, name)]
    if owner.options is View.options:
        names = [name for name in names if name != "OPTIONS"]
    names += ["HEAD"] if "GET" in names and "HEAD" not in names else []
    return by_handler(owner, names)


def _purpose(view: Any) -> str:
    """Why a view is open on purpose; "" for one of the user's."""
    innermost = view
    while hasattr(innermost, "__wrapped__"):
        innermost = innermost.__wrapped__
    innermost = getattr(innermost, "func", innermost)
    if module_of(innermost) == DOCUMENTATION:
        return "Django Ninja's own documentation"
    if is_ours(innermost):
        return OUR_OWN_PAGE
    return "files that anybody may read" if module_of(innermost) in _FILES else ""


def _doubt(view: Any) -> str:
    """Why the survey cannot tell: something of Django's may ask for a login."""
    from django.conf import settings

    while view is not None:
        if module_of(view) == _ASKS_FOR_A_LOGIN:
            return "Django asks for a login"
        if getattr(view, "login_required", None) is False:
            return ""
        view = getattr(view, "__wrapped__", None)
    return (
        "Django asks for a login (LoginRequiredMiddleware)"
        if any("LoginRequired" in name for name in settings.MIDDLEWARE)
        else ""
    )
