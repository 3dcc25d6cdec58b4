"""aiohttp.web's side: a middleware for a whole application, and a decorator for handlers. `request[CALLER]` is the Caller.

Nothing is decided about tokens or answers here. A refusal is raised as aiohttp's exception, so that an application's middleware sees it.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import wraps
from typing import Any, Final, Literal, NoReturn, ParamSpec, TypeVar, cast

try:
    from aiohttp import web
    from aiohttp.typedefs import Handler, Middleware
except ImportError as _missing:
    raise ImportError('m2mguard.aiohttp needs aiohttp: pip install "m2mguard[aiohttp]"') from _missing

from m2mguard._server.adapter_arguments import check_arguments, check_certificate
from m2mguard._server.answers import Answer
from m2mguard._server.requirement import HasUrl, Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.route_marks import RouteGuard, mark
from m2mguard.caller import Caller
from m2mguard.certificates import CertificateReader
from m2mguard.errors import AnswerableError, ConfigurationError
from m2mguard.exemptions import Exemptions

__all__ = ["CALLER", "bearer_auth_middleware", "readiness", "requires"]

P = ParamSpec("P")
R = TypeVar("R")
Organization = str | Callable[[web.Request], str | None] | None
OnError = Callable[[AnswerableError, web.Request], Answer | None]

CALLER: Final[web.RequestKey[Caller]] = web.RequestKey("m2mguard.caller", Caller)
"""The key of the application that sent a request: `request[CALLER]`."""
_CERTIFICATE: Final[web.RequestKey[Any]] = web.RequestKey("m2mguard.certificate", object)
_NOTES = web.RequestKey("m2mguard.notes", dict[str, object])
_SERVER: Final[web.RequestKey[ResourceServer]] = web.RequestKey("m2mguard.server", ResourceServer)
_EXCEPTIONS: Final[dict[int, type[web.HTTPException]]] = {
    400: web.HTTPBadRequest,
    401: web.HTTPUnauthorized,
    403: web.HTTPForbidden,
    503: web.HTTPServiceUnavailable,
}
_OF_THE_BODY: Final = frozenset(("content-type", "content-length", "transfer-encoding"))


def bearer_auth_middleware(
    server: ResourceServer,
    *,
    requires: Requirement | None = None,
    public: Iterable[str] = (),
    preflight: Literal["protect", "exempt"] = "protect",
    on_error: OnError | None = None,
    certificate: CertificateReader | None = None,
) -> Middleware:
    """Protect an application, unknown paths included: `web.Application(middlewares=[bearer_auth_middleware(server)])`.

    The handler finds the Caller at `request[CALLER]`; on a public path there is none. A refused WebSocket handshake is answered with
    status, headers and body. With a `resource_url` the API's metadata is served here, to anybody (RFC 9728).

    Args:
        server: verifies tokens and words the answers.
        requires: what every protected request must meet; None, the default, is `Requirement()`. A callable organization is given the
            request, with its `match_info`.
        public: the whole paths that need no token, default none. An entry that ends in "/" opens all paths below it, any other one exact
            path; methods may come before it, as in "GET /reports/". See `PublicPaths`. A WebSocket handshake is a GET.
        preflight: "protect", the default, asks for a token on OPTIONS as on any method; "exempt" passes CORS preflights on as browsers
            send them (Fetch standard, section 3.3.2), and the status and fields of their answers.
        on_error: called with the refusal and the request, on the event loop. It may return another `Answer` to be sent instead.
        certificate: reads the client's certificate, for tokens that are bound to one (RFC 8705): `certificates.from_nginx("X-Client-Cert")`
            and the like. Default None: such tokens are refused.

    Raises:
        ConfigurationError: an invalid argument.
    """
    check_arguments(server, requires=requires, on_error=on_error, certificate=certificate)
    exemptions = Exemptions(public=public, preflight=preflight)
    metadata = server.resource_metadata

    @web.middleware
    async def bearer_auth(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[_SERVER] = server
        request[_CERTIFICATE] = certificate
        head = _Head(request)
        if metadata is not None and metadata.is_asked_for(head.method, request.path, raw_path=head.raw_path):
            return web.Response(
                status=metadata.answer.status, body=metadata.answer.body, headers=metadata.answer.headers
            )
        if exemptions.is_public(head):
            return await handler(request)
        if exemptions.is_exempt_preflight(head):
            return _without_body(await handler(request))
        try:
            await _authenticate(server, request, requires, certificate)
        except AnswerableError as error:
            answer = None if on_error is None else on_error(error, request)
            _refuse(answer or server.answer(error), error)
        return await handler(request)

    mark(
        bearer_auth,
        RouteGuard(requirement=requires, server=server, public=exemptions.public, preflights=exemptions.preflights),
    )
    return bearer_auth


def requires(
    *scopes: str,
    any_scope: Collection[str] = (),
    app_ids: Collection[str] = (),
    organization: Organization = None,
    issuers: Collection[str | HasUrl] = (),
    max_age: int | None = None,
    acr: str | Collection[str] = (),
    server: ResourceServer | None = None,
    certificate: CertificateReader | None = None,
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Protect a handler, or a method of a `web.View`: `@requires("read:orders")`, below `@routes.get(...)`.

    What the middleware asks for and this add up: a token of an organization is refused by a middleware without `requires`.

    Args:
        *scopes: every one of these must be granted.
        any_scope: as for `Requirement`.
        app_ids: as for `Requirement`.
        organization: as for `Requirement`. A callable is given the request, with its `match_info`.
        issuers: as for `Requirement`.
        max_age: as for `Requirement`.
        acr: as for `Requirement`.
        server: verifies tokens where no middleware of ours is above the handler. Default None: that of the middleware.
        certificate: as for `bearer_auth_middleware`. Default None: that of the middleware.

    Raises:
        ConfigurationError: an invalid value; or, for each request, no middleware and no server.
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
    check_certificate(certificate)
    if server is not None:
        server.check_requirement(requirement)

    def decorate(handler: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        if inspect.isclass(handler):
            raise ConfigurationError("requires() is for handlers and methods; in a web.View, decorate its methods.")

        @wraps(handler)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            first: Any = args[0]
            request = first if isinstance(first, web.Request) else cast(web.View, first).request
            verifies = server or request.get(_SERVER)
            if verifies is None:
                raise ConfigurationError(
                    "no bearer_auth_middleware is above this handler: add it, or give requires(..., server=...)."
                )
            is_verified = CALLER in request and request.get(_SERVER) is verifies
            try:
                if is_verified:
                    verifies.authorize(
                        request[CALLER], requirement, request=request, route=(request.method, request.path)
                    )
                else:
                    await _authenticate(verifies, request, requirement, certificate or request.get(_CERTIFICATE))
            except AnswerableError as error:
                _refuse(verifies.answer(error), error)
            return await handler(*args, **kwargs)

        mark(guarded, RouteGuard(requirement=requirement, server=server))
        return guarded

    return decorate


def readiness(server: ResourceServer) -> Handler:
    """Make the handler of a readiness probe. Register it: `web.get("/readyz", handler)`.

    It never waits; where there are no usable keys it starts a fetch in the background.

    Args:
        server: says whether tokens can be checked; see `ResourceServer.readiness`.
    """

    async def ready(_request: web.Request) -> web.Response:
        answer = server.readiness()
        return web.Response(status=answer.status, body=answer.body, headers=_fields(answer))

    return ready


async def _authenticate(
    server: ResourceServer,
    request: web.Request,
    requirement: Requirement | None,
    certificate: CertificateReader | None,
) -> None:
    fields = [value for name, value in request.raw_headers if name.lower() == b"authorization"]
    request[CALLER] = await server.aauthenticate(
        fields,
        requirement,
        request=request,
        route=(request.method, request.path),
        head=_Head(request),
        certificate=certificate,
    )


def _refuse(answer: Answer, error: AnswerableError) -> NoReturn:
    refusal = _EXCEPTIONS.get(answer.status)
    if refusal is None:  # of an `on_error`
        refusal = type("Refused", (web.HTTPException,), {"status_code": answer.status, "empty_body": True})
    raised = refusal(headers=_fields(answer), text=answer.body.decode(), content_type="application/json")
    raise raised from error


def _fields(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.lower() not in _OF_THE_BODY}


def _without_body(answer: web.StreamResponse) -> web.Response:
    """What is sent of the answer to an exempt preflight: status and fields, which is all that CORS needs."""
    kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _OF_THE_BODY]
    response = web.Response(status=answer.status)
    for name, value in kept:
        response.headers.add(name, value)
    return response


class _Head:
    """The head of a request, as `Exemptions` reads it."""

    __slots__ = ("_request", "raw_path")

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.raw_path = request.raw_path.encode("utf-8", "surrogateescape")

    @property
    def method(self) -> str:
        return self._request.method

    @property
    def path(self) -> dict[str, Any]:
        return {"path": self._request.path.encode("utf-8", "surrogateescape"), "raw_path": self.raw_path}

    @property
    def notes(self) -> dict[str, object]:
        request = self._request
        if _NOTES not in request:
            request[_NOTES] = {}
        return request[_NOTES]

    @property
    def fields(self) -> Iterable[tuple[str, str]]:
        return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._request.raw_headers)

    @property
    def query(self) -> str:
        return self.raw_path.partition(b"?")[2].decode("latin-1")

    @property
    def peer(self) -> str | None:
        """The connection's own, also where a middleware put the client's into `request.remote`."""
        transport = self._request.transport
        if transport is None:
            return "a closed connection"
        name = transport.get_extra_info("peername")
        return str(name[0]) if name else None


def __dir__() -> list[str]:
    return sorted(__all__)
