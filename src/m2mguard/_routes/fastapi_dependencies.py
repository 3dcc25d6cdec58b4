"""The dependencies of a FastAPI route. Reads what the application has built; does not import FastAPI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from m2mguard._route_marks import RouteGuard, guards_of
from m2mguard._routes.guarding import guards_around, replaced_member
from m2mguard._routes.report import where_is
from m2mguard._routes.wrappers import is_a
from m2mguard._server.requirement import Requirement


def asked_by_dependencies(dependant: Any, overrides: Mapping[Any, Any]) -> tuple[list[RouteGuard], str]:
    """The guards among the dependencies of a route, with the scopes of `Security(...)`; and what else may ask for something."""
    guards: list[RouteGuard] = []
    doubt = ""
    for one in _tree(dependant, overrides):
        call = overrides.get(one.call, one.call)
        found = guards_around(call, raises=True)
        scopes = [*(getattr(one, "parent_oauth_scopes", None) or ()), *(getattr(one, "own_oauth_scopes", None) or ())]
        scopes = scopes or list(getattr(one, "security_scopes", None) or ())
        guards += found
        if found and scopes:
            guards.append(RouteGuard(requirement=Requirement(scopes=scopes), server=found[0].server))
        doubt = doubt or ("" if found else _doubt(call)) or ("" if call is one.call else _OVERRIDDEN)
    return guards, doubt


_OVERRIDDEN = "a dependency is overridden (dependency_overrides)"


def _doubt(call: Any) -> str:
    """Why a dependency may ask for something, although it is no guard."""
    if guards_of(call):
        name = replaced_member(type(call)) or "code"
        return f"{where_is(call if hasattr(call, '__qualname__') else type(call))} has {name} of its own, which may let anybody pass"
    if is_a(call, "fastapi.security.base", "SecurityBase"):
        return f"{where_is(type(call))} may ask for something"
    return ""


def _tree(dependant: Any, overrides: Mapping[Any, Any]) -> Iterator[Any]:
    """Every dependency below a route; those of an overridden one are not called."""
    for one in dependant.dependencies:
        yield one
        if one.call not in overrides:
            yield from _tree(one, overrides)
