"""FastAPI's side: one object that is OpenAPI security scheme, dependency and key for overrides.

Nothing is decided about tokens or answers here. Annotations stay objects, since FastAPI reads them from instances.
"""

import inspect
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

try:
    from fastapi import APIRouter, HTTPException, WebSocketException
    from fastapi.openapi.models import HTTPBearer, OAuth2, OAuthFlowClientCredentials, OAuthFlows
    from fastapi.openapi.models import SecurityBase as Scheme
    from fastapi.security import SecurityScopes
    from fastapi.security.base import SecurityBase
    from starlette.requests import HTTPConnection
except ImportError as _missing:
    raise ImportError('m2mguard.fastapi needs FastAPI: pip install "m2mguard[fastapi]"') from _missing

from m2mguard import starlette  # after FastAPI, whose extra is the one to install
from m2mguard._asgi.scope import arguments_of
from m2mguard._asgi.sending import POLICY_VIOLATION, is_answerable
from m2mguard._server.adapter_arguments import check_arguments
from m2mguard._server.requirement import HasUrl, Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.route_marks import RouteGuard, mark
from m2mguard.caller import Caller
from m2mguard.certificates import CertificateReader
from m2mguard.errors import AnswerableError, ConfigurationError

__all__ = ["M2MAuth", "RefusedRequest", "RequiresCaller", "resource_metadata"]

Organization = str | Callable[[HTTPConnection[Any]], str | None] | None

_WORDED_BY_FASTAPI = frozenset(("content-type", "content-length"))  # its handlers write the body, {"detail": ...}


class RefusedRequest(HTTPException):
    """A request that was refused, for an application's own exception handlers. `detail` is `{"error", "error_description"}`.

    Attributes:
        refusal: the error behind it, whose `reason` is for the operator only.
    """

    def __init__(self, refusal: AnswerableError, *, detail: Mapping[str, str], headers: Mapping[str, str]) -> None:
        super().__init__(refusal.status, detail=dict(detail), headers=dict(headers))
        self.refusal = refusal


class _SignatureOfDependency:
    """`__signature__` of a dependency: FastAPI asks for it whenever it builds a route, so the route's scopes are checked there."""

    def __get__(self, dependency: "_Dependency | None", owner: type) -> inspect.Signature:
        if dependency is None:
            raise AttributeError("a class has the signature of its __init__")
        dependency.check_scopes(_scopes_of_route_being_built())
        return inspect.signature(dependency.__call__)


