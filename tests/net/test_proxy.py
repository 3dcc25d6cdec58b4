"""Proxies from the environment: the same rules apply to the issuer, and loopback never uses a proxy."""

import base64
import socket
import time

import pytest

from m2mguard.net import TransportError
from m2mguard.net._proxies import is_exempt
from tests.net.loopback_peers import ConnectProxy, silence, tcp_server

URL = "https://issuer.example/oidc/jwks"


@pytest.fixture
def proxy(tls_issuer, monkeypatch):
    proxy = ConnectProxy({"issuer.example:443": tls_issuer.port})
    with tcp_server(proxy.converse) as port:
        proxy.port = port
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        yield proxy


def test_https_uses_connect_and_tls_ends_at_the_issuer(get, proxy, tls_issuer):
    assert get(URL).status == 200
    [head] = proxy.heads
    assert head.startswith(b"CONNECT issuer.example:443 HTTP/1.")
    assert b"Proxy-Authorization" not in head
    assert tls_issuer.requests[0].headers["host"] == "issuer.example"
    assert "proxy-authorization" not in tls_issuer.requests[0].headers


@pytest.mark.parametrize("value", ["127.0.0.1:{port}", "http://127.0.0.1:{port}/"])
def test_the_usual_forms_of_a_proxy_setting_are_accepted(get, proxy, monkeypatch, value):
    monkeypatch.setenv("HTTPS_PROXY", value.format(port=proxy.port))
    assert get(URL).status == 200


def test_all_proxy_is_used_if_there_is_no_specific_one(get, proxy, monkeypatch):
    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
    assert get(URL).status == 200


