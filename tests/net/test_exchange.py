"""One hardened exchange: allowed targets, trusted certificates, size limit and deadline."""

import gzip
import socket
import time
import tracemalloc

import pytest

from m2mguard import ConfigurationError
from m2mguard.net import HttpTransport, TransportError, _connection
from m2mguard.net._addresses import may_connect
from m2mguard.testing import faults
from tests.net.failing import error_of
from tests.net.loopback_peers import answers, silence, tcp_server

OK = b"HTTP/1.1 200 OK\r\n"


# Allowed targets


@pytest.mark.parametrize(
    "url", ["http://issuer.example/jwks", "http://10.0.0.1/jwks", "ftp://127.0.0.1/jwks", "file:///etc/passwd", "//x/y"]
)
def test_only_https_and_http_on_loopback_are_requested(get, connects, url):
    error = error_of(get, url)
    assert error.code == "refused_target"
    assert "only https is asked, and http on loopback" in str(error)
    assert connects == []


def test_a_url_with_credentials_is_not_requested(get, connects):
    error = error_of(get, "https://user:secret@127.0.0.1/jwks")
    assert (error.code, str(error)) == ("refused_target", "a URL must not carry credentials")
    assert connects == []


def test_a_connection_that_is_closed_at_once_is_an_error(get, monkeypatch):
    closed = socket.socket()
    closed.close()
    monkeypatch.setattr(_connection, "connect", lambda *args, **kwargs: closed)
    assert error_of(get, "http://127.0.0.1:9/jwks").code == "broken"


FORBIDDEN = [
    "169.254.169.254", "169.254.170.2", "0.0.0.0", "224.0.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16",
    "fe80::1", "fe80::1%eth0", "::", "ff02::1", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
    "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::1",
]  # fmt: skip
ALLOWED = ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "8.8.8.8", "2001:db8::1", "fd00::1", "64:ff9b::8.8.8.8"]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_connections_to_link_local_and_metadata_addresses_are_forbidden(address):
    assert not may_connect(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_connections_to_other_addresses_are_allowed(address):
    assert may_connect(address)


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"])
def test_a_forbidden_address_in_a_url_is_not_connected_to(get, connects, host):
    error = error_of(get, f"https://{host}/latest/meta-data")
    assert error.code == "refused_target"
    assert "never asked" in str(error)
    assert connects == []


@pytest.mark.parametrize("name", ["2852039166", "0xA9FEA9FE", "169.254.43518"])
def test_a_name_that_resolves_to_a_forbidden_address_is_not_connected_to(get, connects, name):
    assert socket.gethostbyname(name) == "169.254.169.254"  # the resolver accepts more notations than RFC 3986
    error = error_of(get, f"https://{name}/latest/meta-data")
    assert error.code == "refused_target"
    assert "never connected to" in str(error)
    assert connects == []


def test_plain_http_uses_only_loopback_addresses_of_the_resolver(get, connects, monkeypatch):
    public = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("203.0.113.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: public)  # a poisoned resolver
    assert error_of(get, "http://localhost/jwks").code == "refused_target"
    assert connects == []


def test_ipv6_is_supported(get):
    try:
        with tcp_server(answers(OK + b"Content-Length: 2\r\n\r\nok"), host="::1") as port:
            assert get(f"http://[::1]:{port}/").body == b"ok"
    except OSError:
        pytest.skip("this machine has no IPv6 on loopback")


def test_a_redirect_is_not_followed(get, issuer):
    issuer.misbehave("jwks", faults.redirect(f"{issuer.endpoint}/oidc/.well-known/openid-configuration"))
    response = get(issuer.jwks_uri)
    assert (response.status, issuer.count()) == (301, 1)


def test_the_request_names_the_client_and_accepts_gzip(get, issuer):
    get(issuer.jwks_uri, headers={"Accept": "application/json"})
    [request] = issuer.requests
    assert request.headers["user-agent"].startswith("m2mguard/")
    assert request.headers["accept-encoding"] == "gzip"
    assert request.headers["accept"] == "application/json"
    assert not {"authorization", "cookie", "proxy-authorization"} & set(request.headers)


def test_a_304_is_returned_for_an_unchanged_document(get, issuer):
    etag = get(issuer.jwks_uri).headers["etag"]
    assert get(issuer.jwks_uri, headers={"If-None-Match": etag}).status == 304


def test_header_names_are_lower_case_and_headers_are_read_only(get, issuer):
    headers = get(issuer.jwks_uri).headers
    assert headers["content-type"].startswith("application/jwk-set+json")
    with pytest.raises(TypeError):
        headers["x"] = "y"


# Trusted certificates: see test_tls.py


@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["missing", "empty", "no PEM"])
def test_an_unusable_ca_file_is_a_configuration_error(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="ca_file"):
        HttpTransport(str(file))


# Size limit


def test_a_body_is_read_up_to_the_limit(get):
    with tcp_server(answers(OK + b"Content-Length: 100\r\n\r\n" + b"x" * 100)) as port:
        assert len(get(f"http://127.0.0.1:{port}/", max_bytes=100).body) == 100
        error = error_of(get, f"http://127.0.0.1:{port}/", max_bytes=99)
        assert (error.code, str(error)) == ("too_long", "the answer is longer than 99 bytes")


def test_a_huge_body_is_cut_off_while_reading(get, issuer):
    issuer.misbehave("jwks", faults.huge(200_000_000))
    assert error_of(get, issuer.jwks_uri, max_bytes=262_144).code == "too_long"


@pytest.mark.parametrize("layers", [1, 2])
def test_a_gzip_bomb_is_stopped_at_the_size_limit(get, layers):
    content = b" " * 50_000_000
    for _ in range(layers):
        content = gzip.compress(content)
    coding = ", ".join(["gzip"] * layers).encode()
    raw = OK + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding, len(content)) + content
    with tcp_server(answers(raw)) as port:
        tracemalloc.start()
        try:
            assert error_of(get, f"http://127.0.0.1:{port}/", max_bytes=262_144).code == "too_long"
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()


