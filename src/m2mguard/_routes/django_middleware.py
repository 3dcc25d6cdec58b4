"""The middleware of a Django site: its guards, and what above them may answer by itself. Imports Django only where the site has."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

from m2mguard._routes.forwarding import always_calls, inner_functions, returns_nothing, with_methods
from m2mguard._routes.guarding import ObservedRoute, is_forwarding, module_of, replaced_member
from m2mguard._routes.report import RouteReport, own_answers
from m2mguard._routes.wrappers import Seen
from m2mguard._server.route_marks import RouteGuard


def middleware_guards(seen: Seen, prefix: str) -> tuple[Seen, list[RouteReport]]:
    """The guards above a site and in its middleware, and a report for each middleware that may answer before them."""
    from django.conf import settings
    from django.utils.module_loading import import_string

    from m2mguard.django._settings import current
    from m2mguard.django.middleware import M2MGuardMiddleware

    told: list[RouteReport] = []
    every = [import_string(name) for name in settings.MIDDLEWARE]
    for found in every:
        is_class = isinstance(found, type)
        if is_class and issubclass(found, M2MGuardMiddleware):
            settled = current()
            guard = RouteGuard(requirement=settled.requires, server=settled.server, public=settled.exemptions.public)
            seen += (ObservedRoute(guard=guard, root=prefix, above=replaced_member(found)),)
        elif _may_answer(found):
            told += own_answers(prefix, seen, found)
    for found in every:  # Django asks every `process_view` after all middleware has been called
        if _answers(found, "process_view"):
            told += own_answers(prefix, seen, found)
    return seen, told


def with_server(guards: Seen) -> Seen:
    """The same guards with the site's server, where they have none of their own."""
    if not guards:
        return ()
    from m2mguard.django._settings import resource_server

    return tuple(replace(one, guard=replace(one.guard, server=one.guard.server or resource_server())) for one in guards)


def _may_answer(middleware: Any) -> bool:
    """Whether a middleware may answer before the next one is asked."""
    if not isinstance(middleware, type):
        return not is_forwarding(middleware.__module__) and not _is_forwarding_factory(middleware)
    call: Any = middleware.__call__
    names = with_methods(middleware, ["self.get_response", "super().__call__"])
    forwards = is_forwarding(module_of(call)) or always_calls(call, names)
    return not forwards or _answers(middleware, "process_request")


def _answers(middleware: Any, hook: str) -> bool:
    """Whether a method of a middleware that may answer a request does, as far as its code tells."""
    function = getattr(middleware, hook, None)
    return function is not None and not is_forwarding(module_of(function)) and not returns_nothing(function)


def _is_forwarding_factory(factory: Any) -> bool:
    """Whether the middleware that a function makes always goes on to the next one."""
    functions = inner_functions(factory)
    names = list(inspect.signature(factory).parameters)[:1]
    return bool(functions) and all(always_calls(one, names) for one in functions)
