"""Small applications with one protected route: without authentication, with m2mguard, and with each peer as it is used.

An ASGI builder takes the issuer and gives an application; so does a WSGI builder.
Annotations stay objects, since FastAPI reads them where they name what is local to a function.
"""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from flask import Flask, request
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks import peers
from m2mguard import Caller, Issuer, Requirement, ResourceServer, wsgi
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.fastapi import M2MAuth
from m2mguard.flask import M2MGuard
from m2mguard.testing import SHOPPING_API, LocalIssuer

ORDERS = {"orders": [{"id": 1, "item": "apples", "quantity": 3}, {"id": 2, "item": "pears", "quantity": 5}]}
PATH = "/orders"
SCOPE = "read:orders"
NOTHING, HASHING = "a dependency that does nothing", "a dependency that finds the field and hashes it"
BEARER = "FastAPI's HTTPBearer, which checks no token"
Build = Callable[[LocalIssuer], Any]


def server_of(issuer: LocalIssuer) -> ResourceServer:
    return ResourceServer(Issuer(url=issuer.url, jwks_uri=issuer.jwks_uri), audience=SHOPPING_API)


async def starlette_orders(request: Request) -> JSONResponse:
    return JSONResponse(ORDERS)


def starlette_app(*middleware: Middleware) -> Starlette:
    return Starlette(routes=[Route(PATH, starlette_orders)], middleware=middleware)


def starlette_m2mguard(issuer: LocalIssuer) -> Any:
    requires = Requirement(scopes=[SCOPE])
    return starlette_app(Middleware(BearerAuthMiddleware, server=server_of(issuer), requires=requires))


def starlette_pyjwt(issuer: LocalIssuer) -> Any:
    verify = peers.pyjwt(issuer, issuer.current_key.algorithm)

    class Backend(AuthenticationBackend):
        async def authenticate(self, connection: HTTPConnection[Any]) -> tuple[AuthCredentials, SimpleUser]:
            _, _, token = connection.headers.get("Authorization", "").partition(" ")
            try:
                claims = verify(token)
            except Exception as error:
                raise AuthenticationError("invalid token") from error
            return AuthCredentials(claims.get("scope", "").split()), SimpleUser(claims["sub"])

    return starlette_app(Middleware(AuthenticationMiddleware, backend=Backend()))


def starlette_fastmcp(issuer: LocalIssuer) -> Any:
    from fastmcp.server.auth.providers.jwt import JWTVerifier
    from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend

    verifier = JWTVerifier(
        jwks_uri=issuer.jwks_uri,
        issuer=issuer.url,
        audience=SHOPPING_API,
        algorithm=issuer.current_key.algorithm,
        required_scopes=[SCOPE],
    )
    return starlette_app(Middleware(AuthenticationMiddleware, backend=BearerAuthBackend(verifier)))


def starlette_mcpauth(issuer: LocalIssuer) -> Any:
    from contextvars import ContextVar

    from mcpauth.middleware.create_bearer_auth import BearerAuthConfig, create_bearer_auth

    configuration = BearerAuthConfig(issuer=issuer.url, audience=SHOPPING_API, required_scopes=[SCOPE])
    verify = peers.mcpauth(issuer, issuer.current_key.algorithm)
    return starlette_app(Middleware(create_bearer_auth(verify, configuration, ContextVar("auth", default=None))))


def fastapi_app(*dependencies: Any) -> FastAPI:
    app = FastAPI()

    @app.get(PATH, dependencies=dependencies)
    async def orders() -> dict[str, Any]:
        return ORDERS

    return app


def fastapi_m2mguard(issuer: LocalIssuer) -> FastAPI:
    app, auth = FastAPI(), M2MAuth(server_of(issuer))

    @app.get(PATH)
    async def orders(caller: Annotated[Caller, Security(auth, scopes=[SCOPE])]) -> dict[str, Any]:
        return ORDERS

    return app


async def nothing(connection: HTTPConnection, security_scopes: SecurityScopes) -> None:
    """What FastAPI itself takes for a dependency, asked for as ours is."""


