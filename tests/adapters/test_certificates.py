"""Every adapter reads the client's certificate, and lets in the owner of a bound token only (RFC 8705)."""

import asyncio
import types
from typing import Annotated, Any
from urllib.parse import quote

import httpx2
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient as AiohttpClient
from aiohttp.test_utils import TestServer as AiohttpServer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.http import HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from fastapi import Depends, FastAPI
from flask import Flask
from litestar import Litestar, get
from ninja import NinjaAPI
from rest_framework.response import Response
from rest_framework.views import APIView
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from m2mguard import ConfigurationError, certificates
from m2mguard._token.confirmation import thumbprint_of
from m2mguard.aiohttp import bearer_auth_middleware
from m2mguard.aiohttp import requires as aiohttp_requires
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.django import requires as django_requires
from m2mguard.drf import M2MAuthentication
from m2mguard.fastapi import M2MAuth
from m2mguard.fastmcp import M2MAuth as FastMCPAuth
from m2mguard.flask import M2MGuard
from m2mguard.forward_auth import ForwardAuth
from m2mguard.litestar import M2MGuardPlugin
from m2mguard.litestar import requires as litestar_requires
from m2mguard.mcp import protect
from m2mguard.ninja import M2MAuth as NinjaAuth
from m2mguard.starlette import requires as starlette_requires
from m2mguard.testing.httpx2 import ProtectedApi
from m2mguard.wsgi import BearerAuthMiddleware as WSGIMiddleware
from tests.client_keys import Certificate

OURS, OTHERS = Certificate.make().certificate, Certificate.make().certificate
FIELD = "X-Client-Cert"


