"""The mark that each adapter puts on what protects a route, so that a survey of routes can read what it asks for. Data only.

Nothing reads a mark while a request is served.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard.paths import PublicPaths

MARK: Final = "__m2mguard__"
"""The attribute of a middleware, dependency, hook or view that holds its `RouteGuard`, or several of them, the innermost first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteGuard:
    """What one guard asks of every request that it sees.

    Attributes:
        requirement: what the caller must meet; None means any good token of an application.
        server: which server verifies; None: the framework's own, known at the request.
        public: the paths that need no token, or None.
        preflights: whether CORS preflights pass to the application without a token.
    """

    requirement: Requirement | None = None
    server: ResourceServer | None = None
    public: PublicPaths | None = None
    preflights: bool = False


def mark(target: object, guard: RouteGuard) -> None:
    """Put a guard on a target, beside those that are there."""
    setattr(target, MARK, (*guards_of(target), guard))


def guards_of(target: object) -> tuple[RouteGuard, ...]:
    """The guards that a target is marked with."""
    found: tuple[RouteGuard, ...] = getattr(target, MARK, ())
    return found
