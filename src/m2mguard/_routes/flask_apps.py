"""The URL rules of a Flask application. Reads what the application has built; does not import Flask."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from m2mguard._route_marks import RouteGuard, guards_of
from m2mguard._routes.report import ObservedRoute, RouteReport, above_guard, guards_around, reports, where_is

_NEVER_SERVED = (
    "every request to it ends in an error: the guard is above the route, where the application does not see it"
)


def is_flask(app: object) -> bool:
    """Whether this is a Flask application."""
    flask = sys.modules.get("flask")
    return flask is not None and isinstance(app, flask.Flask)


def survey_flask(app: Any, seen: tuple[ObservedRoute, ...] = ()) -> Iterator[RouteReport]:
    """Every rule, with the guards of the middleware, the application, the blueprint and the view."""
    from m2mguard.flask import EXTENSION, METADATA_ENDPOINT

    server = app.extensions.get(EXTENSION)
    outer = (*seen, *_around(app.wsgi_app))
    for rule in app.url_map.iter_rules():
        view = app.view_functions.get(rule.endpoint)
        hooks = [
            hook for name in (None, *_blueprints(rule.endpoint)) for hook in app.before_request_funcs.get(name, ())
        ]
        before = [_with(guard, server) for hook in hooks for guard in guards_of(hook)]
        before += [replace(_with(guard, server), above=above_guard(view)) for guard in guards_of(view)]
        methods = sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"}) or sorted(rule.methods or ())
        doubt = _NEVER_SERVED if any(id(view) in _without_guard(hook) for hook in hooks) else ""
        purpose = {"static": "files that anybody may read", METADATA_ENDPOINT: "the API's metadata (RFC 9728)"}
        yield from _by_method(
            rule.rule,
            methods,
            view,
            (*outer, *before),
            doubt,
            purpose.get(rule.endpoint, ""),
        )


def _by_method(
    path: str, methods: list[str], view: Any, seen: tuple[ObservedRoute, ...], doubt: str, purpose: str
) -> Iterator[RouteReport]:
    """One report, or one for each method of a class that guards its methods one by one."""
    owner = getattr(view, "view_class", None)
    single = (
        {method: guards_of(getattr(owner, method.lower(), None)) for method in methods} if owner is not None else {}
    )
    if any(single.values()):
        for method, guards in single.items():
            found = (*seen, *(ObservedRoute(guard=guard) for guard in guards))
            yield from reports(
                path, (method,), found, where=where_is(getattr(owner, method.lower(), owner)), doubt=doubt
            )
        return
    yield from reports(path, methods, seen, where=where_is(owner or view), doubt=doubt, open_on_purpose=purpose)


def _with(guard: RouteGuard, server: Any) -> ObservedRoute:
    return ObservedRoute(
        guard=guard
        if guard.server is not None
        else RouteGuard(requirement=guard.requirement, server=server, public=guard.public)
    )


def _around(app: Any) -> Iterator[ObservedRoute]:
    while app is not None:
        yield from (ObservedRoute(guard=guard) for guard in guards_around(app))
        app = getattr(app, "app", None) or getattr(app, "wsgi_app", None)


def _blueprints(endpoint: str) -> list[str]:
    names = endpoint.split(".")[:-1]
    return [".".join(names[: index + 1]) for index in range(len(names))]


def _without_guard(hook: object) -> dict[int, object]:
    from m2mguard.flask import WITHOUT_GUARD

    found: dict[int, object] = getattr(hook, WITHOUT_GUARD, {})
    return found
