"""The URL patterns of a Django site, Django REST framework's views among them. Imports Django only where the site has."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from m2mguard._route_marks import RouteGuard, guards_of
from m2mguard._routes.report import ObservedRoute, RouteReport, above_guard, reports, where_is

_ASKS_FOR_A_LOGIN = "django.contrib.auth.decorators"
_ANY_METHOD: tuple[str, ...] = ()


def is_django() -> bool:
    """Whether this process has a configured Django site."""
    conf = sys.modules.get("django.conf")
    return conf is not None and bool(conf.settings.configured)


def survey_django(seen: tuple[ObservedRoute, ...] = ()) -> Iterator[RouteReport]:
    """Every URL pattern, with the guards of the middleware, the view and its class."""
    from django.urls import get_resolver

    yield from _patterns(get_resolver().url_patterns, "/", (*seen, *_middleware()))


def _middleware() -> Iterator[ObservedRoute]:
    from django.conf import settings
    from django.utils.module_loading import import_string

    from m2mguard.django._settings import current
    from m2mguard.django.middleware import M2MGuardMiddleware

    for name in settings.MIDDLEWARE:
        found = import_string(name)
        if (
            isinstance(found, type)
            and issubclass(found, M2MGuardMiddleware)
            and _is_unchanged(found, M2MGuardMiddleware)
        ):
            configuration = current()
            yield ObservedRoute(
                guard=RouteGuard(
                    requirement=configuration.requires,
                    server=configuration.server,
                    public=configuration.exemptions.public,
                )
            )


def _is_unchanged(kind: type, base: type) -> bool:
    """Whether a subclass serves requests as its base does: one with a method of its own may let anybody pass."""
    return not any(
        callable(member) and hasattr(base, name)
        for one in kind.__mro__
        for name, member in vars(one).items()
        if issubclass(one, base) and one is not base and name != "__init__"
    )


def _patterns(patterns: Any, prefix: str, seen: tuple[ObservedRoute, ...]) -> Iterator[RouteReport]:
    for one in patterns:
        path = prefix + str(one.pattern).removeprefix("^").removesuffix("$")
        if hasattr(one, "url_patterns"):
            if getattr(one, "app_name", None) == "admin":
                yield from reports(
                    path,
                    _ANY_METHOD,
                    seen,
                    where="django.contrib.admin",
                    open_on_purpose="Django's admin, which asks for a login",
                )
            else:
                yield from _patterns(one.url_patterns, path, seen)
        else:
            yield from _view(one.callback, path, seen)


def _view(view: Any, path: str, seen: tuple[ObservedRoute, ...]) -> Iterator[RouteReport]:
    found = (*seen, *(replace(one, above=above_guard(view)) for one in _seen(guards_of(view))))
    rest = getattr(view, "cls", None)
    if rest is not None and hasattr(rest, "authentication_classes"):
        yield from _rest_view(view, rest, path, found)
        return
    owner = getattr(view, "view_class", None)
    doubt = _doubt(view)
    if owner is None:
        yield from reports(path, _ANY_METHOD, found, where=where_is(view), doubt=doubt)
        return
    names = [name.upper() for name in owner.http_method_names if hasattr(owner, name) and name != "options"]
    single = {name: guards_of(getattr(owner, name.lower())) for name in names}
    if any(single.values()):
        for name, guards in single.items():
            yield from reports(
                path, (name,), (*found, *_seen(guards)), where=where_is(getattr(owner, name.lower())), doubt=doubt
            )
        return
    yield from reports(path, sorted(set(names) - {"HEAD"}), found, where=where_is(owner), doubt=doubt)


def _seen(guards: tuple[RouteGuard, ...]) -> tuple[ObservedRoute, ...]:
    from m2mguard.django._settings import resource_server

    return tuple(
        ObservedRoute(
            guard=RouteGuard(requirement=one.requirement, server=one.server or resource_server(), public=one.public)
        )
        for one in guards
    )


def _doubt(view: Any) -> str:
    """Why the survey cannot tell: something of Django's may ask for a login."""
    from django.conf import settings

    while view is not None:
        if getattr(view, "__globals__", {}).get("__name__") == _ASKS_FOR_A_LOGIN:
            return "Django asks for a login"
        if getattr(view, "login_required", None) is False:
            return ""
        view = getattr(view, "__wrapped__", None)
    return (
        "Django asks for a login (LoginRequiredMiddleware)"
        if any("LoginRequired" in name for name in settings.MIDDLEWARE)
        else ""
    )


