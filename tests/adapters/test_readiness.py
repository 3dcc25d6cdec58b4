"""The readiness endpoints: the same answers in every framework, without a token and without waiting for the issuer."""

import httpx2
import pytest
from django.test import Client, override_settings
from django.urls import path
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from m2mguard import Issuer, ResourceServer
from m2mguard.asgi import readiness as asgi_readiness
from m2mguard.django import readiness as django_readiness
from m2mguard.flask import M2MGuard
from m2mguard.flask import readiness as flask_readiness
from m2mguard.testing import SHOPPING_API, LocalIssuer
from m2mguard.wsgi import readiness as wsgi_readiness

urlpatterns = [path("readyz", django_readiness)]


@pytest.fixture
def issuer():
    """A running issuer: the first probe starts a fetch. The issuer of this folder does not run."""
    with LocalIssuer(algorithm="ES256") as running:
        yield running


@pytest.fixture
def server(issuer):
    return ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)


def under_asgi(server):
    return TestClient(asgi_readiness(server)).request


def under_starlette(server):
    return TestClient(Starlette(routes=[Route("/readyz", asgi_readiness(server))])).request


def under_wsgi(server):
    return httpx2.Client(transport=httpx2.WSGITransport(app=wsgi_readiness(server)), base_url="http://api").request


def under_flask(server):
    app = Flask(__name__)
    M2MGuard(app, server=server)
    app.add_url_rule("/readyz", view_func=flask_readiness)
    client = app.test_client()
    return lambda method, url: client.open(url, method=method)


def under_django(server):
    def request(method, url):
        with override_settings(M2MGUARD={"SERVER": server}, ROOT_URLCONF=__name__):
            return Client().generic(method, url)

    return request


@pytest.mark.parametrize("under", [under_asgi, under_starlette, under_wsgi, under_flask, under_django])
def test_every_framework_answers_a_probe_the_same_way(issuer, server, under):
    request = under(server)
    with issuer.hold("jwks"):  # the first probe starts a fetch in the background and does not wait for it
        assert request("GET", "/readyz").status_code == 503
        assert request("GET", "/readyz").headers["retry-after"] == "1"
    server.warm_up()
    calls = issuer.count()
    response = request("GET", "/readyz")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert (response.content if hasattr(response, "content") else response.data) == b'{"status": "ready"}'
    head = request("HEAD", "/readyz")
    assert head.status_code == 200
    assert not (head.content if hasattr(head, "content") else head.data)
    assert issuer.count() == calls
