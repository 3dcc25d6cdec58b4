"""Every adapter serves the API's metadata at its path without a token and with any Host (RFC 9728 section 3)."""

import json
import types
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import pytest
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path as url
from fastapi import Depends, FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from werkzeug.test import Client as WSGIClient

from m2mguard import ConfigurationError, Issuer, ResourceServer, asgi, django, fastapi, flask, starlette, wsgi
from m2mguard.testing import SHOPPING_API, LocalIssuer

RESOURCE = "https://shopping.api/v1"
PATH = "/.well-known/oauth-protected-resource/v1"
FORGED = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
Answered = tuple[int, Any, bytes]
Send = Callable[..., Answered]


@pytest.fixture
def server(issuer: LocalIssuer) -> ResourceServer:
    trusted = Issuer(url=issuer.url, jwks=issuer.jwks)
    return ResourceServer(trusted, audience=SHOPPING_API, resource_url=RESOURCE, scopes_supported=["read:orders"])


def over_asgi(app: Any) -> Send:
    def send(method: str, path: str, headers: Mapping[str, str] | None = None) -> Answered:
        answer = TestClient(app, follow_redirects=False).request(method, path, headers=headers or {})
        return answer.status_code, answer.headers, answer.content

    return send


def over_wsgi(app: Any) -> Send:
    def send(method: str, path: str, headers: Mapping[str, str] | None = None) -> Answered:
        answer = WSGIClient(app).open(path, method=method, headers=dict(headers or {}))
        return answer.status_code, answer.headers, answer.data

    return send


def asgi_middleware(server: ResourceServer) -> Send:
    return over_asgi(asgi.BearerAuthMiddleware(PlainTextResponse("inside"), server))


def starlette_route(server: ResourceServer) -> Send:
    guarded = Route("/v1/orders", lambda _: PlainTextResponse("inside"), middleware=[starlette.requires(server)])
    return over_asgi(Starlette(routes=[starlette.resource_metadata(server), guarded]))


def fastapi_router(server: ResourceServer) -> Send:
    app = FastAPI(dependencies=[Depends(fastapi.M2MAuth(server))])
    app.include_router(fastapi.resource_metadata(server))
    app.get("/v1/orders")(lambda: "inside")
    assert PATH not in app.openapi()["paths"]
    return over_asgi(app)


def wsgi_middleware(server: ResourceServer) -> Send:
    def inside(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"inside"]

    return over_wsgi(wsgi.BearerAuthMiddleware(inside, server))


def flask_app(server: ResourceServer) -> Send:
    app = Flask(__name__)
    flask.M2MGuard(app, server).protect(app)
    app.add_url_rule("/v1/orders", "orders", lambda: "inside")
    return over_wsgi(app)


def django_urls(server: ResourceServer) -> Send:
    return over_django(server, middleware=["django.middleware.csrf.CsrfViewMiddleware"])


def django_middleware(server: ResourceServer) -> Send:
    return over_django(server, middleware=["m2mguard.django.M2MGuardMiddleware"])


def inside(request: HttpRequest) -> HttpResponse:
    return HttpResponse("inside")


def over_django(server: ResourceServer, *, middleware: list[str]) -> Send:
    def send(method: str, path: str, headers: Mapping[str, str] | None = None) -> Answered:
        with override_settings(
            M2MGUARD={"SERVER": server}, MIDDLEWARE=middleware, ROOT_URLCONF=(urls := types.ModuleType("urls"))
        ):
            orders = url("v1/orders", django.requires()(inside))
            found = [] if "m2mguard" in middleware[0] else [django.resource_metadata()]
            vars(urls)["urlpatterns"] = [*found, orders]
            answer = Client().generic(method, path, headers=dict(headers or {}))
        return answer.status_code, answer.headers, answer.content

    return send


each_adapter = pytest.mark.parametrize(
    "adapter",
    [asgi_middleware, starlette_route, fastapi_router, wsgi_middleware, flask_app, django_urls, django_middleware],
    ids=lambda adapter: adapter.__name__,
)


@each_adapter
def test_the_document_is_served_without_a_token(adapter, server, issuer):
    status, headers, body = adapter(server)("GET", PATH)
    assert (status, headers["content-type"], headers["content-length"]) == (200, "application/json", str(len(body)))
    assert json.loads(body) == {
        "resource": RESOURCE,
        "authorization_servers": [issuer.url],
        "scopes_supported": ["read:orders"],
        "bearer_methods_supported": ["header"],
    }


