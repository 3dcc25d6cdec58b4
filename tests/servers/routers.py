"""The same small API in real frameworks, behind the middleware, for a server process.

The answer to `/reports/<path>` and `/files/<path>` is "public: " and the path that the router found. The answer to every other path,
including `/reports` and `/files`, is "secret". Routers that can treat `/reports/` and `/reports` as the same path do so.
"""

import types
from functools import partial
from typing import Any

import bottle
import litestar
import quart
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path as django_path
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from m2mguard import Issuer, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware as AsgiMiddleware
from m2mguard.litestar import M2MGuardPlugin
from m2mguard.testing import SHOPPING_API, LocalIssuer
from m2mguard.wsgi import BearerAuthMiddleware as WsgiMiddleware
from tests import django_site

PUBLIC = ("/reports/", "GET /files/")
SECRET = ("/", "/orders", "/reports", "/files")
OPEN = ("/reports/", "/files/")

_issuer = LocalIssuer()
server = ResourceServer(Issuer(url=_issuer.url, jwks=_issuer.jwks), audience=SHOPPING_API)


def public(path: str) -> str:
    return f"public: {path}"


def secret(**_: str) -> str:
    return "secret"


_of_every_method = partial(
    litestar.route,
    http_method=[litestar.HttpMethod(name) for name in ("GET", "POST", "DELETE", "OPTIONS")],
    status_code=200,
)


@_of_every_method([*SECRET, "/{path:path}"])
async def _litestar_secret() -> str:
    return "secret"


@_of_every_method([f"{prefix}{{path:path}}" for prefix in OPEN])
async def _litestar_public(path: str) -> str:
    return public(path.removeprefix("/"))


_litestar = litestar.Litestar([_litestar_secret, _litestar_public], logging_config=None, openapi_config=None)
litestar_asgi = AsgiMiddleware(_litestar, server, public=PUBLIC)
litestar_plugin = litestar.Litestar(
    [_litestar_secret, _litestar_public],
    logging_config=None,
    openapi_config=None,
    plugins=[M2MGuardPlugin(server, public=PUBLIC)],
)


def _starlette_public(request: Any) -> Any:
    return PlainTextResponse(public(request.path_params["path"]))


def _starlette_secret(_: Any) -> Any:
    return PlainTextResponse("secret")


_starlette = Starlette(
    routes=[
        Mount("/reports", routes=[Route("/", _starlette_secret), Route("/{path:path}", _starlette_public)]),
        Route("/files/{path:path}", _starlette_public),
        Route("/{path:path}", _starlette_secret),
    ]
)
starlette_asgi = AsgiMiddleware(_starlette, server, public=PUBLIC)


def _werkzeug_routes(app: Any, of_public: Any, of_secret: Any) -> Any:
    for path in SECRET:
        app.add_url_rule(path, path, of_secret, strict_slashes=False)
    for prefix in OPEN:
        app.add_url_rule(f"{prefix}<path:path>", prefix, of_public)
    app.add_url_rule("/<path:path>", "any", of_secret)
    return app


async def _public_async(path: str) -> str:
    return public(path)


async def _secret_async(**_: str) -> str:
    return "secret"


quart_asgi: Any = _werkzeug_routes(quart.Quart(__name__), _public_async, _secret_async)
quart_asgi.asgi_app = AsgiMiddleware(quart_asgi.asgi_app, server, public=PUBLIC)
flask_wsgi: Any = _werkzeug_routes(Flask(__name__), public, secret)
flask_wsgi.wsgi_app = WsgiMiddleware(flask_wsgi.wsgi_app, server, public=PUBLIC)

_bottle = bottle.Bottle()
for _path in SECRET:
    _bottle.route(_path, callback=secret)
for _path in OPEN:
    _bottle.route(f"{_path}<path:path>", callback=public)
_bottle.route("/<path:path>", callback=secret)


def _stripping(environ: Any, start_response: Any) -> Any:
    """The application without trailing slashes, as in Bottle's documentation, "Ignore trailing slashes"."""
    environ["PATH_INFO"] = environ["PATH_INFO"].rstrip("/")
    return _bottle(environ, start_response)


bottle_wsgi = WsgiMiddleware(_stripping, server, public=PUBLIC)


django_site.set_up()
_urls: Any = types.ModuleType("urls")
_urls.urlpatterns = [
    *(django_path(path.removeprefix("/"), lambda _: HttpResponse("secret")) for path in (*SECRET, *OPEN)),
    *(django_path(f"{prefix[1:]}<path:path>", lambda _, path: HttpResponse(public(path))) for prefix in OPEN),
    django_path("<path:path>", lambda _, path: HttpResponse("secret")),
]
override_settings(
    M2MGUARD={"SERVER": server, "PUBLIC": PUBLIC},
    MIDDLEWARE=["m2mguard.django.M2MGuardMiddleware", "django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=_urls,
).enable()
django_wsgi = WSGIHandler()
django_asgi = ASGIHandler()