def der_of(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


async def hello(_request: Any) -> PlainTextResponse:
    return PlainTextResponse("hello")


def from_loopback(app: Any) -> Any:
    client = TestClient(app, client=("127.0.0.1", 4711))
    return lambda fields: client.get("/orders", headers=fields).status_code


def asgi(server, certificate):
    return from_loopback(BearerAuthMiddleware(PlainTextResponse("hello"), server, certificate=certificate))


def starlette(server, certificate):
    middleware = [starlette_requires(server, certificate=certificate)]
    return from_loopback(Starlette(routes=[Route("/orders", hello, middleware=middleware)]))


def fastapi(server, certificate):
    app, auth = FastAPI(), M2MAuth(server, certificate=certificate)

    @app.get("/orders")
    def orders(caller: Annotated[Any, Depends(auth)]) -> str:
        return str(caller.app_id)

    return from_loopback(app)


def fastapi_requires(server, certificate):
    app, auth = FastAPI(), M2MAuth(server, certificate=certificate)

    @app.get("/orders", dependencies=[Depends(auth.requires(scopes=["read:orders"]))])
    def orders() -> str:
        return "hello"

    return from_loopback(app)


def litestar(server, certificate):
    @get("/orders")
    async def orders() -> str:
        return "hello"

    return from_loopback(
        Litestar([orders], plugins=[M2MGuardPlugin(server, certificate=certificate)], logging_config=None)
    )


def litestar_guard(server, certificate):
    """On a public path the guard is the first to look at the token."""

    @get("/orders", guards=[litestar_requires("read:orders")])
    async def orders() -> str:
        return "hello"

    plugin = M2MGuardPlugin(server, public=["/orders"], certificate=certificate)
    return from_loopback(Litestar([orders], plugins=[plugin], logging_config=None))


def mcp(server, certificate):
    return from_loopback(protect(PlainTextResponse("hello"), server, certificate=certificate))


def fastmcp(server, certificate):
    app: Any = PlainTextResponse("hello")
    for one in reversed(FastMCPAuth(server, certificate=certificate).get_middleware()):
        app = one.cls(app, *one.args, **one.kwargs)
    return from_loopback(app)


def forward_auth(server, certificate):
    client = TestClient(ForwardAuth(server, certificate=certificate), client=("127.0.0.1", 4711))
    asked = {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/orders"}
    return lambda fields: client.get("/", headers={**asked, **fields}).status_code


def wsgi(server, certificate):
    def application(_environ, start_response):
        start_response("200 OK", [])
        return [b"hello"]

    app = WSGIMiddleware(application, server, certificate=certificate)
    client = httpx2.Client(transport=httpx2.WSGITransport(app=app), base_url="http://api")
    return lambda fields: client.get("/orders", headers=fields).status_code


def flask(server, certificate):
    app = Flask(__name__)
    guard = M2MGuard(app, server=server, certificate=certificate)
    app.get("/orders")(guard.requires("read:orders")(lambda: "hello"))
    return lambda fields: app.test_client().get("/orders", headers=fields).status_code


def flask_async(server, certificate):
    app = Flask(__name__)
    guard = M2MGuard(app, server=server, certificate=certificate)

    async def orders():
        return "hello"

    app.get("/orders")(guard.requires("read:orders")(orders))
    return lambda fields: app.test_client().get("/orders", headers=fields).status_code


def under_django(view, **settings):
    urls: Any = types.ModuleType("urls")
    urls.urlpatterns = [path("orders", view)]

    def send(fields):
        with override_settings(ROOT_URLCONF=urls, **settings):
            return Client().get("/orders", headers=fields).status_code

    return send


def django(server, certificate):
    view = django_requires("read:orders")(lambda _request: HttpResponse("hello"))
    return under_django(view, M2MGUARD={"SERVER": server, "CERTIFICATE": certificate})


def django_middleware(server, certificate):
    setting = {"SERVER": server, "CERTIFICATE": certificate}
    middleware = ["m2mguard.django.M2MGuardMiddleware"]
    return under_django(lambda _request: HttpResponse("hello"), M2MGUARD=setting, MIDDLEWARE=middleware)


def django_async(server, certificate):
    @django_requires("read:orders")
    async def view(_request):
        return HttpResponse("hello")

    urls: Any = types.ModuleType("urls")
    urls.urlpatterns = [path("orders", view)]

    def send(fields):
        with override_settings(ROOT_URLCONF=urls, M2MGUARD={"SERVER": server, "CERTIFICATE": certificate}):
            return asyncio.run(AsyncClient().get("/orders", headers=fields)).status_code

    return send


def view_with(authentication):
    class Orders(APIView):
        authentication_classes = [authentication]  # as Django REST framework has it
        permission_classes = []

        def get(self, _request):
            return Response("hello")

    return Orders.as_view()


def drf(server, certificate):
    return under_django(view_with(M2MAuthentication), M2MGUARD={"SERVER": server, "CERTIFICATE": certificate})


def drf_class(server, certificate):
    own = type("Own", (M2MAuthentication,), {"server": server, "certificate": certificate})
    return under_django(view_with(own))


def ninja(server, certificate):
    api = NinjaAPI(auth=NinjaAuth(server, certificate=certificate), urls_namespace=str(id(server)) + str(certificate))
    api.get("/orders")(lambda request: "hello")
    urls: Any = types.ModuleType("urls")
    urls.urlpatterns = [path("", api.urls)]

    def send(fields):
        with override_settings(ROOT_URLCONF=urls):
            return Client().get("/orders", headers=fields).status_code

    return send


def under_aiohttp(app):
    async def exchange(fields):
        async with AiohttpClient(AiohttpServer(app())) as client, client.get("/orders", headers=fields) as answer:
            return answer.status

    return lambda fields: asyncio.run(exchange(fields))


async def aiohttp_hello(_request):
    return web.Response(text="hello")


def aiohttp(server, certificate):
    def app():
        made = web.Application(middlewares=[bearer_auth_middleware(server, certificate=certificate)])
        made.router.add_get("/orders", aiohttp_hello)
        return made

    return under_aiohttp(app)


def aiohttp_handler(server, certificate):
    def app():
        made = web.Application()
        made.router.add_get("/orders", aiohttp_requires(server=server, certificate=certificate)(aiohttp_hello))
        return made

    return under_aiohttp(app)


ADAPTERS = [
    aiohttp, aiohttp_handler, asgi, django, django_async, django_middleware, drf, drf_class, fastapi, fastapi_requires, fastmcp, flask,
    flask_async, forward_auth, litestar, litestar_guard, mcp, ninja, starlette, wsgi,
]  # fmt: skip


@pytest.fixture
def bound(bearer):
    """The fields of a request with a token that is bound to our certificate."""
    return bearer(claims={"cnf": {"x5t#S256": thumbprint_of(der_of(OURS))}})


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_bound_token_is_accepted_with_its_certificate_only(adapter, server, bearer, bound):
    send = adapter(server, certificates.from_nginx(FIELD))
    ours, others = ({FIELD: quote(pem.decode(), safe="")} for pem in (OURS, OTHERS))
    assert send({**bound, **ours}) == 200
    assert send({**bound, **others}) == 401
    assert send(bound) == 401
    assert send({**bound, FIELD: "spoofed"}) == 401
    assert send({**bearer(), **others}) == 200  # not bound


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_field_is_believed_from_declared_proxies_only(adapter, server, bearer, bound):
    send = adapter(server, certificates.from_nginx(FIELD, proxies=["10.0.0.0/8"]))
    ours = {FIELD: quote(OURS.decode(), safe="")}
    assert send({**bound, **ours}) == 401
    assert send({**bearer(), **ours}) == 200


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_without_a_reader_takes_no_bound_token(adapter, server, bearer, bound):
    send = adapter(server, None)
    ours = {FIELD: quote(OURS.decode(), safe="")}
    assert send({**bound, **ours}) == 401
    assert send({**bearer(), **ours}) == 200


async def not_plain(_head):
    return b""


@pytest.mark.parametrize("certificate", ["X-Client-Cert", not_plain])
@pytest.mark.parametrize(
    "build", [asgi, django, fastapi, fastmcp, flask, forward_auth, litestar, mcp, ninja, starlette, wsgi]
)
def test_what_is_no_reader_is_told_when_the_application_is_built(build, server, certificate):
    with pytest.raises(ConfigurationError, match="certificate must be a reader"):
        build(server, certificate)({})


def test_a_test_may_send_requests_with_a_certificate(server, bound):
    """`ProtectedApi` stands for an API whose proxy ends mutual TLS."""
    for certificate, expected in ((der_of(OURS), 200), (der_of(OTHERS), 401), (None, 401)):
        transport = ProtectedApi(server, certificate=certificate)
        with httpx2.Client(transport=transport, base_url="http://api") as client:
            assert client.get("/orders", headers=bound).status_code == expected
