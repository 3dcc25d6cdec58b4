"""One fetch of an issuer's keys: where they are looked for, what is believed, and what any transport may do."""

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


def fails(server, token, events) -> str:
    with pytest.raises(KeysUnavailable):
        server.verify(token)
    return events.wait_for(RefreshFailed)[-1].error


def test_the_metadata_is_looked_for_in_every_place(events):
    with LocalIssuer(algorithm="ES256", metadata_form="inserted_openid") as issuer:
        ResourceServer(issuer.url, audience=SHOPPING_API).verify(issuer.mint())
        assert [request.path for request in issuer.requests] == [
            "/oidc/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server/oidc",
            "/.well-known/openid-configuration/oidc",
            "/oidc/jwks",
        ]


@pytest.mark.parametrize("code", [400, 401, 403, 405, 429])
def test_any_refusal_of_a_place_leads_to_the_next(code):
    with LocalIssuer(algorithm="ES256", metadata_form="inserted") as issuer:
        issuer.misbehave("discovery", faults.status(code), times=1)
        ResourceServer(issuer.url, audience=SHOPPING_API).verify(issuer.mint())
        assert (issuer.count("discovery"), issuer.count("jwks")) == (2, 1)


@pytest.mark.parametrize("code", [301, 500, 503])
def test_another_status_than_a_refusal_ends_the_search(issuer, server, events, code):
    issuer.misbehave("discovery", faults.status(code))
    told = fails(server, issuer.mint(), events)
    assert told == f"the issuer's metadata was answered with status {code}"
    assert issuer.count() == 1


@pytest.mark.parametrize("code", [401, 403, 404])
def test_metadata_in_no_place_is_told_with_every_status(issuer, server, events, code):
    issuer.misbehave("discovery", faults.status(code))
    assert f"(status {code}, {code}, {code})" in fails(server, issuer.mint(), events)
    assert issuer.count("discovery") == 3
    assert issuer.count("jwks") == 0


@pytest.mark.parametrize("name", ["https://evil.example/oidc", "{url}/", "", None, ["{url}"]])
def test_another_issuers_metadata_is_not_believed(issuer, server, events, name):
    name = name.format(url=issuer.url) if isinstance(name, str) else name
    issuer.misbehave("discovery", faults.members(issuer=name))
    assert "another issuer's" in fails(server, issuer.mint(), events)
    assert issuer.count("jwks") == 0


@pytest.mark.parametrize(
    "uri",
    ["https://evil.example/jwks", "http://127.0.0.1:1/oidc/jwks", "http://localhost:{port}/oidc/jwks", "/oidc/jwks", 7, None,
     "https://127.0.0.1:{port}/oidc/jwks", "http://u:p@127.0.0.1:{port}/oidc/jwks", "file:///etc/passwd"],
)  # fmt: skip
def test_a_jwks_uri_of_another_origin_or_shape_is_not_asked(issuer, server, events, uri):
    uri = uri.format(port=issuer.port) if isinstance(uri, str) else uri
    issuer.misbehave("discovery", faults.members(jwks_uri=uri))
    assert "jwks_uri" in fails(server, issuer.mint(), events)
    assert issuer.count("jwks") == 0


def test_metadata_poisoned_by_a_host_header_is_not_believed(issuer, server, events):
    """As Logto answers through a proxy that sends another Host: the issuer is right, the URLs are not."""
    issuer.misbehave("discovery", faults.members(jwks_uri="https://attacker.example/oidc/jwks"))
    assert "another origin" in fails(server, issuer.mint(), events)


def test_a_redirect_is_not_followed(issuer, server, events):
    issuer.misbehave("jwks", faults.redirect(f"{issuer.endpoint}/elsewhere"))
    assert fails(server, issuer.mint(), events) == "the key set was answered with status 301"
    assert issuer.count("other") == 0


def test_metadata_is_asked_again_after_an_hour(issuer, server, clock):
    server.warm_up()
    for expected in (1, 2, 2, 3):
        clock.advance(METADATA_TTL_S / 2)
        server.refresh()
        assert issuer.count("discovery") == expected


