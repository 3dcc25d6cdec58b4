"""`If-None-Match` saves a body, and never pins keys: not for longer than an hour, not after a failure, not at another URL."""

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


def test_at_least_once_an_hour_a_fetch_is_unconditional(issuer, server, clock):
    """However many answers of "not modified" lie between: each of them says nothing about the document itself."""
    server.warm_up()
    conditional = []
    for _ in range(30):
        clock.advance(300)
        server.warm_up()
        conditional.append(last_was_conditional(issuer))
    every = int(UNCONDITIONAL_AFTER_S / 300)
    assert [number + 1 for number, one in enumerate(conditional) if not one] == [every, 2 * every]


def test_a_broken_cache_that_always_says_not_modified_pins_no_key_for_longer_than_an_hour(issuer, server, clock):
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


def test_after_a_failure_a_fetch_is_unconditional(issuer, server, clock):
    server.warm_up()
    issuer.misbehave("jwks", faults.html(), times=1)
    server.refresh()
    server.refresh()
    assert not last_was_conditional(issuer)
    server.refresh()
    assert last_was_conditional(issuer)


def test_a_304_to_a_request_that_was_not_conditional_is_a_failure(issuer, server):
    issuer.misbehave("jwks", NOT_MODIFIED)
    assert not server.warm_up().ready
    assert server.health().issuers[0].last_error == "the key set was answered with status 304"


def test_a_validator_never_goes_to_another_url_than_its_own(clock, events):
    with LocalIssuer() as issuer:
        server = ResourceServer(issuer.url, audience=SHOPPING_API, monotonic=clock, on_event=events)
        server.warm_up()
        clock.advance(METADATA_TTL_S - 300)
        issuer.rotate()  # so that the document is not an hour old when the metadata is
        server.warm_up()
        assert last_was_conditional(issuer)
        moved = issuer.jwks_uri + "?version=2"
        issuer.misbehave("discovery", faults.members(jwks_uri=moved))
        clock.advance(300)
        server.warm_up()
        assert server.health().ready
        assert not last_was_conditional(issuer)
        assert [event.not_modified for event in events.wait_for(KeysRefreshed, 3)] == [False, False, False]


def test_the_validator_of_a_304_takes_the_place_of_the_one_before(issuer, server, clock):
    server.warm_up()
    issuer.misbehave("jwks", faults.Fault(status=304, headers={"ETag": '"another"'}, body=b""), times=1)
    clock.advance(300)
    server.warm_up()
    clock.advance(300)
    server.warm_up()
    assert issuer.requests[-1].headers["if-none-match"] == '"another"'


def test_keys_at_a_configured_url_are_asked_for_conditionally_as_well(clock):
    with LocalIssuer() as issuer:
        trusted = Issuer(url=issuer.url, jwks_uri=issuer.jwks_uri)
        server = ResourceServer(trusted, audience=SHOPPING_API, monotonic=clock)
        server.warm_up()
        clock.advance(300)
        server.warm_up()
        assert last_was_conditional(issuer)
