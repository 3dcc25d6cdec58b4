"""Conditional fetches (`If-None-Match`): unconditional once an hour, after a failure, and at another URL."""

import pytest

from m2mguard import InvalidToken, Issuer, ResourceServer
from m2mguard._keys.fetch import UNCONDITIONAL_AFTER_S
from m2mguard.events import KeysRefreshed
from m2mguard.net._discovery import METADATA_TTL_S
from m2mguard.testing import SHOPPING_API, LocalIssuer, faults

NOT_MODIFIED = faults.Fault(status=304, body=b"")


def last_was_conditional(issuer) -> bool:
    return "if-none-match" in [request for request in issuer.requests if request.endpoint == "jwks"][-1].headers


def test_a_refresh_is_conditional(issuer, server, clock):
    server.warm_up()
    assert not last_was_conditional(issuer)
    clock.advance(300)
    server.warm_up()
    assert last_was_conditional(issuer)


def test_a_fetch_is_unconditional_at_least_once_an_hour(issuer, server, clock):
    """A 304 does not prove that the document is current, so the number of 304s does not matter."""
    server.warm_up()
    conditional = []
    for _ in range(30):
        clock.advance(300)
        server.warm_up()
        conditional.append(last_was_conditional(issuer))
    every = int(UNCONDITIONAL_AFTER_S / 300)
    unconditional = [number for number, is_conditional in enumerate(conditional, 1) if not is_conditional]
    assert unconditional == [every, 2 * every]


def test_a_cache_that_always_answers_304_keeps_a_key_for_at_most_an_hour(issuer, server, clock):
    token, kid = issuer.mint(lifetime=86_400), issuer.current_key.kid
    server.verify(token)
    issuer.rotate()
    issuer.withdraw(kid)
    issuer.misbehave("jwks", NOT_MODIFIED)
    for _ in range(11):
        clock.advance(300)
        server.verify(token)
    issuer.behave()
    clock.advance(300)
    with pytest.raises(InvalidToken):
        server.verify(token)


def test_a_fetch_after_a_failure_is_unconditional(issuer, server, clock):
    server.warm_up()
    issuer.misbehave("jwks", faults.html(), times=1)
    server.refresh()
    server.refresh()
    assert not last_was_conditional(issuer)
    server.refresh()
    assert last_was_conditional(issuer)


def test_a_304_to_an_unconditional_request_is_a_failure(issuer, server):
    issuer.misbehave("jwks", NOT_MODIFIED)
    assert not server.warm_up().ready
    assert server.health().issuers[0].last_error == "the key set was answered with status 304"


def test_an_etag_is_sent_only_to_the_url_it_came_from(clock, events):
    with LocalIssuer() as issuer:
        server = ResourceServer(issuer.url, audience=SHOPPING_API, monotonic=clock, on_event=events)
        server.warm_up()
        clock.advance(METADATA_TTL_S - 300)
        issuer.rotate()  # the document is then less than an hour old when the metadata expires
        server.warm_up()
        assert last_was_conditional(issuer)
        moved = issuer.jwks_uri + "?version=2"
        issuer.misbehave("discovery", faults.members(jwks_uri=moved))
        clock.advance(300)
        server.warm_up()
        assert server.health().ready
        assert not last_was_conditional(issuer)
        assert [event.not_modified for event in events.wait_for(KeysRefreshed, 3)] == [False, False, False]


def test_the_etag_of_a_304_replaces_the_previous_etag(issuer, server, clock):
    server.warm_up()
    issuer.misbehave("jwks", faults.Fault(status=304, headers={"ETag": '"another"'}, body=b""), times=1)
    clock.advance(300)
    server.warm_up()
    clock.advance(300)
    server.warm_up()
    assert issuer.requests[-1].headers["if-none-match"] == '"another"'


def test_a_fetch_from_a_configured_jwks_uri_is_conditional_too(clock):
    with LocalIssuer() as issuer:
        trusted = Issuer(url=issuer.url, jwks_uri=issuer.jwks_uri)
        server = ResourceServer(trusted, audience=SHOPPING_API, monotonic=clock)
        server.warm_up()
        clock.advance(300)
        server.warm_up()
        assert last_was_conditional(issuer)