def test_metadata_is_asked_again_after_a_failure_so_that_a_moved_key_set_is_found(issuer, server, clock):
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
def test_without_metadata_keys_are_fetched_from_the_last_url(issuer, make_server, clock, events, fault):
    server = make_server(timeout=0.6, connect_timeout=0.6)
    server.warm_up()
    issuer.misbehave("discovery", fault)
    issuer.rotate()
    clock.advance(METADATA_TTL_S)
    assert server.refresh().issuers[0].key_ids[0] == issuer.current_key.kid
    assert len(events.wait_for(KeysRefreshed, 2)) == 2
    issuer.behave()


def test_a_configured_jwks_uri_is_asked_without_discovery_whatever_its_origin(issuer):
    with LocalIssuer(algorithm="ES256", issuer="https://id.example/oidc") as behind_a_proxy:
        trusted = Issuer(url="https://id.example/oidc", jwks_uri=behind_a_proxy.jwks_uri)
        ResourceServer(trusted, audience=SHOPPING_API).verify(behind_a_proxy.mint())
        assert behind_a_proxy.count("discovery") == 0


class Answers:
    """A transport from outside: anything of the right shape will do."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def request(self, method, url, *, headers, body, timeout_s, max_bytes):
        self.asked.append((method, url, dict(headers), body, timeout_s, max_bytes))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def runtime(transport, clock):
    clocks = Clocks(wall=time.time, ages=clock, monotonic=clock)
    return Runtime(clocks=clocks, transport=transport, reporter=Reporter(None, monotonic=clock))


def fetcher(transport, clock=None, **numbers):
    return KeyFetcher(
        issuer="https://id.example",
        jwks_uri="https://id.example/jwks",
        caching=KeyCaching(**numbers),
        runtime=runtime(transport, clock or ManualClock()),
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (TransportError("in our own words"), "in our own words"),
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
def test_whatever_a_transport_does_is_a_failed_fetch_in_safe_words(answer, words):
    with pytest.raises(FetchFailed) as caught:
        fetcher(Answers(answer)).fetch(None, failed_since=False)
    detail = caught.value.failure.detail
    assert words is None or detail == words
    assert "secret" not in detail + str(caught.value)


def test_the_transport_is_told_how_long_and_how_much():
    transport = Answers(TransportError(""))
    with pytest.raises(FetchFailed):
        fetcher(transport, timeout=4, max_bytes=5000).fetch(None, failed_since=False)
    [(method, url, headers, body, timeout_s, max_bytes)] = transport.asked
    assert (method, url, body, timeout_s, max_bytes) == ("GET", "https://id.example/jwks", None, 4, 5000)
    assert headers == {"Accept": "application/json"}


def test_discovery_and_key_set_share_one_deadline(issuer):
    clock = ManualClock()

    class Slow:
        def __init__(self):
            self.given = []

        def request(self, *args, timeout_s, **kwargs):
            self.given.append(timeout_s)
            clock.advance(3)
            return HttpTransport().request(*args, timeout_s=5, **kwargs)

    slow = Slow()
    made = KeyFetcher(
        issuer=issuer.url,
        jwks_uri=None,
        caching=KeyCaching(),
        runtime=runtime(slow, clock),
    )
    made.fetch(None, failed_since=False)
    assert slow.given == [5, 2]


@pytest.mark.parametrize(
    ("value", "max_age"),
    [
        ("max-age=600", 600), ("public, MAX-AGE=600", 600), ("no-cache, max-age=600", None), ("no-store,max-age=600", None),
        ("s-maxage=600", None), ("max-age=", None), ("max-age=-1", None), ("max-age=9999999999999", None), ("", None),
        ("no-cache, max-age=0, must-revalidate", None),
    ],
)  # fmt: skip
def test_cache_control_is_read_for_what_it_says(issuer, value, max_age):
    body = HttpTransport().request("GET", issuer.jwks_uri, headers={}, body=None, timeout_s=5, max_bytes=9999).body
    answer = Response(status=200, headers={"cache-control": value}, body=body)
    assert fetcher(Answers(answer)).fetch(None, failed_since=False).max_age == max_age
