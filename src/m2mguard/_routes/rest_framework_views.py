"""The views of Django REST framework: asked, as the framework asks them, who authenticates and what is permitted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from m2mguard._routes.django_middleware import with_server
from m2mguard._routes.guarding import ObservedRoute, replaced_member, where_is
from m2mguard._routes.report import RouteReport, reports
from m2mguard._routes.wrappers import Seen, replaced_by_user
from m2mguard._server.route_marks import RouteGuard

_DECIDING = ("dispatch", "initial", "initialize_request", "perform_authentication", "check_permissions")


class NeedsRequest(Exception):
    """A view wants to know more of a request than its method."""


class _OnlyMethod:
    """Stands for a request of which only the method is known."""

    def __init__(self, method: str) -> None:
        self.method = method

    def __getattr__(self, name: str) -> Any:
        raise NeedsRequest(name)


def survey_rest_view(view: Any, owner: Any, path: str, shape: str, seen: Seen) -> Iterator[RouteReport]:
    """The reports on a view; a view set has one for each action."""
    actions: dict[str, str] = dict(getattr(view, "actions", None) or {})
    if actions.get("head") == actions.get("get"):
        actions.pop("head", None)
    handlers = actions or {
        name: "" for name in owner.http_method_names if hasattr(owner, name) and name not in ("options", "head")
    }
    told: dict[tuple[Seen, str, str, str], list[str]] = {}
    for method, action in handlers.items():
        told.setdefault((*_asked(view, owner, method, action, actions), action), []).extend(
            ["GET", "HEAD"] if method == "get" and "head" not in handlers else [method.upper()]
        )
    for (guards, doubt, contradiction, action), methods in told.items():
        yield from reports(
            path,
            sorted(methods),
            (*seen, *with_server(guards)),
            where=f"{where_is(owner)}.{action}" if action else where_is(owner),
            doubt=doubt,
            contradiction=contradiction,
            shape=shape,
        )


def _asked(view: Any, owner: Any, method: str, action: str, actions: dict[str, str]) -> tuple[Seen, str, str]:
    """What a view asks of one method: its guards, why the survey cannot tell or "", and what contradicts the guards or ""."""
    from m2mguard.drf import M2MAuthentication

    made = owner(**getattr(view, "initkwargs", {}))
    made.request, made.args, made.kwargs, made.format_kwarg = _OnlyMethod(method.upper()), (), {}, None
    if actions:
        made.action_map = actions
    try:
        authenticators = made.get_authenticators()
    except Exception as error:  # noqa: BLE001  # the user's own code, which may want a request
        return (), f"get_authenticators() raised {type(error).__name__} without a request", ""
    if actions:
        made.action = action  # set only now, as the framework does
    permitted, lenient, doubt = _permitted(made)
    ours = [one for one in authenticators if isinstance(one, M2MAuthentication)]
    server = ours[0].server if ours else None
    replaced = replaced_by_user(made, _DECIDING)
    skipped = where_is(replaced) if replaced is not None else ""
    guards = tuple(
        ObservedRoute(guard=RouteGuard(requirement=one, server=server), above=skipped or lenient) for one in permitted
    )
    first = next((one for one in authenticators if not _is_passed_by(one)), None)
    around = (
        where_is(type(first)) if not isinstance(first, M2MAuthentication) else replaced_member(type(first), raises=True)
    )
    guards += tuple(ObservedRoute(guard=RouteGuard(server=one.server), above=skipped or around) for one in ours)
    if not ours and authenticators and _asks(made):
        doubt = doubt or f"{where_is(type(authenticators[0]))} may ask for something"
    return guards, doubt, "" if permitted else _contradiction(owner, made)


def _is_passed_by(authenticator: object) -> bool:
    """Whether a request without credentials gets past an authenticator to the next one: those of the framework."""
    return type(authenticator).__module__ == "rest_framework.authentication"


def _permitted(made: Any) -> tuple[list[Any], str, str]:
    """The requirements of a view; a permission among them that may decide otherwise, or ""; and why there may be more, or ""."""
    from m2mguard.drf import requirements_of

    try:
        kinds = [type(one) for permission in made.get_permissions() for one in _operands(permission)]
        return requirements_of(made), next((where_is(kind) for kind in kinds if replaced_member(kind)), ""), ""
    except Exception as error:  # noqa: BLE001  # the user's own code, which may want a request
        return [], "", f"get_permissions() raised {type(error).__name__} without a request"


def _operands(permission: Any) -> Iterator[Any]:
    """The permissions that a combined one is made of, or the one alone."""
    operands = [getattr(permission, name) for name in ("op1", "op2") if hasattr(permission, name)]
    for one in operands:
        yield from _operands(one)
    if not operands:
        yield permission


def _contradiction(owner: Any, made: Any) -> str:
    """What a view of its own accord says against the token that its authentication class asks for."""
    from rest_framework.views import APIView

    names = [getattr(one, "__name__", "") for one in made.permission_classes]
    is_default = (
        made.permission_classes is APIView.permission_classes or owner.get_permissions is not APIView.get_permissions
    )
    if is_default or names != ["AllowAny"]:
        return ""
    return "its permission is AllowAny; if every application may call it, say so: IsAuthenticated"


def _asks(made: Any) -> bool:
    """Whether some permission of the view is not Django REST framework's `AllowAny`."""
    return any(getattr(one, "__name__", "") != "AllowAny" for one in made.permission_classes)