async def hashing(connection: HTTPConnection, security_scopes: SecurityScopes) -> bytes:
    """The least that any dependency must do to recognise a token: find its field, and hash it."""
    [field] = [value for name, value in connection.scope["headers"] if name == b"authorization"]
    return sha256(field).digest()


def fastapi_pyjwt(issuer: LocalIssuer) -> FastAPI:
    verify, bearer = peers.pyjwt(issuer, issuer.current_key.algorithm), HTTPBearer()

    async def claims(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> Any:
        try:
            return verify(credentials.credentials)
        except Exception as error:
            raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from error

    return fastapi_app(Depends(claims))


def fastapi_azure_auth(issuer: LocalIssuer) -> FastAPI:
    return fastapi_app(Security(peers.azure_scheme(issuer)))


def flask_app(protect: Callable[[Any], Any] = lambda view: view) -> Flask:
    app = Flask(__name__)
    app.add_url_rule(PATH, view_func=protect(flask_orders))
    return app


def flask_orders() -> dict[str, Any]:
    return ORDERS


def flask_m2mguard(issuer: LocalIssuer) -> Flask:
    guard = M2MGuard(server=server_of(issuer))
    app = flask_app(guard.requires(SCOPE))
    guard.init_app(app)
    return app


def flask_pyjwt(issuer: LocalIssuer) -> Flask:
    verify = peers.pyjwt(issuer, issuer.current_key.algorithm)

    def protect(view: Callable[[], Any]) -> Callable[[], Any]:
        def protected() -> Any:
            try:
                verify(request.headers.get("Authorization", "").removeprefix("Bearer "))
            except Exception:  # noqa: BLE001 - as applications write it
                return {"error": "invalid_token"}, 401
            return view()

        return protected

    return flask_app(protect)


def flask_authlib(issuer: LocalIssuer) -> Flask:
    from authlib.integrations.flask_oauth2 import ResourceProtector

    protector = ResourceProtector()
    protector.register_token_validator(peers.authlib_validator(issuer, issuer.current_key.algorithm))
    return flask_app(protector(SCOPE))


def wsgi_orders(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body = json.dumps(ORDERS).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def wsgi_m2mguard(issuer: LocalIssuer) -> Any:
    return wsgi.BearerAuthMiddleware(wsgi_orders, server_of(issuer), requires=Requirement(scopes=[SCOPE]))


def wsgi_pyjwt(issuer: LocalIssuer) -> Any:
    verify = peers.pyjwt(issuer, issuer.current_key.algorithm)

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            verify(environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer "))
        except Exception:  # noqa: BLE001 - as applications write it
            start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer")])
            return []
        return wsgi_orders(environ, start_response)

    return application


ASGI: Mapping[str, Build] = {
    "no authentication": lambda issuer: starlette_app(),
    "m2mguard": starlette_m2mguard,
    "PyJWT in Starlette's middleware": starlette_pyjwt,
    "fastmcp's middleware": starlette_fastmcp,
    "mcpauth's middleware": starlette_mcpauth,
}
FASTAPI: Mapping[str, Build] = {
    "no authentication": lambda issuer: fastapi_app(),
    NOTHING: lambda issuer: fastapi_app(Security(nothing, scopes=[SCOPE])),
    HASHING: lambda issuer: fastapi_app(Security(hashing, scopes=[SCOPE])),
    BEARER: lambda issuer: fastapi_app(Depends(HTTPBearer())),
    "m2mguard": fastapi_m2mguard,
    "PyJWT in a dependency": fastapi_pyjwt,
    "fastapi-azure-auth": fastapi_azure_auth,
}
FLASK: Mapping[str, Build] = {
    "no authentication": lambda issuer: flask_app(),
    "m2mguard": flask_m2mguard,
    "PyJWT in a decorator": flask_pyjwt,
    "Authlib's ResourceProtector": flask_authlib,
}
WSGI: Mapping[str, Build] = {
    "no authentication": lambda issuer: wsgi_orders,
    "m2mguard": wsgi_m2mguard,
    "PyJWT in a middleware": wsgi_pyjwt,
}
