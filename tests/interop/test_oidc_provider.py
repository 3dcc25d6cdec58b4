"""Tokens of a real OpenID Connect provider, verified by FastAPI under uvicorn over HTTP."""

import base64
import json
from collections.abc import Callable
from typing import Annotated, Any

import pytest
import urllib3
from fastapi import FastAPI, Security

from m2mguard import Caller, Issuer, ResourceServer
from m2mguard.fastapi import M2MAuth

APPS = pytest.mark.parametrize(("app_id", "algorithm"), [("orders-es384", "ES384"), ("orders-rs256", "RS256")])
EACH_APP = pytest.mark.parametrize("app_id", ["orders-es384", "orders-rs256"])


def shop(server: ResourceServer) -> FastAPI:
    auth = M2MAuth(server)
    app = FastAPI()

    @app.get("/orders")
    def orders(caller: Annotated[Caller, Security(auth, scopes=["read:orders"])]) -> dict[str, Any]:
        return {"app_id": caller.app_id, "scopes": sorted(caller.scopes), "issuer": caller.issuer}

    return app


def get_orders(url: str, token: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", f"{url}/orders", headers={"Authorization": f"Bearer {token}"}, timeout=10)


def header_of(token: str) -> dict[str, str]:
    return json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))


@pytest.fixture
def server(oidc_provider) -> ResourceServer:
    """A server that gets only the URL of the provider, so it finds the keys by discovery."""
    return ResourceServer(Issuer(url=oidc_provider.issuer), audience=oidc_provider.resource)


@pytest.fixture
def shop_url(server, serve: Callable[[Any], str]) -> str:
    return serve(shop(server))


@APPS
def test_a_token_of_each_algorithm_names_its_app(oidc_provider, shop_url, app_id, algorithm):
    token = oidc_provider.token(app_id, scope="read:orders write:orders")
    assert (header_of(token)["alg"], header_of(token)["typ"]) == (algorithm, "at+jwt")

    answer = get_orders(shop_url, token)

    assert answer.status == 200, answer.data
    assert answer.json() == {
        "app_id": app_id,
        "scopes": ["read:orders", "write:orders"],
        "issuer": oidc_provider.issuer,
    }


@EACH_APP
async def test_a_token_is_verified_on_every_event_loop(oidc_provider, server, app_id):
    caller = await server.averify(oidc_provider.token(app_id))

    assert (caller.app_id, caller.scopes) == (app_id, frozenset())


@EACH_APP
def test_a_token_without_the_scope_is_refused_with_403(oidc_provider, shop_url, app_id):
    answer = get_orders(shop_url, oidc_provider.token(app_id, scope="write:orders"))

    assert answer.status == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert 'scope="read:orders"' in answer.headers["www-authenticate"]


@EACH_APP
def test_a_token_for_another_api_is_refused_with_401(oidc_provider, serve, app_id):
    stock = serve(shop(ResourceServer(oidc_provider.issuer, audience="https://stock.api")))

    answer = get_orders(stock, oidc_provider.token(app_id, scope="read:orders"))

    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@EACH_APP
def test_a_changed_payload_is_refused_with_401(oidc_provider, shop_url, app_id):
    header, payload, signature = oidc_provider.token(app_id).split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["scope"] = "read:orders"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()

    answer = get_orders(shop_url, f"{header}.{forged}.{signature}")

    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
