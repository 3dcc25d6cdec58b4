"""Exempt preflights in real frameworks: they reach the CORS support of the application, but no method override."""

import bottle
import falcon
import litestar
import litestar.testing
import pytest
import quart
from flask import Flask
from litestar.config.cors import CORSConfig
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from werkzeug.test import Client

from m2mguard.asgi import BearerAuthMiddleware as AsgiMiddleware
from m2mguard.wsgi import BearerAuthMiddleware as WsgiMiddleware

SHOP = "https://shop.example"
PREFLIGHT = {"Origin": SHOP, "Access-Control-Request-Method": "DELETE"}
OVERRIDDEN = [{"X-HTTP-Method-Override": "DELETE"}, {"X-HTTP-Method": "DELETE"}, {"X-Method-Override": "DELETE"}]


# --- Each application answers CORS as usual in its framework and records a deleted order when a DELETE reaches it.


def starlette(deleted):
    def orders(request):
        deleted.append(1)
        return PlainTextResponse("deleted")

    cors = Middleware(CORSMiddleware, allow_origins=[SHOP], allow_methods=["DELETE"])
    return TestClient, Starlette(routes=[Route("/orders", orders, methods=["DELETE"])], middleware=[cors])


def litestar_app(deleted):
    @litestar.delete("/orders", status_code=200)
    async def orders() -> str:
        deleted.append(1)
        return "deleted"

    cors = CORSConfig(allow_origins=[SHOP], allow_methods=["DELETE"])
    return litestar.testing.TestClient, litestar.Litestar([orders], cors_config=cors, logging_config=None)


def quart_app(deleted):
    app = quart.Quart(__name__)

    @app.delete("/orders")
    async def orders():
        deleted.append(1)
        return "deleted"

    @app.after_request
    async def cors(response):
        response.headers["Access-Control-Allow-Origin"] = SHOP
        return response

    return TestClient, app


def flask_app(deleted):
    app = Flask(__name__)

    @app.delete("/orders")
    def orders():
        deleted.append(1)
        return "deleted"

    @app.after_request
    def cors(response):
        response.headers["Access-Control-Allow-Origin"] = SHOP
        return response

    return Client, app


def bottle_app(deleted):
    app = bottle.Bottle()

    @app.delete("/orders")
    def orders():
        deleted.append(1)
        return "deleted"

    @app.route("/<path:path>", method="OPTIONS")
    def cors(path):
        bottle.response.headers["Access-Control-Allow-Origin"] = SHOP
        return "the body of an answer to a preflight"

    return Client, app


def falcon_app(deleted):
    class Orders:
        def on_delete(self, request, response):
            deleted.append(1)

    app = falcon.App(cors_enable=True)
    app.add_route("/orders", Orders())
    return Client, app


APPLICATIONS = [starlette, litestar_app, quart_app, flask_app, bottle_app, falcon_app]
frameworks = pytest.mark.parametrize("make", APPLICATIONS, ids=lambda make: make.__name__)


class OverridesWsgi:
    """A method override as in Flask's documentation, "Adding HTTP Method Overrides"."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        for name in ("HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_HTTP_METHOD", "HTTP_X_METHOD_OVERRIDE"):
            environ["REQUEST_METHOD"] = environ.get(name, environ["REQUEST_METHOD"])
        if environ["QUERY_STRING"] == "_method=DELETE" or environ["wsgi.input"].read() == b"_method=DELETE":
            environ["REQUEST_METHOD"] = "DELETE"
        return self.app(environ, start_response)


class OverridesAsgi:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            fields = dict(scope["headers"])
            for name in (b"x-http-method-override", b"x-http-method", b"x-method-override"):
                scope["method"] = fields.get(name, scope["method"].encode()).decode()
            if scope["query_string"] == b"_method=DELETE" or (await receive()).get("body") == b"_method=DELETE":
                scope["method"] = "DELETE"
        await self.app(scope, receive, send)


@pytest.fixture
def deleted():
    return []


@pytest.fixture
def protected(server, deleted):
    """A client of a protected application: `protected(make)`; `overrides` adds a middleware for method overrides."""

    def client(make, *, overrides=False):
        kind, app = make(deleted)
        if overrides:
            app = OverridesWsgi(app) if kind is Client else OverridesAsgi(app)
        middleware = WsgiMiddleware if kind is Client else AsgiMiddleware
        return kind(middleware(app, server, preflight="exempt", public=["GET /orders"]))

    return client


def options(client, path, body=b""):
    if isinstance(client, Client):
        return client.open(path, method="OPTIONS", headers=PREFLIGHT, data=body)
    return client.request("OPTIONS", path, headers=PREFLIGHT, content=body)


@frameworks
def test_the_application_answers_an_exempt_preflight_without_a_body(protected, make):
    answer = options(protected(make), "/orders")
    assert answer.status_code in (200, 204)
    assert answer.headers["Access-Control-Allow-Origin"] in (SHOP, "*")
    assert not answer.text
    assert answer.headers.get("Content-Length") == (None if answer.status_code == 204 else "0")


@frameworks
def test_a_request_that_is_no_preflight_needs_a_token(protected, make, bearer, deleted):
    client = protected(make)
    for fields in ({}, {"Origin": SHOP}, PREFLIGHT | {"Proxy-Authorization": "Basic eDp5"}):
        assert client.options("/orders", headers=fields).status_code == 401
    assert client.delete("/orders", headers=PREFLIGHT).status_code == 401
    assert deleted == []
    assert client.delete("/orders", headers=bearer()).status_code == 200
    assert deleted == [1]


@frameworks
@pytest.mark.parametrize("field", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_field_cannot_override_the_method_of_a_public_request(protected, make, field, bearer, deleted):
    client = protected(make, overrides=True)
    assert client.options("/orders", headers=PREFLIGHT | {field: "DELETE"}).status_code == 401
    assert client.get("/orders", headers={field: "DELETE"}).status_code == 401
    assert deleted == []
    assert client.get("/orders", headers={field: "DELETE"} | bearer()).status_code == 200
    assert deleted == [1]


@frameworks
def test_a_query_or_body_cannot_override_the_method_of_a_public_request(protected, make, deleted):
    client = protected(make, overrides=True)
    assert options(client, "/orders?_method=DELETE").status_code == 401
    assert client.get("/orders?_method=DELETE").status_code == 401
    assert options(client, "/orders", b"_method=DELETE").status_code == 401
    assert deleted == []


def test_an_asgi_view_with_its_own_options_sends_no_data(server):
    async def orders(request):
        return PlainTextResponse("all the orders", headers={"Access-Control-Allow-Origin": SHOP})

    app = Starlette(routes=[Route("/orders", orders, methods=["GET", "OPTIONS"])])
    answer = TestClient(AsgiMiddleware(app, server, preflight="exempt")).options("/orders", headers=PREFLIGHT)
    assert (answer.status_code, answer.text) == (200, "")
