"""`@requires`: what a Django view asks of its caller."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest

from m2mguard._server.requirement import HasUrl, Requirement
from m2mguard._server.route_marks import RouteGuard, mark
from m2mguard.django._guard import aauthenticate_request, authenticate_request
from m2mguard.django._settings import resource_server

P = ParamSpec("P")
R = TypeVar("R")


def requires(
    *scopes: str,
    any_scope: Collection[str] = (),
    app_ids: Collection[str] = (),
    organization: str | Callable[[HttpRequest], str | None] | None = None,
    issuers: Collection[str | HasUrl] = (),
    max_age: int | None = None,
    acr: str | Collection[str] = (),
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Protect a view, sync or async: the Caller is at `request.auth`, or the view is not called.

    For a class-based view: `@method_decorator(requires("read:orders"), name="dispatch")`, or around `as_view()`. The view is
    exempt from CSRF protection and from `LoginRequiredMiddleware`, since its credential is a header that no browser adds by
    itself. `request.user` is left alone. Requirements of several decorators, and of the middleware, add up.

    Args:
        scopes: every one of these must be granted.
        any_scope: as for `Requirement`.
        app_ids: as for `Requirement`.
        organization: as for `Requirement`. A callable is given the HttpRequest, with its `resolver_match`.
        issuers: as for `Requirement`.
        max_age: as for `Requirement`.
        acr: as for `Requirement`.

    Raises:
        ConfigurationError: an invalid value.
    """
    requirement = Requirement(
        scopes=scopes,
        any_scope=any_scope,
        app_ids=app_ids,
        organization=organization,
        issuers=issuers,
        max_age=max_age,
        acr=acr,
    )

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        if _is_async(view):

            @wraps(view)
            async def guarded_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                refusal = await aauthenticate_request(_request(args), resource_server(), requirement)
                return refusal or await cast(Callable[P, Awaitable[Any]], view)(*args, **kwargs)

            guarded = cast(Callable[P, R], guarded_async)
        else:

            @wraps(view)
            def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
                refusal = authenticate_request(_request(args), resource_server(), requirement)
                return cast(R, refusal) if refusal else view(*args, **kwargs)

        mark(guarded, RouteGuard(requirement=requirement))
        guarded.csrf_exempt = True  # type: ignore[attr-defined]
        guarded.login_required = False  # type: ignore[attr-defined]
        return guarded

    return decorate


def _is_async(view: Callable[..., object]) -> bool:
    """Tell an async view; `dispatch` of an async class is a plain method that returns a coroutine."""
    owner = getattr(getattr(view, "func", view), "__self__", None)
    return iscoroutinefunction(view) or bool(getattr(owner, "view_is_async", False))


def _request(args: tuple[object, ...]) -> HttpRequest:
    if not args or not isinstance(args[0], HttpRequest):
        raise TypeError("requires() is for views that take an HttpRequest first; on a method, use method_decorator")
    return args[0]
