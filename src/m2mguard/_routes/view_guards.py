"""The guards of a view: on the function, on the method that dispatches in a class, and on the handler of one HTTP method."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from m2mguard._routes.forwarding import always_calls, free_variables
from m2mguard._routes.guarding import ObservedRoute, is_forwarding, is_ours, module_of
from m2mguard._server.route_marks import guards_of

_DISPATCHING = {
    "django.views.generic.base": "dispatch",
    "rest_framework.viewsets": "dispatch",
    "flask.views": "dispatch_request",
}
"""The module of what `as_view()` returns, and the method of the class that it calls."""


_RAISING = "m2mguard.flask."
"""Its guards raise to refuse a request; those of `m2mguard.django` return the answer."""


class _Layer(NamedTuple):
    """One function of those around each other, and how its code may write the next one inside."""

    function: Any
    names: list[str]


def guards_of_view(view: Any) -> tuple[ObservedRoute, ...]:
    """The guards of a view or hook, the outermost first, each with what is around it that may answer before it."""
    return _walk(_layers(view, "")) or tuple(
        ObservedRoute(guard=one, above="what hides its guard") for one in guards_of(view)
    )


def guards_of_handler(owner: type, dispatch: str, handler: Any) -> tuple[ObservedRoute, ...]:
    """The guards of one handler of a class, such as `get`, alone.

    Args:
        owner: the class.
        dispatch: the name of the method that calls the handlers.
        handler: the handler.
    """
    return _walk([*_of_method(owner, dispatch), *_layers(handler, "")]) or guards_of_view(handler)


def by_handler(owner: Any, methods: Iterable[str]) -> dict[Any, list[str]]:
    """The methods that each handler of a class serves; HEAD is served by `get` where there is no `head`."""
    found: dict[Any, list[str]] = {}
    for method in methods:
        handler = getattr(owner, method.lower(), None)
        if handler is None and method == "HEAD":
            handler = getattr(owner, "get", None)
        found.setdefault(handler, []).append(method)
    return found


def answering_around(view: Any) -> str:
    """The first function around a view that may answer before it; "" where there is none."""
    return next((_describe(one) for one, names in _layers(view, "") if _may_answer(one, names, raises=False)), "")


def _walk(layers: Iterable[_Layer]) -> tuple[ObservedRoute, ...]:
    """The guards among functions around each other, the outermost first, each with what is around it that may answer."""
    functions = list(layers)
    raises = any(module_of(one.function).startswith(_RAISING) for one in functions)
    found: list[ObservedRoute] = []
    around = ""
    for function, names in functions:
        if module_of(function).startswith("m2mguard."):
            found += [ObservedRoute(guard=one, above=around) for one in guards_of(function)[-1:]]  # the last is its own
        elif not around and _may_answer(function, names, raises=raises):
            around = _describe(function)
    return tuple(found)


def _describe(function: Any) -> str:
    return f"a function of {module_of(function) or type(function).__module__}"


def _may_answer(function: Any, names: list[str], *, raises: bool) -> bool:
    before = free_variables(function).get("_pre_process_request")  # of Django's `csrf_protect` and its like
    middleware = free_variables(before).get("middleware")
    module = module_of(function) if middleware is None else type(middleware).__module__
    return not is_forwarding(module) and not always_calls(function, names, raises=raises)


def _layers(view: Any, method: str) -> Iterator[_Layer]:
    """The functions around each other, as `functools.wraps` tells; the innermost, which is served, only if it is a method.

    Args:
        view: the outermost.
        method: the name of the method that the innermost is, and that may call the one it overrides; "" for a plain function.
    """
    owner = None
    while view is not None:
        if isinstance(view, partial):
            view = view.func
            continue
        owner = getattr(view, "view_class", None) or getattr(view, "cls", None) or owner
        dispatch = _DISPATCHING.get(module_of(view))
        if owner is not None and dispatch is not None and not method:
            yield from _of_method(owner, dispatch)
            return
        decorators = _method_decorators(view)
        for decorator in decorators:
            decorated = lambda *_: None  # noqa: E731  # stands for the method
            function = decorator(decorated)
            yield _Layer(function, [name for name, value in free_variables(function).items() if value is decorated])
        inner = free_variables(view)["method"] if decorators else getattr(view, "__wrapped__", None)
        names = [name for name, value in free_variables(view).items() if value is inner]
        if not decorators and (inner is not None or method or is_ours(view)):
            yield _Layer(view, names if inner is not None else [f"super().{method}"])
        view = inner


def _of_method(owner: type, name: str) -> Iterator[_Layer]:
    """The methods of this name of a class and those it inherits from."""
    for kind in owner.__mro__:
        if name in vars(kind):
            yield from _layers(vars(kind)[name], name)


def _method_decorators(function: Any) -> list[Any]:
    """The decorators of Django's `method_decorator`, the outermost first."""
    is_one = module_of(function) == "django.utils.decorators"
    return list(reversed(free_variables(function).get("decorators", ()))) if is_one else []
