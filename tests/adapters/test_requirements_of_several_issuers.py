"""With several issuers a requirement with App IDs must name its issuer: each adapter reports it early and stays closed."""

import types
from dataclasses import replace
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from flask import Flask
from rest_framework.test import APIClient
from rest_framework.views import APIView

from m2mguard import (
    ConfigurationError,
    InsufficientScope,
    Issuer,
    Requirement,
    ResourceServer,
    asgi,
    django,
    starlette,
    wsgi,
)
from m2mguard.drf import HasScopes, M2MAuthentication, Machine
from m2mguard.fastapi import M2MAuth
from m2mguard.flask import M2MGuard, current_caller
from m2mguard.ninja import M2MAuth as NinjaAuth
from m2mguard.testing import SHOPPING_API, LocalIssuer

AMBIGUOUS = Requirement(app_ids=["app-orders"])


@pytest.fixture(scope="session")
def partner() -> LocalIssuer:
    return LocalIssuer()


@pytest.fixture
def server(issuer, partner) -> ResourceServer:
    both = [replace(Issuer.logto(one.endpoint), jwks=one.jwks) for one in (issuer, partner)]
    return ResourceServer(both, audience=SHOPPING_API)


@pytest.fixture
def send(issuer, partner):
    """The statuses for the App ID of our issuer and for the same App ID of the partner's issuer."""

    def statuses(get) -> list[int]:
        return [get(headers={"Authorization": f"Bearer {one.mint()}"}).status_code for one in (issuer, partner)]

    return statuses


def test_an_organization_audience_needs_a_named_issuer(issuer, partner):
    """Organization ids are unique within one issuer only: the partner may have another organization with the same id."""
    audience = ["urn:logto:organization:org-1"]
    trusted = [replace(Issuer.logto(one.endpoint), jwks=one.jwks) for one in (issuer, partner)]
    ours, theirs = (one.mint(audience=audience) for one in (issuer, partner))
    alone, both = ResourceServer(trusted[0], audience=audience), ResourceServer(trusted, audience=audience)
    assert alone.verify(ours).app_id == both.verify(ours, Requirement(issuers=[issuer.url])).app_id == "app-orders"
    for requirement, token in ((Requirement(issuers=[issuer.url]), theirs), (None, ours), (None, theirs)):
        with pytest.raises(InsufficientScope):
            both.verify(token, requirement)


async def no_app(*_: Any) -> None:
    raise AssertionError("never called")


def test_the_middlewares_reject_it_at_construction(server, issuer):
    for build in (
        lambda requires: asgi.BearerAuthMiddleware(no_app, server, requires=requires),
        lambda requires: wsgi.BearerAuthMiddleware(lambda *_: [], server, requires=requires),
    ):
        with pytest.raises(ConfigurationError, match="issuers="):
            build(AMBIGUOUS)
        build(replace(AMBIGUOUS, issuers=[issuer.url]))


def test_starlette_rejects_it_when_the_route_is_built(server, issuer):
    with pytest.raises(ConfigurationError, match="issuers="):
        starlette.requires(server, app_ids=["app-orders"])
    with pytest.raises(ConfigurationError, match="issuers="):
        starlette.requires(server, organization=lambda connection: "org-1")
    starlette.requires(server, app_ids=["app-orders"], issuers=[issuer.url])


def test_fastapi_rejects_it_when_the_route_is_built(server, issuer, send):
    auth = M2MAuth(server)
    with pytest.raises(ConfigurationError, match="issuers="):
        auth.requires(app_ids=["app-orders"])
    ours = auth.requires(app_ids=["app-orders"], issuers=[issuer.url])
    app = FastAPI()
    app.get("/orders", dependencies=[Depends(ours)])(lambda: "orders")

    client = TestClient(app)
    assert send(lambda **headers: client.get("/orders", **headers)) == [200, 403]


def test_flask_with_a_server_rejects_it_when_the_route_is_built(server, issuer, send):
    app = Flask("orders")
    guard = M2MGuard(app, server)
    with pytest.raises(ConfigurationError, match="issuers="):
        guard.requires(app_ids=["app-orders"])
    with pytest.raises(ConfigurationError, match="issuers="):
        guard.protect(app, organization="org-1")

    @app.get("/orders")
    @guard.requires(app_ids=["app-orders"], issuers=[issuer.url])
    def orders():
        return current_caller.app_id

    assert send(lambda **headers: app.test_client().get("/orders", **headers)) == [200, 403]


def test_flask_without_a_server_admits_no_request(server, send):
    guard = M2MGuard()
    app = Flask("orders")

    @app.get("/orders")
    @guard.requires(app_ids=["app-orders"])
    def orders():
        raise AssertionError("never called")

    app.extensions["m2mguard"] = server
    assert send(lambda **headers: app.test_client().get("/orders", **headers)) == [500, 500]


def django_urls(view: Any) -> Any:
    urls: Any = types.ModuleType("urls")
    urls.urlpatterns = [path("orders/", view)]
    return urls


def test_django_rejects_it_in_its_setting(server):
    with (
        override_settings(M2MGUARD={"SERVER": server, "REQUIRES": AMBIGUOUS}),
        pytest.raises(ConfigurationError, match="issuers="),
    ):
        django.resource_server()


def test_a_view_of_django_admits_no_request(server, issuer, send):
    @django.requires(app_ids=["app-orders"])
    def ambiguous(request):
        raise AssertionError("never called")

    @django.requires(app_ids=["app-orders"], issuers=[issuer.url])
    def orders(request):
        return HttpResponse("ok")

    client = Client(raise_request_exception=False)
    for view, expected in ((ambiguous, [500, 500]), (orders, [200, 403])):
        with override_settings(M2MGUARD={"SERVER": server}, ROOT_URLCONF=django_urls(view)):
            assert send(lambda **headers: client.get("/orders/", **headers)) == expected


def test_django_rest_framework_admits_no_request(server, issuer, send):
    client = APIClient(raise_request_exception=False)
    for issuers, expected in (((), [500, 500]), ([issuer.url], [200, 403])):

        class Orders(APIView):
            authentication_classes = (M2MAuthentication,)
            permission_classes = (HasScopes(app_ids=["app-orders"], issuers=issuers),)

            def get(self, request):
                return HttpResponse("ok")

        with override_settings(M2MGUARD={"SERVER": server}, ROOT_URLCONF=django_urls(Orders.as_view())):
            assert send(lambda **headers: client.get("/orders/", **headers)) == expected


def test_django_ninja_rejects_it_when_the_class_is_built(server, issuer):
    with pytest.raises(ConfigurationError, match="issuers="):
        NinjaAuth(server, app_ids=["app-orders"])
    NinjaAuth(server, app_ids=["app-orders"], issuers=[issuer.url])


def test_throttles_of_django_rest_framework_count_by_issuer_and_person(server, issuer, partner):
    keys = [Machine(caller=server.verify(one.mint())).pk for one in (issuer, partner)]
    any_caller = ResourceServer(
        replace(Issuer.logto(issuer.endpoint), jwks=issuer.jwks), audience=SHOPPING_API, machine_only=False
    )
    keys += [
        Machine(caller=any_caller.verify(issuer.mint_user_token(person, app_id="app-orders"))).pk for person in "ab"
    ]
    assert len(set(keys)) == 4
