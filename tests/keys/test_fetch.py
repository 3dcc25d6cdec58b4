"""One fetch of an issuer's keys: discovery, validation of the metadata, and errors of a transport."""

import time

import pytest

from m2mguard import Issuer, KeyCaching, KeysUnavailable, ResourceServer
from m2mguard._clocks import Clocks
from m2mguard._keys.fetch import FetchFailed, KeyFetcher
from m2mguard._reporting.reporter import Reporter
from m2mguard.events import KeysRefreshed, RefreshFailed
from m2mguard.net import HttpTransport, Response, TransportError
from m2mguard.net._discovery import METADATA_TTL_S
from m2mguard.net._runtime import Runtime
from m2mguard.testing import SHOPPING_API, LocalIssuer, faults
from tests.manual_clock import ManualClock


def fetch_error_of(server, token, events) -> str:
    """Verify a token that needs a fetch that fails; returns the error of the fetch."""
    with pytest.raises(KeysUnavailable):
        server.verify(token)
    return events.wait_for(RefreshFailed)[-1].error


def test_discovery_tries_every_metadata_url(events):
    with LocalIssuer(algorithm="ES256", metadata_form="inserted_openid") as issuer:
        ResourceServer(issuer.url, audience=SHOPPING_API).verify(issuer.mint())
        assert [request.path for request in issuer.requests] == [
            "/oidc/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server/oidc",
            "/.well-known/openid-configuration/oidc",
            "/oidc/jwks",
        ]


@pytest.mark.parametrize("code", [400, 401, 403, 405, 429])
def test_a_4xx_at_one_metadata_url_leads_to_the_next(code):
    with LocalIssuer(algorithm="ES256", metadata_form="inserted") as issuer:
        issuer.misbehave("discovery", faults.status(code), times=1)
        ResourceServer(issuer.url, audience=SHOPPING_API).verify(issuer.mint())
        assert (issuer.count("discovery"), issuer.count("jwks")) == (2, 1)


@pytest.mark.parametrize("code", [301, 500, 503])
def test_a_3xx_or_5xx_ends_discovery(issuer, server, events, code):
    issuer.misbehave("discovery", faults.status(code))
    error = fetch_error_of(server, issuer.mint(), events)
    assert error == f"the issuer's metadata was answered with status {code}"
    assert issuer.count() == 1


@pytest.mark.parametrize("code", [401, 403, 404])
def test_metadata_at_no_url_is_reported_with_every_status(issuer, server, events, code):
    issuer.misbehave("discovery", faults.status(code))
    assert f"(status {code}, {code}, {code})" in fetch_error_of(server, issuer.mint(), events)
    assert issuer.count("discovery") == 3
    assert issuer.count("jwks") == 0


@pytest.mark.parametrize("name", ["https://evil.example/oidc", "{url}/", "", None, ["{url}"]])
def test_metadata_of_another_issuer_is_rejected(issuer, server, events, name):
    name = name.format(url=issuer.url) if isinstance(name, str) else name
    issuer.misbehave("discovery", faults.members(issuer=name))
    assert "another issuer's" in fetch_error_of(server, issuer.mint(), events)
    assert issuer.count("jwks") == 0


@pytest.mark.parametrize(
    "uri",
    ["https://evil.example/jwks", "http://127.0.0.1:1/oidc/jwks", "http://localhost:{port}/oidc/jwks", "/oidc/jwks", 7, None,
     "https://127.0.0.1:{port}/oidc/jwks", "http://u:p@127.0.0.1:{port}/oidc/jwks", "file:///etc/passwd"],
)  # fmt: skip
def test_a_jwks_uri_of_another_origin_or_shape_is_not_requested(issuer, server, events, uri):
    uri = uri.format(port=issuer.port) if isinstance(uri, str) else uri
    issuer.misbehave("discovery", faults.members(jwks_uri=uri))
    assert "jwks_uri" in fetch_error_of(server, issuer.mint(), events)
    assert issuer.count("jwks") == 0


def test_metadata_poisoned_by_a_host_header_is_rejected(issuer, server, events):
    """Logto behind a proxy that sends another Host answers with the right issuer and wrong URLs."""
    issuer.misbehave("discovery", faults.members(jwks_uri="https://attacker.example/oidc/jwks"))
    assert "another origin" in fetch_error_of(server, issuer.mint(), events)


def test_a_redirect_is_not_followed(issuer, server, events):
    issuer.misbehave("jwks", faults.redirect(f"{issuer.endpoint}/elsewhere"))
    assert fetch_error_of(server, issuer.mint(), events) == "the key set was answered with status 301"
    assert issuer.count("other") == 0


def test_metadata_is_fetched_again_after_an_hour(issuer, server, clock):
    server.warm_up()
    for expected in (1, 2, 2, 3):
        clock.advance(METADATA_TTL_S / 2)
        server.refresh()
        assert issuer.count("discovery") == expected