def test_a_compressed_answer_is_read(get):
    content = gzip.compress(b'{"keys": []}')
    with tcp_server(answers(OK + b"Content-Encoding: gzip\r\n\r\n" + content)) as port:
        assert get(f"http://127.0.0.1:{port}/").body == b'{"keys": []}'


BROKEN = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "half a status line": b"HTTP/1.1 2",
    "half a body": OK + b"Content-Length: 100\r\n\r\nhalf",
    "half a chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n64\r\nhalf",
    "an impossible chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "a broken gzip": OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf",
    "an endless header line": OK + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
    "endless headers": OK + b"X: x\r\n" * 10_000 + b"\r\n",
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_is_an_error(get, raw):
    with tcp_server(answers(raw)) as port:
        error = error_of(get, f"http://127.0.0.1:{port}/")
        assert error.code == "broken"
        assert str(error).startswith("the exchange ended early, or the answer is not valid HTTP (")


# Deadline


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_dripping_answer_ends_at_the_deadline(get, issuer, part):
    issuer.misbehave("jwks", faults.drip(part, interval_s=0.05))
    began = time.monotonic()
    error = error_of(get, issuer.jwks_uri, timeout_s=1)
    assert (error.code, str(error)) == ("timeout", "the answer took too long")
    assert 0.95 < time.monotonic() - began < 10  # the answer would drip for longer
    issuer.behave()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_silent_peer_ends_at_the_deadline(get, scheme):
    with tcp_server(silence) as port:
        began = time.monotonic()
        assert error_of(get, f"{scheme}://127.0.0.1:{port}/", timeout_s=1).code == "timeout"
        assert 0.95 < time.monotonic() - began < 10


def test_a_connection_that_is_not_accepted_ends_at_connect_timeout(ca):
    transport = HttpTransport(connect_timeout=0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # fills the listener's queue
            began = time.monotonic()
            with pytest.raises(TransportError, match="the connection took too long") as caught:
                transport.request(
                    "GET", f"http://127.0.0.1:{port}/", headers={}, body=None, timeout_s=30, max_bytes=1000
                )
            assert caught.value.code == "connect_timeout"
            assert time.monotonic() - began < 10


def test_a_refused_connection_and_an_unknown_name_have_different_codes(get, issuer):
    issuer.stop()
    error = error_of(get, issuer.jwks_uri)
    assert error.code == "no_connection"
    assert "no connection can be made" in str(error)
    error = error_of(get, "https://name.invalid/jwks")
    assert error.code == "name_not_resolved"
    assert "the host name cannot be resolved" in str(error)
