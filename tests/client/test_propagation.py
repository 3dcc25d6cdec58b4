"""A service that calls another service: an error with its own token is never a 401 for its caller."""

import importlib.util
from pathlib import Path
from types import ModuleType

import httpx2
import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import Route

from m2mguard import Issuer, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.client import TokenRequestError, TokenRequestRefused, TokenSource
from m2mguard.errors import AnswerableError
from m2mguard.testing import SHOPPING_API, faults
from tests.client.apis import Api

EXAMPLE = Path(__file__).parents[2] / "examples" / "order_system" / "orders_api.py"


@pytest.fixture(scope="module")
def orders_api() -> ModuleType:
    """The first API of the example."""
    spec = importlib.util.spec_from_file_location("orders_api", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def stock() -> Api:
    return Api()


@pytest.fixture
def call(issuer, orders_api, stock, serve):
    """Call the first API with a valid token; the API uses this source for its own token."""

    def call(source: TokenSource) -> httpx2.Response:
        server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
        app = TestClient(orders_api.create_app(server, source, serve(stock)))
        callers = issuer.mint("web-shop", scopes=["read:orders"])
        return app.get("/orders/tea", headers={"Authorization": f"Bearer {callers}"})

    return call


def test_a_service_that_gets_no_token_answers_503(call, make_source, stock):
    answer = call(make_source(app_secret="wrong"))
    assert (answer.status_code, answer.json()) == (503, {"error": "temporarily_unavailable"})
    assert stock.received == []


def test_a_service_whose_issuer_is_down_answers_503(call, issuer, source):
    issuer.misbehave("token", faults.disconnect())
    assert call(source).status_code == 503


def test_a_service_whose_token_is_rejected_answers_502(call, source, stock):
    stock.rejects_everything = True
    assert call(source).status_code == 502
    assert [request.authorization for request in stock.received] == [source.token().authorization]


def test_no_adapter_treats_a_token_request_error_as_a_refusal(issuer, make_source):
    assert not issubclass(TokenRequestError, AnswerableError)
    source = make_source(app_secret="wrong")

    async def orders(request):
        await source.atoken()

    app = Starlette(routes=[Route("/orders", orders)])
    server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
    protected = BearerAuthMiddleware(app, server=server)
    token = {"Authorization": f"Bearer {issuer.mint()}"}
    with pytest.raises(TokenRequestRefused):
        TestClient(protected).get("/orders", headers=token)
    assert TestClient(protected, raise_server_exceptions=False).get("/orders", headers=token).status_code == 500