def test_metadata_is_fetched_again_after_a_failed_key_fetch(issuer, server, clock):
    server.warm_up()
    issuer.misbehave("jwks", faults.status(404), times=1)
    server.refresh()
    assert issuer.count("discovery") == 1
    server.refresh()
    assert issuer.count("discovery") == 2
    assert server.health().issuers[0].failures == 0


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(503),
        faults.members(issuer="https://evil.example"),
        faults.html(),
        faults.hang(),
        faults.disconnect(),
    ],
    ids=["503", "another issuer's", "HTML", "hanging", "disconnect"],
)
def test_keys_are_fetched_from_the_last_url_if_discovery_fails(issuer, make_server, clock, events, fault):
    server = make_server(timeout=0.6, connect_timeout=0.6)
    server.warm_up()
    issuer.misbehave("discovery", fault)
    issuer.rotate()
    clock.advance(METADATA_TTL_S)
    assert server.refresh().issuers[0].key_ids[0] == issuer.current_key.kid
    assert len(events.wait_for(KeysRefreshed, 2)) == 2
    issuer.behave()


def test_a_configured_jwks_uri_of_any_origin_is_used_without_discovery(issuer):
    with LocalIssuer(algorithm="ES256", issuer="https://id.example/oidc") as behind_a_proxy:
        trusted = Issuer(url="https://id.example/oidc", jwks_uri=behind_a_proxy.jwks_uri)
        ResourceServer(trusted, audience=SHOPPING_API).verify(behind_a_proxy.mint())
        assert behind_a_proxy.count("discovery") == 0


class FixedTransport:
    """A custom transport: returns or raises one fixed answer and records its requests."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []

    def request(self, method, url, *, headers, body, timeout_s, max_bytes):
        self.requests.append((method, url, dict(headers), body, timeout_s, max_bytes))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def runtime_of(transport, clock):
    clocks = Clocks(wall=time.time, ages=clock, monotonic=clock)
    return Runtime(clocks=clocks, transport=transport, reporter=Reporter(None, monotonic=clock))


def fetcher_with(transport, clock=None, **caching):
    return KeyFetcher(
        issuer="https://id.example",
        jwks_uri="https://id.example/jwks",
        caching=KeyCaching(**caching),
        runtime=runtime_of(transport, clock or ManualClock()),
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (TransportError("a safe message"), "a safe message"),
        (ValueError("https://user:secret@host"), "the transport failed (ValueError)"),
        (MemoryError(), "the transport failed (MemoryError)"),
        (None, "the transport failed (AttributeError)"),
        (Response(status=304, headers={}, body=b""), "the key set was answered with status 304"),
        (Response(status=200, headers={}, body=b"x" * 300_000), "the answer is longer than 262144 bytes"),
        (Response(status=200, headers={}, body=b'{"keys": [' + b"{}," * 100 + b"{}]}"), "the key set has more than 100 keys"),
        (Response(status=200, headers={}, body=b'{"keys": [' + b"[" * 100_000), None),
        (Response(status=200, headers={}, body='{"keys": []}'.encode("utf-16")), None),
    ],
)  # fmt: skip
def test_any_transport_error_is_a_failed_fetch_with_a_safe_message(answer, message):
    with pytest.raises(FetchFailed) as caught:
        fetcher_with(FixedTransport(answer)).fetch(None, failed_since=False)
    detail = caught.value.failure.detail
    assert message is None or detail == message
    assert "secret" not in detail + str(caught.value)


def test_the_transport_gets_the_timeout_and_the_size_limit():
    transport = FixedTransport(TransportError(""))
    with pytest.raises(FetchFailed):
        fetcher_with(transport, timeout=4, max_bytes=5000).fetch(None, failed_since=False)
    [(method, url, headers, body, timeout_s, max_bytes)] = transport.requests
    assert (method, url, body, timeout_s, max_bytes) == ("GET", "https://id.example/jwks", None, 4, 5000)
    assert headers == {"Accept": "application/json, application/jwk-set+json"}


def test_discovery_and_key_set_share_one_deadline(issuer):
    clock = ManualClock()

    class SlowTransport:
        def __init__(self):
            self.timeouts = []

        def request(self, *args, timeout_s, **kwargs):
            self.timeouts.append(timeout_s)
            clock.advance(3)
            return HttpTransport().request(*args, timeout_s=5, **kwargs)

    slow = SlowTransport()
    fetcher_with = KeyFetcher(
        issuer=issuer.url,
        jwks_uri=None,
        caching=KeyCaching(),
        runtime=runtime_of(slow, clock),
    )
    fetcher_with.fetch(None, failed_since=False)
    assert slow.timeouts == [5, 2]


@pytest.mark.parametrize(
    ("value", "max_age"),
    [
        ("max-age=600", 600), ("public, MAX-AGE=600", 600), ("no-cache, max-age=600", None), ("no-store,max-age=600", None),
        ("s-maxage=600", None), ("max-age=", None), ("max-age=-1", None), ("max-age=9999999999999", None), ("", None),
        ("no-cache, max-age=0, must-revalidate", None),
    ],
)  # fmt: skip
def test_max_age_is_read_from_cache_control(issuer, value, max_age):
    body = HttpTransport().request("GET", issuer.jwks_uri, headers={}, body=None, timeout_s=5, max_bytes=9999).body
    answer = Response(status=200, headers={"cache-control": value}, body=body)
    assert fetcher_with(FixedTransport(answer)).fetch(None, failed_since=False).max_age == max_age
