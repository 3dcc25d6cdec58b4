"""What Starlette adds to `m2mguard.asgi`: requirements per route, typed access to the Caller, keys fetched at startup.

Starlette's own `@requires("read:orders")` works on top: the Caller is at `request.auth` with its scopes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

from m2mguard import asgi
from m2mguard._server.adapter_arguments import check_certificate
from m2mguard._server.requirement import HasUrl, Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard.caller import Caller
from m2mguard.certificates import CertificateReader
from m2mguard.errors import ConfigurationError

try:
    from starlette.middleware import Middleware
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import Response
    from starlette.routing import Route
except ImportError as _missing:
    raise ImportError('m2mguard.starlette needs Starlette: pip install "m2mguard[starlette]"') from _missing

__all__ = ["caller_of", "lifespan", "requires", "resource_metadata"]

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


def caller_of(connection: HTTPConnection[Any]) -> Caller:
    """The application that sent this request or opened this WebSocket; the same object as `request.auth`, typed.

    Raises:
        RuntimeError: nothing protects this route, or its path is public.
    """
    return asgi.caller_of(connection.scope)


def requires(
    server: ResourceServer,
    *,
    scopes: Collection[str] = (),
    any_scope: Collection[str] = (),
    app_ids: Collection[str] = (),
    organization: str | Callable[[HTTPConnection[Any]], str | None] | None = None,
    issuers: Collection[str | HasUrl] = (),
    max_age: int | None = None,
    acr: str | Collection[str] = (),
    certificate: CertificateReader | None = None,
) -> Middleware:
    """Protect one route, mount or router: `Route("/orders", orders, middleware=[requires(server, scopes=["read:orders"])])`.

    The requirements above and below add up; a request must meet all of them.

    Args:
        server: verifies tokens and words the answers.
        scopes: as for `Requirement`.
        any_scope: as for `Requirement`.
        app_ids: as for `Requirement`.
        organization: as for `Requirement`. A callable is given the connection, with its `path_params`.
        issuers: as for `Requirement`.
        max_age: as for `Requirement`.
        acr: as for `Requirement`.
        certificate: as for `BearerAuthMiddleware`.

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
    server.check_requirement(requirement)
    if callable(organization):
        requirement = replace(requirement, organization=_of_scope(organization))
    check_certificate(certificate)
    return Middleware(asgi.BearerAuthMiddleware, server=server, requires=requirement, certificate=certificate)


def resource_metadata(server: ResourceServer) -> Route:
    """The route of the API's metadata, open to anybody (RFC 9728). `BearerAuthMiddleware` serves it by itself; this is for routers.

    Put it among the routes of the outermost application, since its path begins at the root of the host.

    Args:
        server: one with a `resource_url`.

    Raises:
        ConfigurationError: the server has no `resource_url`.
    """
    metadata = server.resource_metadata
    if metadata is None:
        raise ConfigurationError("there is no metadata to serve: give the ResourceServer a resource_url.")
    answer = metadata.answer

    async def document(request: Request) -> Response:
        return Response(b"" if request.method == "HEAD" else answer.body, headers=dict(answer.headers))

    return Route(metadata.path, document, methods=["GET"], include_in_schema=False)


def lifespan(server: ResourceServer, then: Lifespan | None = None, *, timeout: float = 5) -> Lifespan:
    """A lifespan for Starlette and FastAPI that fetches keys at startup, so that the first request need not wait.

    An issuer that does not answer does not stop the application: the failure is reported, and requests are answered 503
    until keys can be had.

    Args:
        server: whose keys to fetch.
        then: the application's own lifespan, entered afterwards; what it yields is passed on. Default none.
        timeout: seconds that startup may wait for keys, default 5.
    """

    @asynccontextmanager
    async def warmed_up(app: Any) -> AsyncIterator[Any]:
        await server.awarm_up(timeout)
        if then is None:
            yield None
            return
        async with then(app) as state:
            yield state

    return warmed_up


def _of_scope(of_connection: Callable[[HTTPConnection[Any]], str | None]) -> Callable[[asgi.Scope], str | None]:
    return lambda scope: of_connection(HTTPConnection(scope))


def __dir__() -> list[str]:
    return sorted(__all__)
