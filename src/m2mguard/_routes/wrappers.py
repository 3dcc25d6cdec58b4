"""Middleware around an application, a mount or a route: its guards, and whether it may answer by itself. Imports no framework."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterator
from typing import Any

from m2mguard._asgi.scope import no_application
from m2mguard._routes.forwarding import always_calls, with_methods
from m2mguard._routes.guarding import ObservedRoute, guards_around, is_forwarding, module_of
from m2mguard._routes.report import RouteReport, own_answers

Seen = tuple[ObservedRoute, ...]
"""The guards on the way to something, the outermost first."""
Survey = Callable[[Any, Seen, str], Iterator[RouteReport]]
"""Surveys an application of any kind: what is mounted, the guards above it, and its path."""


def is_a(thing: object, module: str, name: str) -> bool:
    """Whether a thing is of a framework's class, where the framework is there at all."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(thing, kind)


def inner_of(wrapper: object) -> Any:
    """The application that a wrapper is around, or None."""
    names = ("app", "wsgi_app", "wsgi_application", "application")
    there = [name for name in names if name in getattr(wrapper, "__dict__", ()) or hasattr(type(wrapper), name)]
    return next((found for name in there if (found := getattr(wrapper, name, None)) is not None), None)


def unwrap(app: Any, seen: Seen, root: str, is_innermost: Callable[[Any], bool]) -> tuple[Any, Seen, list[RouteReport]]:
    """Go through the wrappers around an application, from the outside.

    Returns:
        The innermost application, the guards on the way to it, and a report for each wrapper that may answer by itself.
    """
    told: list[RouteReport] = []
    while not is_innermost(app) and inner_of(app) is not None:
        guards = guards_around(app, root=root)
        if not guards and may_answer(app):
            told += own_answers(root, seen, _function_of(app))
        seen += guards
        app = inner_of(app)
    return app, seen, told


def may_answer(wrapper: object) -> bool:
    """Whether a wrapper may answer a request by itself, or send it to another application."""
    kind = type(wrapper)
    if is_a(wrapper, "starlette.middleware.base", "BaseHTTPMiddleware"):
        return _may_answer_as_dispatch(getattr(wrapper, "dispatch_func", None)) or _is_replaced(kind, "__call__")
    inner = inner_of(wrapper)
    names = [f"self.{name}" for name, value in getattr(wrapper, "__dict__", {}).items() if value is inner]
    return not is_forwarding(_module_called(kind)) and not always_calls(kind.__call__, with_methods(kind, names))


def middleware_may_answer(cls: Any, options: Collection[object]) -> bool:
    """The same for middleware of Starlette's that is not built yet: a class or factory, and the arguments that it will be given."""
    base = getattr(sys.modules.get("starlette.middleware.base"), "BaseHTTPMiddleware", None)
    if not isinstance(cls, type):
        return True
    if base is not None and issubclass(cls, base):
        functions = (
            [one for one in options if inspect.isroutine(one)] if cls is base else [getattr(cls, "dispatch", None)]
        )
        return any(map(_may_answer_as_dispatch, functions)) or _is_replaced(cls, "__call__")
    return not is_forwarding(_module_called(cls)) and not always_calls(cls.__call__, with_methods(cls, ["self.app"]))


def guards_of_middleware(middleware: Any, root: str = "") -> Seen:
    """The guards that a middleware will have, once the application is built: it is built here alone, around nothing."""
    from m2mguard.asgi import BearerAuthMiddleware

    if not (inspect.isclass(middleware.cls) and issubclass(middleware.cls, BearerAuthMiddleware)):
        return ()
    return guards_around(middleware.cls(no_application, *middleware.args, **middleware.kwargs), root=root)


def _module_called(kind: type) -> str:
    """The module of the code that runs when an instance is called."""
    return module_of(kind.__call__) or kind.__module__


def replaced_by_user(thing: object, names: Collection[str]) -> Any:
    """The first of a framework's methods that the class of a thing has its own of, which may not call the framework's; or None."""
    return next((getattr(type(thing), name) for name in names if _is_replaced(type(thing), name)), None)


def _is_replaced(kind: type, name: str) -> bool:
    member = getattr(kind, name, None)
    known = member is None or is_forwarding(module_of(member) or str(getattr(member, "__module__", "")))
    return not known and not always_calls(member, [f"super().{name}"])


def _may_answer_as_dispatch(function: Any) -> bool:
    """Whether a `dispatch(request, call_next)` of Starlette's BaseHTTPMiddleware may answer by itself."""
    if function is None or is_forwarding(module_of(function)):
        return False
    return not always_calls(function, list(inspect.signature(function).parameters)[-1:])


def _function_of(wrapper: Any) -> object:
    function = getattr(wrapper, "dispatch_func", None)
    return function if inspect.isfunction(function) else type(wrapper)