def _rest_view(view: Any, owner: Any, path: str, seen: tuple[ObservedRoute, ...]) -> Iterator[RouteReport]:
    """A view of Django REST framework; a view set has one report for each action."""
    actions: dict[str, str] = dict(getattr(view, "actions", None) or {})
    if not actions:
        names = [name for name in owner.http_method_names if hasattr(owner, name) and name not in ("options", "head")]
        actions = dict.fromkeys(names, "")
    told: dict[tuple[Any, ...], list[str]] = {}
    for method, action in actions.items():
        if method != "head":
            guards, doubt = _of_rest(view, owner, method, action)
            told.setdefault((guards, doubt, action), []).append(method.upper())
    for (guards, doubt, action), methods in told.items():
        where = f"{where_is(owner)}.{action}" if action else where_is(owner)
        yield from reports(
            path,
            sorted(methods),
            (*seen, *_seen(guards)),
            where=where,
            doubt=doubt,
            contradiction=_contradiction(owner, guards),
        )


def _contradiction(owner: Any, guards: tuple[RouteGuard, ...]) -> str:
    """What a view of its own accord says against the token that its authentication class asks for."""
    from rest_framework.views import APIView

    names = [getattr(one, "__name__", "") for one in owner.permission_classes]
    is_default = (
        owner.permission_classes is APIView.permission_classes or owner.get_permissions is not APIView.get_permissions
    )
    if is_default or names != ["AllowAny"] or any(one.requirement for one in guards):
        return ""
    return "its permission is AllowAny; if every application may call it, say so: IsAuthenticated"


def _of_rest(view: Any, owner: Any, method: str, action: str) -> tuple[tuple[RouteGuard, ...], str]:
    """The guards of one method, and why the survey cannot tell."""
    from m2mguard.drf import M2MAuthentication, requirements_of

    made = owner(**getattr(view, "initkwargs", {}))
    made.args, made.kwargs, made.format_kwarg = (), {}, None
    try:
        authenticators = _authenticators(made, method)
    except Exception as error:  # noqa: BLE001  # the user's own code, which may want more of a request
        return (), f"get_authenticators() raised {type(error).__name__} for a request that is only a method"
    ours = [one for one in authenticators if isinstance(one, M2MAuthentication)]
    if not ours:
        return (), f"{where_is(type(authenticators[0]))} may ask for something" if authenticators and _asks(
            made
        ) else ""
    if type(ours[0]).authenticate is not M2MAuthentication.authenticate:
        return (), f"{where_is(type(ours[0]))} has its own authenticate(), which may let anybody pass"
    guard = RouteGuard(server=ours[0].server)
    made.action, made.request = action or None, None
    try:
        asked = requirements_of(made)
    except Exception as error:  # noqa: BLE001  # as above
        return (guard,), f"get_permissions() raised {type(error).__name__} without a request"
    return (guard, *(RouteGuard(requirement=one, server=guard.server) for one in asked)), ""


def _authenticators(made: Any, method: str) -> list[Any]:
    """What authenticates a request of a method, asked for as Django REST framework does it: before the action is known."""
    from django.http import HttpRequest

    made.request = HttpRequest()
    made.request.method = method.upper()
    found: list[Any] = list(made.get_authenticators())
    return found


def _asks(made: Any) -> bool:
    """Whether some permission of the view is not Django REST framework's `AllowAny`."""
    return any(getattr(one, "__name__", "") != "AllowAny" for one in made.permission_classes)
