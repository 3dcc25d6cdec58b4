"""Plain http beyond loopback: rejected unless allowed explicitly, and then reported with a warning at every start."""

import logging
import socket
from typing import Any

import pytest

from m2mguard import ConfigurationError, Issuer, ResourceServer
from m2mguard.client import TokenSource
from m2mguard.events import PlainHttpAllowed
from m2mguard.net import HttpTransport
from m2mguard.testing import SHOPPING_API, LocalIssuer, ThrowawayCA

INSIDE = "http://logto:3001"
SECRET: dict[str, Any] = {"client_id": "app", "client_secret": "secret"}
BUILDERS = {
    "issuer": lambda **kw: ResourceServer(Issuer(url=f"{INSIDE}/oidc", **kw), audience=SHOPPING_API),
    "Logto": lambda **kw: ResourceServer(Issuer.logto(INSIDE, **kw), audience=SHOPPING_API),
    "alias": lambda **kw: ResourceServer(
        Issuer(url=f"{INSIDE}/oidc", aliases=["http://sso:80/oidc"], **kw), audience=SHOPPING_API
    ),
    "jwks_uri": lambda **kw: ResourceServer(
        Issuer(url="https://sso.example", jwks_uri=f"{INSIDE}/oidc/jwks", **kw), audience=SHOPPING_API
    ),
    "token endpoint": lambda **kw: TokenSource(token_endpoint=f"{INSIDE}/oidc/token", **SECRET, **kw),
    "token source by issuer": lambda **kw: TokenSource(f"{INSIDE}/oidc", **SECRET, **kw),
    "token source of Logto": lambda **kw: TokenSource.logto(INSIDE, "app", "secret", resource=SHOPPING_API, **kw),
}


@pytest.mark.parametrize("make", BUILDERS.values(), ids=BUILDERS)
def test_plain_http_is_rejected_unless_allow_http_is_set(make, caplog):
    with pytest.raises(ConfigurationError, match="allow_http=True"):
        make()
    assert not caplog.records
    make(allow_http=True)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.m2mguard_event == "PlainHttpAllowed"
    assert INSIDE in record.message


@pytest.mark.parametrize(
    "url", ["https://sso.example/oidc", "http://localhost:3001/oidc", "http://127.0.0.1:3001/oidc"]
)
def test_a_url_that_needs_no_allow_http_causes_no_warning(url, caplog):
    ResourceServer(Issuer(url=url, allow_http=True), audience=SHOPPING_API)
    TokenSource(url, **SECRET, allow_http=True)
    assert not caplog.records


def test_configured_keys_cause_no_warning(caplog):
    with LocalIssuer() as issuer:
        ResourceServer(Issuer(url=f"{INSIDE}/oidc", jwks=issuer.jwks, allow_http=True), audience=SHOPPING_API)
    assert not caplog.records


def test_a_custom_transport_must_list_the_origin_itself():
    trusted = Issuer(url=f"{INSIDE}/oidc", allow_http=True)
    with pytest.raises(ConfigurationError, match="http_origins"):
        ResourceServer(trusted, audience=SHOPPING_API, transport=HttpTransport())
    ResourceServer(trusted, audience=SHOPPING_API, transport=HttpTransport(http_origins=[INSIDE]))


@pytest.mark.parametrize("configured_in", ["code", "environment", "environment with a CA"])
def test_keys_and_tokens_are_fetched_over_plain_http(monkeypatch, configured_in, tmp_path):
    """The host name is not a loopback name, like a name in a cluster; here it resolves to an address of this machine."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *args, **kw: real({"logto": "127.0.0.1"}.get(host, host), *args, **kw)
    )
    with LocalIssuer(host="logto") as issuer:
        environ = {
            "M2MGUARD_LOGTO_ENDPOINT": issuer.endpoint,
            "M2MGUARD_AUDIENCE": SHOPPING_API,
            "M2MGUARD_ALLOW_HTTP": "true",
        }
        if configured_in == "environment with a CA":
            environ["M2MGUARD_CA_FILE"] = str(ThrowawayCA(tmp_path).ca_file)
        if configured_in == "code":
            events: list[object] = []
            server = ResourceServer(
                Issuer.logto(issuer.endpoint, allow_http=True), audience=SHOPPING_API, on_event=events.append
            )
            assert [event.origins for event in events if isinstance(event, PlainHttpAllowed)] == [(issuer.endpoint,)]
        else:
            server = ResourceServer.from_env(environ)
        assert server.verify(issuer.mint()).app_id == "app-orders"
        source = TokenSource.logto(
            issuer.endpoint, "app-orders", "secret-of-app-orders", resource=SHOPPING_API, allow_http=True
        )
        assert server.verify(source.token().value).app_id == "app-orders"
