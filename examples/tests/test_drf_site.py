"""The suite of examples/drf_site.py."""

from django.test import Client

from examples.drf_site import application
from m2mguard import testing as m2m


def test_tokens(m2m_issuer: m2m.LocalIssuer, m2m_headers: m2m.HeadersFactory, m2m_clock: m2m.MovableClock) -> None:
    client, good = Client(SERVER_NAME="localhost"), m2m_headers("app-mine", scopes=["read:orders"])
    with m2m.trusting(application, m2m_issuer):
        assert client.get("/orders").status_code == 401  # no token
        assert client.get("/orders", headers=good).json() == {"hello": "app-mine"}
        assert 'scope="read:orders"' in client.get("/orders", headers=m2m_headers()).headers["WWW-Authenticate"]  # 403
        assert client.get("/orders", headers=m2m_headers(audience="https://stock.api")).status_code == 401
        m2m_issuer.rotate()
        assert client.get("/orders", headers=m2m_headers(scopes=["read:orders"])).status_code == 200
        m2m_clock.advance(hours=1)
        assert client.get("/orders", headers=good).status_code == 401  # expired
        m2m_issuer.stop()
        assert client.get("/orders", headers=m2m_headers(scopes=["read:orders"])).status_code == 200


def test_scopes_without_a_token() -> None:
    with m2m.calling_as(application, m2m.fake_caller(scopes=["write:orders"])):
        assert Client(SERVER_NAME="localhost").get("/orders").status_code == 403


def test_every_route_is_protected() -> None:
    m2m.assert_all_routes_protected(application, except_=["/healthz", "/schema"])
