"""Which guards does a request certainly meet? And what is around a guard that may answer before it?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from m2mguard._routes.forwarding import always_calls
from m2mguard._server.route_marks import RouteGuard, guards_of

_OURS = "m2mguard."
_FORWARDING = (
    "a2wsgi.", "asgiref.", "corsheaders.", "ddtrace.", "django.", "fastapi.", "flask.", "litestar.", "opentelemetry.", "rest_framework.",
    "sentry_sdk.", "starlette.", "uvicorn.", "werkzeug.", "whitenoise.",
)  # fmt: skip
# A cache, or another application.
_ANSWERING = ("django.middleware.cache", "django.utils.decorators", "werkzeug.middleware.")
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


def guards_around(target: object, *, root: str = "", raises: bool = False) -> tuple[ObservedRoute, ...]:
    """The guards of a middleware or dependency. Where other code than m2mguard's decides, that code is above them.

    Args:
        target: the middleware or dependency.
        root: as for `ObservedRoute`.
        raises: it raises to refuse a request, so that a method which always calls that of m2mguard is as good.
    """
    kind = type(target)
    above = replaced_member(kind, raises=raises)
    if not is_ours(target) and not any(map(is_ours, kind.__mro__)):  # it has got the mark of another
        above = where_is(target)
    return tuple(ObservedRoute(guard=one, root=root, above=above) for one in guards_of(target))


def replaced_member(kind: type, *, raises: bool = False) -> str:
    """The method that a subclass has in the place of m2mguard's, by its module and name; "" where there is none."""
    kinds = kind.__mro__
    first = next((index for index, one in enumerate(kinds) if is_ours(one)), 0)
    methods = {name for one in kinds[first:] if is_ours(one) for name, member in vars(one).items() if callable(member)}
    return next((name for one in kinds[:first] for name in _replaced(one, methods - _HARMLESS, raises=raises)), "")


def _replaced(kind: type, methods: Collection[str], *, raises: bool) -> Iterator[str]:
    for name, member in vars(kind).items():
        if name in methods and not (raises and always_calls(member, [f"super().{name}"], raises=True)):
            yield f"{where_is(kind)}.{name}"


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


def where_is(served: object) -> str:
    """The module and name of a function or class, without what its decorators add."""
    inner: object = served
    unwrap: Callable[[object], object] = lambda one: getattr(one, "__wrapped__", None)  # noqa: E731
    while unwrap(inner) is not None:
        inner = unwrap(inner)
    name = getattr(inner, "__qualname__", None) or type(inner).__qualname__
    return f"{getattr(inner, '__module__', None) or type(inner).__module__}:{name}"
