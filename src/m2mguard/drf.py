"""Django REST framework's side: an authentication class, permissions, and both in the schema. `request.auth` is the Caller.

Nothing is decided about tokens or answers here. The site's ResourceServer is that of `m2mguard.django`.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

try:
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.exceptions import APIException
    from rest_framework.permissions import AND, OR, BasePermission
    from rest_framework.request import Request
except ImportError as _missing:
    raise ImportError('m2mguard.drf needs Django REST framework: pip install "m2mguard[drf]"') from _missing

from m2mguard._server.requirement import ANY_ORGANIZATION, HasUrl, Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard.caller import Caller
from m2mguard.certificates import CertificateReader
from m2mguard.django import resource_server
from m2mguard.django._settings import current
from m2mguard.errors import AnswerableError, ConfigurationError, MissingToken
from m2mguard.wsgi import arguments_of, route_of

__all__ = ["HasScopes", "M2MAuthentication", "Machine", "RefusedRequest", "caller_of"]

_ANY_ORGANIZATION = Requirement(organization=ANY_ORGANIZATION)
_VERIFIED = "_m2mguard_verified"  # on a request while its view is asked for permissions
_WORDED_BY_DRF = frozenset(("content-type", "content-length"))  # its renderers write the body


class RefusedRequest(APIException):
    """A request that was refused, for an API's own exception handler. `detail` is `{"error", "error_description"}`.

    Attributes:
        refusal: the error behind it, whose `reason` is for the operator only.
    """

    def __init__(self, refusal: AnswerableError, server: ResourceServer, view: Any) -> None:
        answer = server.answer(refusal)
        super().__init__(dict(answer.detail))
        self.status_code: int = answer.status
        self.refusal = refusal
        headers = getattr(view, "headers", None)  # a view has them once it has its request
        if headers is not None:  # these are sent, whatever an exception handler makes of the body
            headers.update((k, v) for k, v in answer.headers.items() if k.lower() not in _WORDED_BY_DRF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """`request.user` of a request that an application sent: enough for throttles and permissions, and no more rights."""

    caller: Caller

    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True
    is_staff: ClassVar[bool] = False
    is_superuser: ClassVar[bool] = False

    @property
    def pk(self) -> str:
        """The issuer, the App ID and, of a person, the subject, joined by "#"; throttles count by it.

        Another issuer's equal App ID is another application.
        """
        person = () if self.caller.is_machine else (self.caller.subject,)
        return "#".join((self.caller.issuer, self.caller.app_id, *person))

    @property
    def username(self) -> str:
        """The App ID."""
        return self.caller.app_id

    def get_username(self) -> str:
        """The App ID."""
        return self.caller.app_id

    def has_perm(self, perm: str, obj: object = None) -> bool:  # noqa: ARG002
        """False: an application has scopes, and none of Django's permissions."""
        return False

    def has_perms(self, perm_list: Collection[str], obj: object = None) -> bool:  # noqa: ARG002
        """False, as `has_perm`."""
        return False

    def __str__(self) -> str:
        return self.caller.app_id


def caller_of(request: Request) -> Caller:
    """The application that sent this request; the same object as `request.auth`, typed.

    Raises:
        RuntimeError: no `M2MAuthentication` has let the request in.
    """
    if not isinstance(request.auth, Caller):
        raise RuntimeError("this request has no Caller: put M2MAuthentication into the view's authentication_classes")
    return request.auth


class M2MAuthentication(BaseAuthentication):
    """Asks every request to the view for a good bearer token; `request.user` is then a `Machine`, `request.auth` the Caller.

    A request without one is refused, so beside other authentication classes this one is the last. The token must grant each of the
    view's `required_scopes`: a list, or a dict of lists by HTTP method or action, `{"GET": ["read:orders"], "create": ["write:orders"]}`.
    An action counts before its method, GET includes HEAD, and a method of the view that the dict does not name is a ConfigurationError. The
    token must not belong to an organization unless a `HasScopes` of the view says which. To find that out,
    the view's `get_permissions()` is called for a token of an organization; it may read `request.user` and `request.auth`.

    Attributes:
        server: verifies tokens. Default None: the site's, from the setting `M2MGUARD`.
        certificate: as for `BearerAuthMiddleware`. Default None: that of the setting `M2MGUARD`, if the server is the setting's, too.
    """

    server: ResourceServer | None = None
    certificate: CertificateReader | None = None

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        """Let a request in that carries a good token. Django REST framework calls this."""
        verified: tuple[Any, Caller] | None = getattr(request, _VERIFIED, None)
        if verified is not None:  # `get_permissions()` asks who calls, below
            return verified
        view = request.parser_context.get("view")
        if "swagger_fake_view" in getattr(view, "__dict__", ()):  # a generator of schemas asks, and there is no request
            return None
        server = _server(self)
        try:
            arguments = arguments_of(request.META, request=request, certificate=_certificate(self))
            caller = server.authenticate(requirement=_ANY_ORGANIZATION, **arguments)
            found = Machine(caller=caller), caller
            settled = caller.organization_id is not None and _settles_organizations(view, request, found)
            requirement = Requirement(scopes=_required_scopes(view), organization=ANY_ORGANIZATION if settled else None)
            server.authorize(caller, requirement, request=request, route=route_of(request.META))
        except AnswerableError as error:
            raise RefusedRequest(error, server, view) from error
        return found

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        """The challenge, for a 401 that is not ours."""
        return (
            _server(self)
            .answer(MissingToken("missing", "the request was not authenticated"))
            .headers["WWW-Authenticate"]
        )


