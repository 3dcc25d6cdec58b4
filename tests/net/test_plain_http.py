"""Plain http inside a cluster: only for configured origins, with the same rules for addresses as https."""

import socket

import pytest

from m2mguard import ConfigurationError
from m2mguard._validation import endpoint_url, secure_url
from m2mguard.net import HttpTransport
from tests.net.failing import error_of
from tests.net.loopback_peers import answers, read_head, tcp_server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def port():
    with tcp_server(answers(OK)) as port:
        yield port


@pytest.fixture
def resolves(monkeypatch):
    """Make every name resolve to this address."""

    def resolves(host, port):
        found = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)

    return resolves


def getter(*http_origins):
    transport = HttpTransport(http_origins=http_origins)

    def get(url):
        return transport.request("GET", url, headers={}, body=None, timeout_s=5, max_bytes=1000)

    return get


def test_a_configured_origin_is_requested_over_plain_http(resolves, port):
    resolves("127.0.0.1", port)
    get = getter(f"http://logto:{port}", "http://other.example")
    for url in (
        f"http://logto:{port}/oidc/jwks",
        f"http://LOGTO:{port}/?x=y",
        "http://other.example/",
        "http://other.example:80/",
    ):
        assert get(url).body == b"ok"


def test_an_origin_may_end_with_a_slash(resolves, port):
    resolves("127.0.0.1", port)
    assert getter(f"http://logto:{port}/")(f"http://logto:{port}/x").body == b"ok"


@pytest.mark.parametrize(
    "url",
    ["http://logto/", "http://logto:3002/", "http://logto.evil.example:3001/", "http://evil.example:3001/", "http://xlogto:3001/",
     "http://10.0.0.1:3001/", "ftp://logto:3001/", "http://logto:3001@evil.example/", "http://logto:30010/", "http://logto:x/"],
)  # fmt: skip
def test_no_other_origin_is_requested_over_plain_http(resolves, connects, url):
    resolves("127.0.0.1", 1)
    assert error_of(getter("http://logto:3001"), url).code == "refused_target"
    assert connects == []


@pytest.mark.parametrize("address", ["169.254.169.254", "100.100.100.200", "0.0.0.0", "224.0.0.1"])
def test_no_configured_origin_may_be_a_metadata_service(resolves, connects, address):
    resolves(address, 80)
    assert error_of(getter("http://logto:3001"), "http://logto:3001/").code == "refused_target"
    assert error_of(getter(f"http://{address}"), f"http://{address}/").code == "refused_target"
    assert connects == []


def test_a_configured_loopback_name_uses_only_loopback_addresses(resolves, connects):
    resolves("203.0.113.1", 80)
    assert error_of(getter("http://localhost"), "http://localhost/").code == "refused_target"
    assert connects == []


def test_plain_http_uses_the_proxy_for_plain_http(monkeypatch, resolves, port):
    heads = []

    def converse(connection):
        heads.append(read_head(connection))
        connection.sendall(OK)

    get = getter("http://logto:3001")
    with tcp_server(converse) as proxy_port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy_port}")
        assert get("http://logto:3001/oidc/jwks").body == b"ok"
        assert heads[0].startswith(b"GET http://logto:3001/oidc/jwks HTTP/1.1\r\n")
        monkeypatch.setenv("NO_PROXY", "logto")
        resolves("127.0.0.1", port)
        assert get("http://logto:3001/oidc/jwks").body == b"ok"
        assert len(heads) == 1


@pytest.mark.parametrize(
    "origins",
    ["http://logto:3001", ["https://logto:3001"], ["http://logto:3001/oidc"], ["http://logto?"], ["http://logto?x=y"], ["http://logto#"],
     ["http://u:p@logto"], ["logto:3001"], ["http://"], ["http://logto:x"], ["HTTP://logto"], [7], [""], 7],
    ids=repr,
)  # fmt: skip
def test_an_invalid_origin_is_a_configuration_error(origins):
    with pytest.raises(ConfigurationError, match="http_origins"):
        HttpTransport(http_origins=origins)


@pytest.mark.parametrize("check", [secure_url, endpoint_url])
def test_a_url_setting_may_be_plain_http_only_with_allow_http(check):
    with pytest.raises(ConfigurationError, match=r"loopback.*allow_http=True") as caught:
        check("jwks_uri", "http://keycloak:8080/certs")
    assert str(caught.value).startswith("jwks_uri is http; use https.")
    assert check("jwks_uri", "http://keycloak:8080/certs", allow_http=True).port == 8080
    assert check("jwks_uri", "http://localhost/certs").path == "/certs"
    for invalid in (
        "http://u:p@keycloak/",
        "http://keycloak/#x",
        "ftp://keycloak/",
        "http://key cloak/",
        "http://keycloak:0/",
    ):
        with pytest.raises(ConfigurationError):
            check("jwks_uri", invalid, allow_http=True)