def _scopes_of_route_being_built() -> Sequence[str]:
    """The scopes that FastAPI holds while it asks for the signature, though it hands them to no dependency before a request.

    They are the arguments of its function `get_dependant`. Where it has none of that name, they are checked by the first request.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "get_dependant":
            names = frame.f_locals
            return [*(names.get("parent_oauth_scopes") or ()), *(names.get("own_oauth_scopes") or ())]
        frame = frame.f_back
    return ()


class _Dependency(SecurityBase):
    """What FastAPI calls: lets a request in, or refuses it. Safe to share between tasks and event loops."""

    __signature__: Any = _SignatureOfDependency()

    def __init__(self, server: ResourceServer, requirement: Requirement, certificate: CertificateReader | None) -> None:
        self._server = server
        self._certificate = certificate
        self._requirement = requirement
        self._by_scopes: dict[tuple[str, ...], Requirement] = {}
        mark(self, RouteGuard(requirement=requirement, server=server))

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> Caller:
        """Let a request in whose Caller meets the requirement and has these scopes. FastAPI calls this."""
        scope = connection.scope
        requirement = self.check_scopes(security_scopes.scopes)
        try:
            caller = await self._server.aauthenticate(
                requirement=requirement,
                **arguments_of(scope, request=connection, certificate=self._certificate),
            )
        except AnswerableError as error:
            self._refuse(error, scope)
        scope["auth"] = scope["user"] = caller
        return caller

    def check_scopes(self, scopes: Sequence[str]) -> Requirement:
        """The requirement and the scopes of one way to this dependency; cached per list of scopes, of which routes have few.

        Raises:
            ConfigurationError: a scope outside the grammar of RFC 6749 section 3.3.
        """
        if not scopes:
            return self._requirement
        key = tuple(scopes)
        found = self._by_scopes.get(key)
        if found is None:
            found = replace(self._requirement, scopes=(*self._requirement.scopes, *scopes))
            self._by_scopes[key] = found
        return found

    def _refuse(self, error: AnswerableError, scope: MutableMapping[str, Any]) -> NoReturn:
        if not is_answerable(scope):
            raise WebSocketException(POLICY_VIOLATION) from error
        answer = self._server.answer(error)
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _WORDED_BY_FASTAPI}
        raise RefusedRequest(error, detail=answer.detail, headers=headers) from error


class M2MAuth(_Dependency):
    """FastAPI's dependency for one API: `caller: Annotated[Caller, Security(auth, scopes=["read:orders"])]`.

    `Depends(auth)` asks for a good token; `Security(auth, scopes=[...])` for scopes, too, which add up with those of outer
    dependencies; `auth.requires(...)` for anything a `Requirement` can say. All of them work in path operations, in the
    `dependencies` of routers and applications, and on WebSocket routes, and put the Caller at `request.auth` and
    `request.user`, too. They run on the event loop, without a thread. A scope outside RFC 6749's grammar is a `ConfigurationError`
    when the route is built. In tests, each can be overridden:
    `app.dependency_overrides[auth] = lambda: caller`.

    A refusal is raised as `RefusedRequest`; on a WebSocket whose server cannot answer a handshake over HTTP it is the
    `WebSocketException` 1008.

    Args:
        server: verifies tokens and words the answers.
        scheme_name: the scheme's name in OpenAPI, default "M2MAuth".
        description: shown by the documentation page, default None.
        token_url: given, OpenAPI offers the `clientCredentials` flow at this URL instead of a field for a token. The page's form
            sends no `resource`, which Logto asks for: leave it out for Logto.
        token_scopes: scope to description, offered with `token_url`. Default none.
        certificate: as for `BearerAuthMiddleware`.

    Raises:
        ConfigurationError: an invalid argument.
    """

    def __init__(
        self,
        server: ResourceServer,
        *,
        scheme_name: str = "M2MAuth",
        description: str | None = None,
        token_url: str | None = None,
        token_scopes: Mapping[str, str] | None = None,
        certificate: CertificateReader | None = None,
    ) -> None:
        check_arguments(server, certificate=certificate)
        if token_scopes is not None and token_url is None:
            raise ConfigurationError("token_scopes are offered with a token_url only; give both or neither.")
        super().__init__(server, Requirement(), certificate)
        self.model: Scheme = HTTPBearer(bearerFormat="JWT", description=description)
        if token_url is not None:
            flow = OAuthFlowClientCredentials(tokenUrl=token_url, scopes=dict(token_scopes or {}))
            self.model = OAuth2(flows=OAuthFlows(clientCredentials=flow), description=description)
        self.scheme_name = scheme_name

    def requires(
        self,
        *,
        scopes: Collection[str] = (),
        any_scope: Collection[str] = (),
        app_ids: Collection[str] = (),
        organization: Organization = None,
        issuers: Collection[str | HasUrl] = (),
        max_age: int | None = None,
        acr: str | Collection[str] = (),
    ) -> "RequiresCaller":
        """A dependency that asks for more: `Depends(auth.requires(app_ids=["app-orders"]))`. Equal arguments give equal objects.

        Args:
            scopes: as for `Requirement`.
            any_scope: as for `Requirement`.
            app_ids: as for `Requirement`.
            organization: as for `Requirement`. A callable is given the Request or WebSocket, with its `path_params`.
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
        self._server.check_requirement(requirement)
        return RequiresCaller(self, self._server, requirement)

    @property
    def responses(self) -> dict[int | str, dict[str, Any]]:
        """The refusals, for OpenAPI: `FastAPI(responses=auth.responses)`, or on a router or route."""
        challenge = {
            "WWW-Authenticate": {"schema": {"type": "string"}, "description": "RFC 6750 section 3, RFC 9470 section 3"}
        }
        retry = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}}
        return {
            400: _documented("The request carries several credentials, or one that is malformed", challenge),
            401: _documented(
                "No bearer token, one that is not accepted, or that of a person who must sign in again", challenge
            ),
            403: _documented("The token does not grant access to this", challenge),
            503: _documented("The token cannot be checked at the moment", retry),
        }


class RequiresCaller(_Dependency):
    """What `M2MAuth.requires` returns: a dependency that gives the Caller, or refuses. Equal to any other of the same arguments."""

    def __init__(self, auth: M2MAuth, server: ResourceServer, requirement: Requirement) -> None:
        super().__init__(server, requirement, auth._certificate)  # noqa: SLF001  # of its own kind
        self.model: Scheme = auth.model
        self.scheme_name: str = auth.scheme_name
        self._identity = (auth, requirement)
        self._hash = hash(self._identity)  # FastAPI asks for it on every request

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RequiresCaller) and self._identity == other._identity

    def __hash__(self) -> int:
        return self._hash


def resource_metadata(server: ResourceServer) -> APIRouter:
    """A router that serves the API's metadata to anybody (RFC 9728): `app.include_router(resource_metadata(server))`, without a prefix.

    The dependencies of the application do not apply to it.

    Args:
        server: one with a `resource_url`.

    Raises:
        ConfigurationError: the server has no `resource_url`.
    """
    return APIRouter(routes=[starlette.resource_metadata(server)])


def _documented(description: str, headers: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string"}
    refusal = {"type": "object", "properties": {"error": text, "error_description": text}, "required": ["error"]}
    schema = {"type": "object", "properties": {"detail": refusal}, "required": ["detail"]}
    return {"description": description, "headers": headers, "content": {"application/json": {"schema": schema}}}


def __dir__() -> list[str]:
    return sorted(__all__)
