"""Proxies come from the environment; what lies behind them is held to the same rules, and loopback never goes there."""

import base64
import time

import pytest

from m2mguard.net import TransportError
from tests.net.loopback_peers import ConnectProxy, silence, tcp_server

URL = "https://issuer.example/oidc/jwks"


@pytest.fixture
def proxy(tls_issuer, monkeypatch):
    proxy = ConnectProxy({"issuer.example:443": tls_issuer.port})
    with tcp_server(proxy.converse) as port:
        proxy.port = port
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        yield proxy


def test_https_goes_through_the_proxy_by_connect_and_tls_is_with_the_issuer(get, proxy, tls_issuer):
    assert get(URL).status == 200
    [head] = proxy.heads
    assert head.startswith(b"CONNECT issuer.example:443 HTTP/1.")
    assert b"Proxy-Authorization" not in head
    assert tls_issuer.requests[0].headers["host"] == "issuer.example"
    assert "proxy-authorization" not in tls_issuer.requests[0].headers


@pytest.mark.parametrize("value", ["127.0.0.1:{port}", "http://127.0.0.1:{port}/"])
def test_the_usual_spellings_of_a_proxy_are_understood(get, proxy, monkeypatch, value):
    monkeypatch.setenv("HTTPS_PROXY", value.format(port=proxy.port))
    assert get(URL).status == 200


def test_all_proxy_is_the_one_for_everything_else(get, proxy, monkeypatch):
    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
    assert get(URL).status == 200


def test_the_proxys_own_credentials_are_told_to_the_proxy_only(get, proxy, tls_issuer, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://robot:p%40ss@127.0.0.1:{proxy.port}")
    get(URL)
    assert base64.b64encode(b"robot:p@ss") in proxy.heads[0]
    assert "proxy-authorization" not in tls_issuer.requests[0].headers


def test_no_proxy_is_honoured(get, proxy, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "issuer.example")
    with pytest.raises(TransportError, match="cannot be resolved"):
        get(URL)
    assert proxy.heads == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_loopback_never_goes_through_a_proxy(get, proxy, tls_issuer, host):
    assert get(f"https://{host}:{tls_issuer.port}/oidc/jwks").status == 200
    assert proxy.heads == []


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/latest", "http://issuer.example/", "https://u:p@issuer.example/"]
)
def test_a_proxy_is_not_asked_for_what_we_may_not_ask(get, proxy, url, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(TransportError):
        get(url)
    assert proxy.heads == []


def test_a_certificate_for_another_name_is_refused_behind_a_proxy_too(get, proxy, ca, monkeypatch):
    proxy._addresses["other.example:443"] = proxy._addresses["issuer.example:443"]
    with pytest.raises(TransportError, match="TLS failed"):
        get("https://other.example/oidc/jwks")


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"])
def test_a_proxy_that_refuses_means_no_answer(get, proxy, status):
    proxy._status = status
    with pytest.raises(TransportError) as caught:
        get(URL)
    assert str(caught.value) == "the proxy refused, or cannot be reached"


def test_a_proxy_that_is_down_means_no_answer(get, monkeypatch):
    with tcp_server(silence) as port:
        pass
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    with pytest.raises(TransportError, match="the proxy refused, or cannot be reached"):
        get(URL)


def test_a_silent_proxy_ends_at_the_deadline(get, monkeypatch):
    with tcp_server(silence) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        began = time.monotonic()
        with pytest.raises(TransportError):
            get(URL, timeout_s=0.3)
        assert 0.25 < time.monotonic() - began < 1


def test_a_tls_handshake_that_drips_ends_at_the_deadline(get, proxy):
    proxy._pause_s = 0.02  # a handshake of some thousand bytes would take a minute
    began = time.monotonic()
    with pytest.raises(TransportError, match="took too long"):
        get(URL, timeout_s=0.5)
    assert 0.45 < time.monotonic() - began < 1.2
