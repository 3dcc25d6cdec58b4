"""Each fault as a client sees it, and that nothing but the fault is wrong."""

import gzip
import http.client
import json
import socket
import ssl
import time

import pytest
import urllib3

from m2mguard.testing import Fault, LocalIssuer, faults


def raw_answer(issuer: LocalIssuer, path: str = "/oidc/jwks") -> bytes:
    """Everything the server sends before it closes the connection."""
    with socket.create_connection(("127.0.0.1", issuer.port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: issuer\r\n\r\n".encode())
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
        return received


@pytest.mark.parametrize("code", [201, 204, 400, 401, 404, 500, 503])
def test_a_status_comes_with_the_right_body(http, issuer, code):
    issuer.misbehave("jwks", faults.status(code))
    answer = http("GET", issuer.jwks_uri)
    assert answer.status == code
    assert answer.data == b"" if code == 204 else answer.json() == issuer.jwks


def test_a_redirect_names_its_target(http, issuer):
    issuer.misbehave("jwks", faults.redirect("https://evil.example/jwks", status=307))
    answer = http("GET", issuer.jwks_uri)
    assert (answer.status, answer.headers["location"]) == (307, "https://evil.example/jwks")


def test_a_delayed_answer_is_right_and_late(http, issuer):
    issuer.misbehave("jwks", faults.delay(0.05))
    started = time.monotonic()
    assert http("GET", issuer.jwks_uri).json() == issuer.jwks
    assert time.monotonic() - started >= 0.05


def test_a_disconnected_client_has_not_got_a_byte(issuer):
    issuer.misbehave("jwks", faults.disconnect())
    assert raw_answer(issuer) == b""


def test_a_truncated_answer_promises_more_than_it_sends(issuer):
    issuer.misbehave("jwks", faults.truncated())
    connection = http.client.HTTPConnection("127.0.0.1", issuer.port, timeout=10)
    connection.request("GET", "/oidc/jwks")
    with pytest.raises(http.client.IncompleteRead) as caught:
        connection.getresponse().read()
    connection.close()
    assert caught.value.expected is not None
    assert abs(len(caught.value.partial) - caught.value.expected) <= 1


def test_a_web_page_is_no_json(http, issuer):
    issuer.misbehave("jwks", faults.html())
    answer = http("GET", issuer.jwks_uri)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.data.startswith(b"<!doctype html>")


@pytest.mark.parametrize("content", [b"", b"\xff\x00garbage", b'{"keys": 1}'])
def test_any_bytes_can_stand_for_the_body(http, issuer, content):
    issuer.misbehave("jwks", faults.body(content))
    answer = http("GET", issuer.jwks_uri)
    assert (answer.status, answer.data) == (200, content)
    assert answer.headers["content-type"] == "application/jwk-set+json; charset=utf-8"


def test_an_empty_key_set_is_one_without_keys(http, issuer):
    issuer.misbehave("jwks", faults.empty_key_set())
    assert http("GET", issuer.jwks_uri).json() == {"keys": []}


def test_members_of_the_metadata_can_be_replaced(http, issuer):
    issuer.misbehave("discovery", faults.members(issuer="https://evil.example", jwks_uri="https://evil.example/jwks"))
    document = http("GET", issuer.url + "/.well-known/openid-configuration").json()
    assert (document["issuer"], document["jwks_uri"]) == ("https://evil.example", "https://evil.example/jwks")
    assert document["token_endpoint"] == issuer.token_endpoint


def test_an_answer_without_json_members_stays_as_it_is(http, issuer):
    issuer.misbehave("all", faults.members(issuer="https://evil.example"))
    unknown = http("GET", issuer.endpoint + "/nowhere")
    assert (unknown.status, unknown.data) == (404, b"Not Found")
    assert http("HEAD", issuer.jwks_uri).status == http("HEAD", issuer.endpoint).status == 404
    assert http("GET", issuer.jwks_uri).json() == {**issuer.jwks, "issuer": "https://evil.example"}


def test_a_huge_answer_is_a_right_one_with_spaces_and_no_announced_length(http, issuer):
    issuer.misbehave("jwks", faults.huge(3_000_001))
    answer = http("GET", issuer.jwks_uri)
    assert "content-length" not in answer.headers
    assert answer.json() == issuer.jwks
    assert len(answer.data) == len(json.dumps(issuer.jwks, separators=(",", ":"))) + 3_000_001


def test_a_gzip_bomb_is_small_on_the_wire_and_right_when_it_has_gone_off(issuer):
    issuer.misbehave("jwks", faults.gzip_bomb(3_000_000))
    head, _, body = raw_answer(issuer).partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in head
    assert len(body) < 10_000
    assert len(gzip.decompress(body)) > 3_000_000
    assert json.loads(gzip.decompress(body)) == issuer.jwks


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_dripping_answer_comes_byte_by_byte_and_is_right_in_the_end(http, issuer, part):
    issuer.misbehave("jwks", faults.drip(part, interval_s=0))
    assert http("GET", issuer.jwks_uri).json() == issuer.jwks


@pytest.mark.parametrize(("part", "whole"), [("head", b""), ("body", b"\r\n\r\n")])
def test_a_dripping_answer_has_sent_one_byte_of_its_part_before_the_first_pause(issuer, part, whole):
    issuer.misbehave("jwks", faults.drip(part, interval_s=3600))
    with socket.create_connection(("127.0.0.1", issuer.port), timeout=10) as connection:
        connection.sendall(b"GET /oidc/jwks HTTP/1.1\r\nHost: issuer\r\n\r\n")
        received = connection.recv(65_536)
        while whole not in received or received.endswith(whole or b"nothing"):
            received += connection.recv(65_536)
        assert len(received.partition(whole)[2] if whole else received) == 1


def test_faults_add_up(http, issuer):
    issuer.misbehave("jwks", Fault(delay_s=0.01, status=503, headers={"Retry-After": "7"}, body=b"busy"))
    answer = http("GET", issuer.jwks_uri)
    assert (answer.status, answer.headers["retry-after"], answer.data) == (503, "7", b"busy")


def test_an_altered_answer_is_never_a_304_and_carries_no_etag(http, issuer):
    tag = http("GET", issuer.jwks_uri).headers["etag"]
    issuer.misbehave("jwks", faults.huge(10))
    answer = http("GET", issuer.jwks_uri, headers={"If-None-Match": tag})
    assert answer.status == 200
    assert "etag" not in answer.headers
    issuer.misbehave("jwks", faults.delay(0))
    assert http("GET", issuer.jwks_uri, headers={"If-None-Match": tag}).status == 304


@pytest.mark.parametrize(
    "fault", [faults.disconnect(), faults.truncated(), faults.drip(interval_s=0), faults.gzip_bomb(10)], ids=repr
)
def test_after_a_fault_the_next_request_of_the_same_client_is_answered_rightly(http, issuer, fault):
    issuer.misbehave("jwks", fault, times=1)
    try:
        http("GET", issuer.jwks_uri)
    except urllib3.exceptions.HTTPError:
        assert fault in (faults.disconnect(), faults.truncated())
    assert http("GET", issuer.jwks_uri).json() == issuer.jwks


def test_tls_connections_misbehave_too(issuer_with_tls, ca):
    context = ssl.create_default_context(cafile=ca.ca_file)
    issuer_with_tls.misbehave("jwks", faults.status(503))
    connection = http.client.HTTPSConnection("127.0.0.1", issuer_with_tls.port, context=context, timeout=10)
    connection.request("GET", "/oidc/jwks")
    assert connection.getresponse().status == 503
    connection.close()


@pytest.mark.parametrize(
    "ways",
    [{"disconnect": True, "truncate": True}, {"truncate": True, "gzip": True}, {"drip": "body", "padding_bytes": 1}],
)
def test_an_answer_is_sent_in_one_way(ways):
    with pytest.raises(ValueError, match="sent in one way"):
        Fault(**ways)
