"""Which guards does a request certainly meet? And what is around a guard that may answer before it?"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from m2mguard._route_marks import RouteGuard, guards_of
from m2mguard._routes.forwarding import always_calls

_OURS = "m2mguard."
_FORWARDING = (
    "a2wsgi.", "asgiref.", "corsheaders.", "django.", "fastapi.", "flask.", "rest_framework.",
    "starlette.", "uvicorn.", "werkzeug.",
)  # fmt: skip
_ANSWERING = (
    "django.middleware.cache",
    "django.utils.decorators",
    "werkzeug.middleware.",
)  # a cache, or another application
_HARMLESS = frozenset(("__init__", "__eq__", "__hash__", "__repr__", "authenticate_header", "responses"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedRoute:
    """A guard on the way to a route, and the part of the path that the application below it does not see.

    Attributes:
        guard: the guard.
        root: the path of the application that it guards; its public paths begin there.
        above: what is around the guard and may answer before it, such as a decorator of the user's own; "" where nothing is.
    """

    guard: RouteGuard
    root: str = ""
    above: str = ""


def guards_around(target: object, *, raises: bool = False) -> tuple[RouteGuard, ...]:
    """The guards of a middleware or dependency, if m2mguard's own code decides: a subclass may let anybody pass.

    Args:
        target: the middleware or dependency.
        raises: it raises to refuse a request, so that a method which always calls that of m2mguard is as good.
    """
    kind = type(target)
    trusted = any(map(is_ours, kind.__mro__)) and not replaced_member(kind, raises=raises)
    return guards_of(target) if trusted else ()


def replaced_member(kind: type, *, raises: bool = False) -> str:
    """The method of m2mguard that a subclass replaces; "" where there is none. Arguments as `guards_around`."""
    kinds = kind.__mro__
    first = next((index for index, one in enumerate(kinds) if is_ours(one)), 0)
    methods = {name for one in kinds[first:] if is_ours(one) for name, member in vars(one).items() if callable(member)}
    return next((name for one in kinds[:first] for name in _replaced(one, methods - _HARMLESS, raises=raises)), "")


def _replaced(kind: type, methods: Collection[str], *, raises: bool) -> Iterator[str]:
    for name, member in vars(kind).items():
        if name in methods and not (raises and always_calls(member, [f"super().{name}"], raises=True)):
            yield name


def is_ours(served: object) -> bool:
    """Whether m2mguard itself defines a class or function."""
    return (module_of(served) or str(getattr(served, "__module__", ""))).startswith(_OURS)


def is_forwarding(module: str) -> bool:
    """Whether what a module defines answers no request in a route's place, other than to refuse it."""
    return f"{module}.".startswith((_OURS, *_FORWARDING)) and not f"{module}.".startswith(_ANSWERING)


def module_of(function: object) -> str:
    """The module whose code a function runs; `functools.wraps` gives it the name of another."""
    names = getattr(getattr(function, "__func__", function), "__globals__", None)
    return str(names.get("__name__", "")) if isinstance(names, dict) else ""