def HasScopes(  # noqa: N802  # used where Django REST framework asks for a class
    *scopes: str,
    any_scope: Collection[str] = (),
    app_ids: Collection[str] = (),
    organization: str | Callable[[Request], str | None] | None = None,
    issuers: Collection[str | HasUrl] = (),
    max_age: int | None = None,
    acr: str | Collection[str] = (),
) -> type[BasePermission]:
    """A permission class: `permission_classes = [HasScopes("read:orders")]`. It combines with others by `&`, `|` and `~`.

    Args:
        scopes: every one of these must be granted.
        any_scope: as for `Requirement`.
        app_ids: as for `Requirement`.
        organization: as for `Requirement`. A callable is given the request, whose `parser_context["kwargs"]` are the route's.
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
    return cast("type[BasePermission]", type("HasScopes", (_MeetsRequirement,), {"requirement": requirement}))


class _MeetsRequirement(BasePermission):
    requirement: ClassVar[Requirement]

    def __init__(self) -> None:
        self._refuse: Callable[[], RefusedRequest] | None = None

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, Caller):
            return False
        server = _server(request.successful_authenticator)
        try:
            server.authorize(request.auth, self.requirement, request=request, route=route_of(request.META))
        except AnswerableError as refusal:
            error = refusal
            if _is_asked_of_all(self.requirement, view):
                raise RefusedRequest(error, server, view) from error
            self._refuse = lambda: RefusedRequest(error, server, view)
            return False
        return True

    @property
    def message(self) -> None:
        """Asked for when this permission, and no combination, ends the request: the one moment to give our own answer."""
        if self._refuse is not None:
            raise self._refuse()


def _is_asked_of_all(requirement: Requirement, view: Any) -> bool:
    """Whether no request gets around a requirement, so that nothing else can let in whom it refuses. Asked for a refusal only."""
    get_permissions = getattr(view, "get_permissions", list)
    return any(one is requirement for permission in get_permissions() for one in _asked_of_all(permission))


def requirements_of(view: Any) -> list[Requirement]:
    """What every request to a view must meet, as far as it can be told without one: its `required_scopes` and its permissions.

    Whatever `get_permissions()` of the view raises passes through.
    """
    asked = [one for permission in view.get_permissions() for one in _asked_of_all(permission)]
    scopes = _required_scopes(view)
    return [Requirement(scopes=scopes), *asked] if scopes else asked


def _server(authenticator: object) -> ResourceServer:
    return getattr(authenticator, "server", None) or resource_server()


def _certificate(authenticator: M2MAuthentication) -> CertificateReader | None:
    given = type(authenticator).certificate  # of the class, since a function of an instance would be a method
    return current().certificate if given is None and authenticator.server is None else given


def _required_scopes(view: Any) -> Collection[str]:
    """The scopes of the view's `required_scopes` for its request, or for the method and action that a survey has given it."""
    scopes: Collection[str] | Mapping[str, Collection[str]] = getattr(view, "required_scopes", None) or ()
    if not isinstance(scopes, Mapping):
        return scopes
    request = getattr(view, "request", None)
    method, action = getattr(request, "method", None), getattr(view, "action", None)
    for name in (str(action), "GET" if method == "HEAD" else str(method)):
        if name in scopes:
            return scopes[name]
    if method == "OPTIONS" or not hasattr(view, str(method).lower()):  # which the framework answers itself, with 405
        return ()
    raise ConfigurationError(
        f"required_scopes of {type(view).__name__} names neither the method {method} nor the action {action}; an empty list asks for none."
    )


def _settles_organizations(view: Any, request: Request, found: tuple[Any, Caller]) -> bool:
    """Tell whether some permission of ours, which no request gets around, looks at the token's organization."""
    if getattr(view, "request", None) is not request:  # no view, or one that is not yet ready to say what it asks for
        return False
    setattr(request, _VERIFIED, found)
    try:
        return any(_settles_organization(permission) for permission in view.get_permissions())
    except BaseException:
        request.user = request.auth = None  # as which they may have been read meanwhile
        raise
    finally:
        delattr(request, _VERIFIED)


def _settles_organization(permission: object) -> bool:
    if isinstance(permission, OR):
        operands: tuple[object, object] = (permission.op1, permission.op2)  # type: ignore[attr-defined]
        return all(map(_settles_organization, operands))
    return any(_asked_of_all(permission))


def _asked_of_all(permission: object) -> Iterator[Requirement]:
    """Requirements every request must meet (AND branches only)."""
    if isinstance(permission, AND):
        yield from _asked_of_all(permission.op1)  # type: ignore[attr-defined]
        yield from _asked_of_all(permission.op2)  # type: ignore[attr-defined]
    elif isinstance(permission, _MeetsRequirement):
        yield permission.requirement


if importlib.util.find_spec("drf_spectacular") is not None:
    from drf_spectacular.extensions import OpenApiAuthenticationExtension

    class M2MAuthenticationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
        """drf-spectacular's view of `M2MAuthentication`: the scheme, and each operation's scopes. It finds this by itself."""

        target_class: Any = M2MAuthentication
        match_subclasses = True
        name: str | list[str] = "M2MAuth"

        def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:  # noqa: ARG002
            """The scheme: a bearer token that is a JWT."""
            return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}

        def get_security_requirement(self, auto_schema: Any) -> Any:
            """The scopes that the operation's view asks for; a list of alternatives where any of several will do."""
            view = auto_schema.view
            asked = [one for permission in view.get_permissions() for one in _asked_of_all(permission)]
            scopes = [*_required_scopes(view), *(scope for one in asked for scope in one.scopes)]
            choices = itertools.product(*(one.any_scope for one in asked if one.any_scope))
            return [{self.name: list(dict.fromkeys((*scopes, *choice)))} for choice in choices]


def __dir__() -> list[str]:
    return sorted(__all__)