@each_adapter
def test_no_field_of_a_request_changes_the_document(adapter, server, bearer):
    send = adapter(server)
    _, _, plain = send("GET", PATH)
    for headers in (FORGED, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}, bearer()):
        assert send("GET", PATH, headers)[::2] == (200, plain)
    assert send("GET", f"{PATH}?resource=https://evil.example")[::2] == (200, plain)


@each_adapter
def test_head_gets_the_headers_without_a_body(adapter, server):
    status, headers, body = adapter(server)("HEAD", PATH)
    assert (status, body) == (200, b"")
    assert headers["content-length"] == str(len(server.resource_metadata.answer.body))


@each_adapter
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_no_other_method_gets_the_document(adapter, server, method):
    status, _, body = adapter(server)(method, PATH)
    assert status in (401, 405)
    assert b"authorization_servers" not in body
    assert b"inside" not in body


@each_adapter
def test_other_paths_stay_protected_and_name_the_metadata_url(adapter, server, bearer):
    send = adapter(server)
    status, headers, _ = send("GET", "/v1/orders")
    assert status == 401
    assert f'resource_metadata="https://shopping.api{PATH}"' in headers["www-authenticate"]
    assert send("GET", "/v1/orders", bearer())[0] == 200


@each_adapter
@pytest.mark.parametrize(
    "path",
    [
        f"{PATH}/",
        f"{PATH}/orders",
        "/.well-known/oauth-protected-resource",
        "/.well-known/%6fauth-protected-resource/v1/x",
    ],
)
def test_the_document_makes_no_other_path_public(adapter, server, path):
    status, _, body = adapter(server)("GET", path)
    assert status in (307, 401, 404)
    assert b"inside" not in body
    assert b"authorization_servers" not in body


@pytest.mark.parametrize(
    "adapter", [asgi_middleware, wsgi_middleware, flask_app, django_middleware], ids=lambda adapter: adapter.__name__
)
def test_without_resource_url_the_metadata_path_is_protected(adapter, issuer):
    without_metadata = ResourceServer(Issuer(url=issuer.url, jwks=issuer.jwks), audience=SHOPPING_API)
    status, headers, _ = adapter(without_metadata)("GET", PATH)
    assert status == 401
    assert "resource_metadata" not in headers["www-authenticate"]


@pytest.mark.parametrize(
    "adapter", [starlette_route, fastapi_router, django_urls], ids=lambda adapter: adapter.__name__
)
def test_a_metadata_route_without_resource_url_is_rejected(adapter, issuer):
    without_metadata = ResourceServer(Issuer(url=issuer.url, jwks=issuer.jwks), audience=SHOPPING_API)
    with pytest.raises(ConfigurationError, match=r"resource_url|RESOURCE_URL"):
        adapter(without_metadata)("GET", PATH)


def test_the_django_middleware_serves_the_document_under_asgi(server):
    async def answers() -> list[tuple[int, bytes]]:
        found = [await AsyncClient().get(path) for path in (PATH, f"{PATH}/")]
        return [(answer.status_code, answer.content) for answer in found]

    urls: Any = types.ModuleType("urls")
    urls.urlpatterns = []
    middleware = ["m2mguard.django.M2MGuardMiddleware"]
    with override_settings(M2MGUARD={"SERVER": server}, MIDDLEWARE=middleware, ROOT_URLCONF=urls):
        at_its_path, at_another_path = anyio.run(answers)
    assert at_its_path == (200, server.resource_metadata.answer.body)
    assert at_another_path[0] == 401


async def test_a_websocket_at_the_metadata_path_is_protected(server):
    sent = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope = {"type": "websocket", "path": PATH, "headers": []}
    await asgi.BearerAuthMiddleware(PlainTextResponse("inside"), server)(scope, None, send)
    assert sent == ["websocket.close"]


def test_the_metadata_path_is_relative_to_the_root_path(server):
    app = asgi.BearerAuthMiddleware(PlainTextResponse("inside"), server)
    assert TestClient(app, root_path="/shop").get(f"/shop{PATH}").status_code == 200
