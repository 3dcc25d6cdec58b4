"""The URL rules of a Flask application. Reads what the application has built; does not import Flask."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from m2mguard._routes.forwarding import returns_nothing
from m2mguard._routes.guarding import ObservedRoute, is_ours, module_of, where_is
from m2mguard._routes.report import OUR_OWN_PAGE, RouteReport, own_answers, reports
from m2mguard._routes.view_guards import by_handler, guards_of_handler, guards_of_view
from m2mguard._routes.wrappers import Seen, Survey, replaced_by_user
from m2mguard._server.route_marks import guards_of

_NEVER_SERVED = (
    "every request to it ends in an error: the guard is above the route, where the application does not see it"
)
_DECIDING = ("__call__", "wsgi_app", "full_dispatch_request", "preprocess_request", "dispatch_request")


def is_flask(app: object) -> bool:
    """Whether this is a Flask application."""
    flask = sys.modules.get("flask")
    return flask is not None and isinstance(app, flask.Flask)


def survey_flask(app: Any, seen: Seen, prefix: str, survey: Survey) -> Iterator[RouteReport]:
    """Every rule, with the guards of the middleware, the application, the blueprint and the view; and what the middleware serves."""
    replaced = replaced_by_user(app, _DECIDING)
    if replaced is not None:
        yield from own_answers(prefix, seen, replaced)
    yield from survey(app.wsgi_app, seen, prefix)


def survey_rules(app: Any, seen: Seen, prefix: str) -> Iterator[RouteReport]:
    """Every rule of an application whose middleware has been seen."""
    answering: dict[int, Any] = {}
    for rule in app.url_map.iter_rules():
        if not rule.build_only:
            yield from _rule(app, rule, seen, prefix, answering)
    for hook in answering.values():
        yield from own_answers(prefix, seen, hook)


def _rule(app: Any, rule: Any, seen: Seen, prefix: str, answering: dict[int, Any]) -> Iterator[RouteReport]:
    from m2mguard.flask._request import EXTENSION

    server = app.extensions.get(EXTENSION)
    view = app.view_functions.get(rule.endpoint)
    hooks = [hook for name in (None, *_blueprints(rule.endpoint)) for hook in app.before_request_funcs.get(name, ())]
    found = seen
    for hook in hooks:
        guards = guards_of_view(hook)
        found += tuple(_with(guard, server, prefix) for guard in guards)
        is_certain = is_ours(hook) or any(not one.above and one.guard.public is None for one in found)
        if not guards and not is_certain and not returns_nothing(hook):
            answering[id(hook)] = hook
    found += tuple(_with(guard, server, prefix) for guard in guards_of_view(view))
    given = set(rule.methods or ())
    automatic = {"OPTIONS"} if getattr(rule, "provide_automatic_options", False) else set()
    doubt = _NEVER_SERVED if any(id(view) in _without_guard(hook) for hook in hooks) else ""
    methods = sorted(given - automatic) or sorted(given)
    yield from _by_method(prefix + rule.rule, methods, view, found, doubt, server)


def _by_method(path: str, methods: list[str], view: Any, seen: Seen, doubt: str, server: Any) -> Iterator[RouteReport]:
    """One report, or one for each method of a class that guards its methods one by one."""
    owner: Any = getattr(view, "view_class", None)
    handlers = by_handler(owner, methods)
    if not any(map(guards_of, handlers)):
        yield from reports(
            path, methods, seen, where=where_is(owner or view), doubt=doubt, open_on_purpose=_purpose(view)
        )
        return
    for handler, served in handlers.items():
        guards = guards_of_handler(owner, "dispatch_request", handler)
        found = (*seen, *(_with(one, server, "") for one in guards))
        yield from reports(path, served, found, where=where_is(handler or owner), doubt=doubt)


def _purpose(view: Any) -> str:
    """Why a view is open on purpose; "" for one of the user's."""
    if is_ours(view) and not guards_of(view):
        return OUR_OWN_PAGE
    is_flasks = module_of(view).startswith("flask.") and not hasattr(view, "view_class")
    return "files that anybody may read" if is_flasks and not hasattr(view, "__wrapped__") else ""


def _with(one: ObservedRoute, server: Any, root: str) -> ObservedRoute:
    """The guard with the application's path, and its server, which verifies whatever server the guard was made with."""
    return replace(one, root=root, guard=replace(one.guard, server=server or one.guard.server))


def _blueprints(endpoint: str) -> list[str]:
    names = endpoint.split(".")[:-1]
    return [".".join(names[: index + 1]) for index in range(len(names))]


def _without_guard(hook: object) -> dict[int, object]:
    from m2mguard.flask._extension import WITHOUT_GUARD

    found: dict[int, object] = getattr(hook, WITHOUT_GUARD, {})
    return found
