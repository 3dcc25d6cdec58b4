"""Small applications with one protected route: without authentication, with m2mguard, and with each peer as it is used.
They are sent good tokens only: what an application does when its peer refuses one is left out."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from hashlib import sha256
from types import SimpleNamespace
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from flask import Flask, request
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks import peers
from benchmarks.peers import SCOPE
from m2mguard import Issuer, Requirement, ResourceServer, asgi, wsgi
from m2mguard.fastapi import M2MAuth
from m2mguard.flask import M2MGuard
from m2mguard.testing import SHOPPING_API, LocalIssuer

ORDERS = {"orders": [{"id": 1, "item": "apples", "quantity": 3}, {"id": 2, "item": "pears", "quantity": 5}]}
PATH = "/orders"
APPLICATION = "BENCHMARKED_APPLICATION"  # the variable that tells a server process which one it runs
BARE, OURS = "no authentication", "m2mguard"
NOTHING, HASHING = "a dependency that does nothing", "a dependency that finds the field and hashes it"
BEARER = "FastAPI's HTTPBearer, which checks no token"


def server_of(issuer: LocalIssuer) -> ResourceServer:
    return ResourceServer(Issuer(url=issuer.url, jwks_uri=issuer.jwks_uri), audience=SHOPPING_API)


def protection(issuer: LocalIssuer) -> dict[str, Any]:
    return {"server": server_of(issuer), "requires": Requirement(scopes=[SCOPE])}


async def starlette_orders(request: Request) -> JSONResponse:
    return JSONResponse(ORDERS)


def starlette_app(*middleware: Middleware) -> Starlette:
    return Starlette(routes=[Route(PATH, starlette_orders)], middleware=middleware)


def starlette_pyjwt(issuer: LocalIssuer) -> Any:
    verify = peers.pyjwt(issuer)

    class Backend(AuthenticationBackend):
        async def authenticate(self, connection: HTTPConnection[Any]) -> tuple[AuthCredentials, SimpleUser]:
            claims = verify(connection.headers["Authorization"].removeprefix("Bearer "))
            return AuthCredentials(claims["scope"].split()), SimpleUser(claims["sub"])

    return starlette_app(Middleware(AuthenticationMiddleware, backend=Backend()))


def starlette_fastmcp(issuer: LocalIssuer) -> Any:
    from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend

    verifier = peers.fastmcp_verifier(issuer, required_scopes=[SCOPE])
    return starlette_app(Middleware(AuthenticationMiddleware, backend=BearerAuthBackend(verifier)))


def starlette_mcpauth(issuer: LocalIssuer) -> Any:
    from mcpauth.middleware.create_bearer_auth import BearerAuthConfig, create_bearer_auth

    config = BearerAuthConfig(issuer=issuer.url, audience=SHOPPING_API, required_scopes=[SCOPE])
    context: ContextVar[Any] = ContextVar("auth", default=None)
    return starlette_app(Middleware(create_bearer_auth(peers.mcpauth(issuer), config, context)))


def fastapi_app(*dependencies: Any) -> FastAPI:
    app = FastAPI()

    @app.get(PATH, dependencies=dependencies)
    async def orders() -> dict[str, Any]:
        return ORDERS

    return app


async def nothing(connection: HTTPConnection, security_scopes: SecurityScopes) -> None:
    """What FastAPI itself takes for a dependency, asked for as ours is."""


async def hashing(connection: HTTPConnection, security_scopes: SecurityScopes) -> bytes:
    """The least that any dependency must do to recognise a token: find its field, and hash it."""
    [field] = [value for name, value in connection.scope["headers"] if name == b"authorization"]
    return sha256(field).digest()


def fastapi_pyjwt(issuer: LocalIssuer) -> FastAPI:
    verify = peers.pyjwt(issuer)

    async def claims(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> Any:
        return verify(credentials.credentials)

    return fastapi_app(Depends(claims))


def flask_orders() -> dict[str, Any]:
    return ORDERS


def flask_app(protect: Callable[[Any], Any] = lambda view: view) -> Flask:
    app = Flask(__name__)
    app.add_url_rule(PATH, view_func=protect(flask_orders))
    return app


def flask_m2mguard(issuer: LocalIssuer) -> Flask:
    guard = M2MGuard(server=server_of(issuer))
    app = flask_app(guard.requires(SCOPE))
    guard.init_app(app)
    return app


def flask_pyjwt(issuer: LocalIssuer) -> Flask:
    verify = peers.pyjwt(issuer)

    def protected() -> Any:
        verify(request.headers["Authorization"].removeprefix("Bearer "))
        return flask_orders()

    return flask_app(lambda view: protected)


def flask_authlib(issuer: LocalIssuer) -> Flask:
    from authlib.integrations.flask_oauth2 import ResourceProtector

    protector = ResourceProtector()
    protector.register_token_validator(peers.authlib_validator(issuer))
    return flask_app(protector(SCOPE))


def wsgi_orders(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body = json.dumps(ORDERS).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def wsgi_pyjwt(issuer: LocalIssuer) -> Any:
    verify = peers.pyjwt(issuer)

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        verify(environ["HTTP_AUTHORIZATION"].removeprefix("Bearer "))
        return wsgi_orders(environ, start_response)

    return application


APPS: Mapping[str, Mapping[str, Callable[[LocalIssuer], Any]]] = {
    "Starlette with a middleware, ES384": {
        BARE: lambda issuer: starlette_app(),
        OURS: lambda issuer: starlette_app(Middleware(asgi.BearerAuthMiddleware, **protection(issuer))),
        "PyJWT in Starlette's middleware": starlette_pyjwt,
        "fastmcp's middleware": starlette_fastmcp,
        "mcpauth's middleware": starlette_mcpauth,
    },
    "FastAPI with a dependency, RS256": {
        BARE: lambda issuer: fastapi_app(),
        NOTHING: lambda issuer: fastapi_app(Security(nothing, scopes=[SCOPE])),
        HASHING: lambda issuer: fastapi_app(Security(hashing, scopes=[SCOPE])),
        BEARER: lambda issuer: fastapi_app(Depends(HTTPBearer())),
        OURS: lambda issuer: fastapi_app(Security(M2MAuth(server_of(issuer)), scopes=[SCOPE])),
        "PyJWT in a dependency": fastapi_pyjwt,
        "fastapi-azure-auth": lambda issuer: fastapi_app(Security(peers.azure_scheme(issuer))),
    },
    "Flask with a decorator, ES256": {
        BARE: lambda issuer: flask_app(),
        OURS: flask_m2mguard,
        "PyJWT in a decorator": flask_pyjwt,
        "Authlib's ResourceProtector": flask_authlib,
    },
    "WSGI with a middleware, ES384": {
        BARE: lambda issuer: wsgi_orders,
        OURS: lambda issuer: wsgi.BearerAuthMiddleware(wsgi_orders, **protection(issuer)),
        "PyJWT in a middleware": wsgi_pyjwt,
    },
}
STARLETTE, FASTAPI, _, WSGI = APPS


def installed(framework: str, issuer: LocalIssuer) -> dict[str, Any]:
    """The applications of one framework, without those whose library is not installed."""
    apps = {}
    for name, build in APPS[framework].items():
        with suppress(ImportError):
            apps[name] = build(issuer)
    return apps


def application() -> Any:
    """The application that a server process imports, as its environment names it."""
    framework, name, url, jwks_uri, algorithm = json.loads(os.environ[APPLICATION])
    trusted: Any = SimpleNamespace(url=url, jwks_uri=jwks_uri, current_key=SimpleNamespace(algorithm=algorithm))
    return APPS[framework][name](trusted)