def test_proxy_credentials_are_sent_to_the_proxy_only(get, proxy, tls_issuer, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://robot:p%40ss@127.0.0.1:{proxy.port}")
    get(URL)
    assert base64.b64encode(b"robot:p@ss") in proxy.heads[0]
    assert "proxy-authorization" not in tls_issuer.requests[0].headers


def test_no_proxy_disables_the_proxy(get, proxy, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "issuer.example")
    with pytest.raises(TransportError, match="cannot be resolved"):
        get(URL)
    assert proxy.heads == []


MATCHES = {
    # NO_PROXY: (URLs that it matches, URLs that it does not match)
    "issuer.example": (
        ["https://issuer.example", "https://ISSUER.example:8443", "https://a.b.issuer.example", "https://issuer.example./x"],
        ["https://my-issuer.example", "https://example", "https://issuer.example.org"],
    ),
    ".example.": (["https://issuer.example", "https://example"], ["https://example.com"]),
    "*.example": (["https://issuer.example", "https://a.b.example"], ["https://example", "https://xexample"]),
    "ISSUER.Example": (["https://issuer.example"], []),
    "issuer.example:8443": (["https://issuer.example:8443", "https://a.issuer.example:8443"], ["https://issuer.example"]),
    "issuer.example:443": (["https://issuer.example", "https://issuer.example:443"], ["http://issuer.example"]),
    "issuer.example:80": (["http://issuer.example"], ["https://issuer.example"]),
    "*.example:8443": (["https://issuer.example:8443"], ["https://issuer.example", "https://example:8443"]),
    "10.0.0.0/8": (
        ["https://10.1.2.3", "https://10.255.255.255:8443", "https://[::ffff:10.1.2.3]"],
        ["https://11.0.0.1", "https://ten.example", "https://10.example", "https://[fd00::1]"],
    ),
    "10.1.2.3/8": (["https://10.9.9.9"], ["https://11.0.0.1"]),
    "192.168.0.0/255.255.0.0": (["https://192.168.7.7"], ["https://192.169.0.1"]),
    "fd00::/8": (["https://[fd00::1]", "https://[fdff::1]:8443"], ["https://[fe00::1]", "https://10.0.0.1"]),
    "[fd00::]/8": (["https://[fd00::1]"], ["https://[fe00::1]"]),
    "10.0.0.1": (["https://10.0.0.1", "https://10.0.0.1:8443"], ["https://10.0.0.10", "https://110.0.0.1"]),
    "10.0.0.1:8443": (["https://10.0.0.1:8443"], ["https://10.0.0.1"]),
    "fd00::1": (["https://[fd00::1]", "https://[fd00:0::1]:8443"], ["https://[fd00::2]"]),
    "[fd00::1]": (["https://[fd00::1]", "https://[fd00::1]:8443"], ["https://[fd00::11]"]),
    "[fd00::1]:8443": (["https://[fd00::1]:8443"], ["https://[fd00::1]"]),
    "*": (["https://issuer.example", "https://10.0.0.1", "https://[fd00::1]"], []),
    "a.example, 10.0.0.0/8 ,*": (["https://issuer.example"], []),
    "a.example b.example\t10.0.0.0/8": (["https://b.example", "https://a.example", "https://10.0.0.1"], ["https://c.example"]),
    "": ([], ["https://issuer.example", "https://10.0.0.1"]),
    "., ,:,:443,*.,/,/8,10.0.0.0/99,1.2.3/8,issuer.example:x,[,],[]:443,http://issuer.example": (
        [], ["https://issuer.example", "https://10.0.0.1", "https://[fd00::1]"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("no_proxy", MATCHES)
def test_no_proxy_is_read_as_curl_and_go_read_it(no_proxy, monkeypatch):
    def resolve(*args, **kwargs):
        raise AssertionError("a name was resolved")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "gethostbyname", resolve)
    matched, others = MATCHES[no_proxy]
    assert [url for url in matched if not is_exempt(url, no_proxy)] == []
    assert [url for url in others if is_exempt(url, no_proxy)] == []


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize(
    ("no_proxy", "exempt"),
    [("*.example", True), (".example", True), ("other.example, issuer.example:443", True), ("*", True),
     ("issuer.example:8443", False), ("0.0.0.0/0, ::/0", False), ("example.com", False)],
)  # fmt: skip
def test_only_hosts_in_no_proxy_are_requested_directly(get, proxy, monkeypatch, variable, no_proxy, exempt):
    monkeypatch.setenv(variable, no_proxy)
    if exempt:
        with pytest.raises(TransportError) as caught:
            get(URL)
        assert caught.value.code == "name_not_resolved"  # only the proxy resolves it
    else:
        assert get(URL).status == 200
    assert len(proxy.heads) == (0 if exempt else 1)


def test_a_lower_case_variable_takes_precedence(get, proxy, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "elsewhere.example")
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert get(URL).status == 200


@pytest.mark.parametrize(
    "value", ["socks5://127.0.0.1:1080", "ftp://127.0.0.1", "http://", "http://[::1", "http://a:port"]
)
def test_an_unsupported_proxy_is_an_error_that_names_the_variable(get, proxy, monkeypatch, value):
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(TransportError) as caught:
        get(URL)
    assert caught.value.code == "proxy"
    assert "HTTPS_PROXY" in str(caught.value)
    assert proxy.heads == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_loopback_never_uses_a_proxy(get, proxy, tls_issuer, host):
    assert get(f"https://{host}:{tls_issuer.port}/oidc/jwks").status == 200
    assert proxy.heads == []


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/latest", "http://issuer.example/", "https://u:p@issuer.example/"]
)
def test_a_forbidden_target_is_not_requested_through_a_proxy(get, proxy, url, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(TransportError):
        get(url)
    assert proxy.heads == []


def test_a_certificate_for_another_name_is_refused_through_a_proxy_too(get, proxy, ca, monkeypatch):
    proxy._addresses["other.example:443"] = proxy._addresses["issuer.example:443"]
    with pytest.raises(TransportError, match="TLS failed") as caught:
        get("https://other.example/oidc/jwks")
    assert caught.value.code == "tls_name"


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"])
def test_a_refusal_of_the_proxy_is_an_error(get, proxy, status):
    proxy._status = status
    with pytest.raises(TransportError) as caught:
        get(URL)
    assert caught.value.code == "proxy"
    assert "the proxy refused, or is not reachable" in str(caught.value)


def test_an_unreachable_proxy_is_an_error(get, monkeypatch):
    with tcp_server(silence) as port:
        pass
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    with pytest.raises(TransportError, match="the proxy refused, or is not reachable"):
        get(URL)


def test_a_silent_proxy_ends_at_the_deadline(get, monkeypatch):
    with tcp_server(silence) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        began = time.monotonic()
        with pytest.raises(TransportError):
            get(URL, timeout_s=0.3)
        assert 0.25 < time.monotonic() - began < 10


def test_a_dripping_tls_handshake_ends_at_the_deadline(get, proxy):
    proxy._pause_s = 0.02  # a handshake of some thousand bytes would take a minute
    began = time.monotonic()
    with pytest.raises(TransportError, match="took too long"):
        get(URL, timeout_s=0.5)
    assert 0.45 < time.monotonic() - began < 10
