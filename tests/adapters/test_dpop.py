"""Every adapter lets in the owner of a token that is bound to a key, with a new proof for each request (RFC 9449)."""

import time
from dataclasses import replace
from typing import Annotated, Any

import pytest
from aiohttp import web
from django.http import HttpResponse
from fastapi import APIRouter, Depends, FastAPI
from flask import Blueprint, Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from m2mguard import Issuer, ResourceServer
from m2mguard.aiohttp import bearer_auth_middleware
from m2mguard.aiohttp import requires as aiohttp_requires
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.django import requires as django_requires
from m2mguard.dpop import Dpop
from m2mguard.dpop._settings import Nonces
from m2mguard.fastapi import M2MAuth
from m2mguard.flask import M2MGuard
from m2mguard.starlette import requires as starlette_requires
from m2mguard.testing import SHOPPING_API
from tests.adapters.test_certificates import (
    ADAPTERS,
    aiohttp_hello,
    from_loopback,
    hello,
    under_aiohttp,
    under_django,
)
from tests.dpop_proofs import bound_to, dpop_proof

URL = "https://shopping.example"


@pytest.fixture
def server(issuer):
    trusted = replace(Issuer.logto(issuer.endpoint), jwks=issuer.jwks)
    return ResourceServer(trusted, audience=SHOPPING_API, resource_url=URL, dpop=Dpop())


@pytest.fixture
def fields(bearer):
    """Makes the fields of a request with a bound token and a new proof."""

    def make(path="/orders", **changes):
        token = bearer(claims=bound_to())["Authorization"].partition(" ")[2]
        proof = dpop_proof(token, f"{URL}{path}", time.time(), **changes)
        return {"Authorization": f"DPoP {token}", "DPoP": proof}

    return make


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_bound_token_is_accepted_with_a_new_proof_only(adapter, server, bearer, fields):
    send = adapter(server, None)
    given = fields()
    assert send(given) == 200
    assert send(given) == 401
    assert send(fields()) == 200
    assert send(fields(method="POST")) == 401
    assert send(fields("/other")) == 401
    assert send({"Authorization": fields()["Authorization"]}) == 401
    assert send({**fields(), "Host": "evil.example"}) == 200
    assert send(bearer()) == 200  # not bound


def starlette_twice(server):
    routes = [Route("/orders", hello, middleware=[starlette_requires(server, scopes=["read:orders"])])]
    return from_loopback(Starlette(routes=routes, middleware=[Middleware(BearerAuthMiddleware, server=server)]))


def fastapi_twice(server):
    app, auth = FastAPI(), M2MAuth(server)
    router = APIRouter(dependencies=[Depends(auth)])

    @router.get("/orders")
    def orders(caller: Annotated[Any, Depends(auth.requires(scopes=["read:orders"]))]) -> str:
        return str(caller.app_id)

    app.include_router(router)
    return from_loopback(app)


def flask_twice(server):
    app = Flask(__name__)
    guard = M2MGuard(app, server=server)
    orders = Blueprint("orders", __name__)
    orders.get("/orders")(guard.requires("read:orders")(lambda: "hello"))
    guard.protect(orders)
    app.register_blueprint(orders)
    return lambda given: app.test_client().get("/orders", headers=given).status_code


def django_twice(server):
    view = django_requires("read:orders")(lambda _request: HttpResponse("hello"))
    return under_django(view, M2MGUARD={"SERVER": server}, MIDDLEWARE=["m2mguard.django.M2MGuardMiddleware"])


def aiohttp_twice(server):
    def app():
        made = web.Application(middlewares=[bearer_auth_middleware(server)])
        made.router.add_get("/orders", aiohttp_requires("read:orders")(aiohttp_hello))
        return made

    return under_aiohttp(app)


@pytest.mark.parametrize("build", [starlette_twice, fastapi_twice, flask_twice, django_twice, aiohttp_twice])
def test_a_request_that_is_looked_at_twice_uses_its_proof_once(build, server, fields):
    send = build(server)
    given = fields()
    assert send(given) == 200
    assert send(given) == 401
    assert send(fields()) == 200


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_adapter_asks_for_the_nonce(adapter, issuer, fields):
    trusted, key = replace(Issuer.logto(issuer.endpoint), jwks=issuer.jwks), b"n" * 32
    server = ResourceServer(
        trusted, audience=SHOPPING_API, resource_url=URL, dpop=Dpop(nonce=True, nonce_key=key, nonce_lifetime=86_400)
    )
    send = adapter(server, None)
    assert send(fields()) == 401
    nonce = Nonces(key, 86_400).current(time.time())
    assert send(fields(claims={"nonce": nonce})) == 200


def test_a_mounted_application_is_part_of_the_url(server, fields):
    inner = BearerAuthMiddleware(Starlette(routes=[Route("/orders", hello)]), server)
    client = TestClient(Starlette(routes=[Mount("/shop", app=inner)]))
    assert client.get("/shop/orders", headers=fields("/shop/orders")).status_code == 200
    assert client.get("/shop/orders", headers=fields("/orders")).status_code == 401
