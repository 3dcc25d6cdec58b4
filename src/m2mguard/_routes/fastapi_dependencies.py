"""The dependencies of a FastAPI route. Reads what the application has built; does not import FastAPI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from m2mguard._routes.guarding import ObservedRoute, guards_around, where_is
from m2mguard._routes.wrappers import is_a
from m2mguard._server.requirement import Requirement
from m2mguard._server.route_marks import RouteGuard


def asked_by_dependencies(dependant: Any, overrides: Mapping[Any, Any]) -> tuple[list[ObservedRoute], str]:
    """The guards among the dependencies of a route, with the scopes of `Security(...)`; and what else may ask for something."""
    guards: list[ObservedRoute] = []
    doubt = ""
    for one in _tree(dependant, overrides):
        call = overrides.get(one.call, one.call)
        found = guards_around(call, raises=True)
        scopes = [*(getattr(one, "parent_oauth_scopes", None) or ()), *(getattr(one, "own_oauth_scopes", None) or ())]
        scopes = scopes or list(getattr(one, "security_scopes", None) or ())
        guards += found
        if found and scopes:
            asked = RouteGuard(requirement=Requirement(scopes=scopes), server=found[0].guard.server)
            guards.append(replace(found[0], guard=asked))
        if call is not one.call:
            doubt = "a dependency is overridden (dependency_overrides)"
        elif not found and is_a(call, "fastapi.security.base", "SecurityBase"):
            doubt = f"{where_is(type(call))} may ask for something"
    return guards, doubt


def _tree(dependant: Any, overrides: Mapping[Any, Any]) -> Iterator[Any]:
    """Every dependency below a route; those of an overridden one are not called."""
    for one in dependant.dependencies:
        yield one
        if one.call not in overrides:
            yield from _tree(one, overrides)
