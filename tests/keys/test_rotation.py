"""Keys are added, removed and changed while tokens are in use."""

import json

import pytest

from m2mguard import InvalidToken, Issuer, ResourceServer
from m2mguard.events import KeysRefreshed, KeyWithdrawn, UnknownKeyThrottled
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey, faults
from tests.manual_clock import ManualClock
from tests.refusals import reason_of


def test_a_key_rotated_right_after_a_fetch_costs_one_more_fetch(issuer, server):
    server.verify(issuer.mint())
    issuer.rotate()
    assert server.verify(issuer.mint()).app_id == "app-orders"
    assert issuer.count("jwks") == 2


def test_a_rotation_to_another_key_type_is_accepted(issuer, server):
    server.verify(issuer.mint())
    issuer.rotate("RS256")
    server.verify(issuer.mint())
    assert issuer.count("jwks") == 2


def test_each_of_several_rotations_costs_one_more_fetch(issuer, server, events):
    server.verify(issuer.mint())
    for fetches in range(2, 8):
        issuer.rotate()
        server.verify(issuer.mint())
        assert issuer.count("jwks") == fetches
    assert events.of(UnknownKeyThrottled) == []


def test_a_key_published_ahead_needs_no_fetch_when_it_is_promoted(issuer, server):
    issuer.rotate(grace=True)
    server.verify(issuer.mint())
    issuer.promote()
    server.verify(issuer.mint())
    assert issuer.count("jwks") == 1


def test_cached_tokens_of_a_withdrawn_key_end_at_the_next_refresh(issuer, server, clock, events):
    token, kid = issuer.mint(), issuer.current_key.kid
    server.verify(token)
    issuer.rotate()
    issuer.withdraw(kid)
    clock.advance(299)  # past refresh ahead: this request is still served and starts a refresh
    server.verify(token)
    events.wait_for(KeysRefreshed, 2)
    assert reason_of(server, token) == "unknown_key"
    [withdrawn] = events.wait_for(KeyWithdrawn)
    assert withdrawn.key_id == kid


def test_an_idle_server_does_not_serve_a_withdrawn_key_past_its_ttl(issuer, server, clock):
    token, kid = issuer.mint(), issuer.current_key.kid
    server.verify(token)
    issuer.rotate()
    issuer.withdraw(kid)
    clock.advance(300)
    assert reason_of(server, token) == "unknown_key"


def test_a_new_key_under_an_old_key_id_replaces_it_at_once(issuer, server, clock, events):
    old, kid = issuer.mint(), issuer.current_key.kid
    server.verify(old)
    issuer.replace_material()
    assert server.verify(issuer.mint()).app_id == "app-orders"
    assert reason_of(server, old) == "signature"
    refreshed = events.wait_for(KeysRefreshed, 2)[1]
    assert (refreshed.added, refreshed.removed) == ((kid,), (kid,))
    assert issuer.count("jwks") == 3  # the key of the old token may be newer still, so it causes one fetch


def test_a_new_key_of_another_type_replaces_the_old_one_too(issuer, server):
    server.verify(issuer.mint())
    issuer.rotate(key=SigningKey.generate("RS256", kid=issuer.current_key.kid))
    server.verify(issuer.mint())
    assert issuer.count("jwks") == 2


def test_wrong_signatures_are_rate_limited_like_unknown_key_ids(issuer, server, clock):
    """Tokens with a wrong signature cause no more fetches than tokens with an invented key id."""
    server.verify(issuer.mint())
    tampered = issuer.mint(key=SigningKey.generate("ES256", kid=issuer.current_key.kid))
    for expected in (2, 3):
        for _ in range(20):
            assert reason_of(server, tampered) == "signature"
        assert issuer.count("jwks") == expected
        clock.advance(15)
    issuer.misbehave("jwks", faults.status(503))
    assert reason_of(server, tampered) == "signature"


INVALID_KEYS = {
    "unknown type": {"kty": "AKP", "alg": "ML-DSA-65", "pub": "AAAA"},
    "Ed448": {"kty": "OKP", "crv": "Ed448", "x": "A" * 76},
    "secp256k1": {"kty": "EC", "crv": "secp256k1", "x": "A" * 43, "y": "A" * 43},
    "RSA of 1024 bits": {"kty": "RSA", "n": "w" * 171, "e": "AQAB"},
    "symmetric": {"kty": "oct", "k": "c2VjcmV0"},
    "off the curve": {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
    "numbers instead of names": {"kty": 7, "kid": 8},
    "no object": {"kty": None},
}


@pytest.mark.parametrize("invalid_key", INVALID_KEYS.values(), ids=INVALID_KEYS)
def test_only_the_invalid_key_of_a_set_is_skipped(issuer, server, events, invalid_key):
    issuer.publish({"kid": "invalid", **invalid_key}, position=0)
    server.verify(issuer.mint())
    [refreshed] = events.wait_for(KeysRefreshed)
    assert refreshed.key_ids == (issuer.current_key.kid,)
    assert len(refreshed.skipped) == 1


def test_only_private_and_encryption_keys_of_a_set_are_skipped(issuer, server, events):
    other = SigningKey.generate("ES256")
    issuer.publish({**other.public_jwk, "kid": "private", "d": "AAAA"}, position=0)
    issuer.publish({**other.public_jwk, "kid": "encryption", "use": "enc"}, position=0)
    server.verify(issuer.mint())
    assert len(events.wait_for(KeysRefreshed)[0].skipped) == 2


def test_two_keys_under_one_id_are_both_tried(issuer, server):
    second_key = SigningKey.generate("ES256", kid=issuer.current_key.kid)
    issuer.publish(second_key.public_jwk, position=0)
    assert server.verify(issuer.mint()).app_id == "app-orders"
    assert server.verify(issuer.mint(key=second_key)).app_id == "app-orders"


def test_a_key_is_used_only_for_its_own_issuer_if_key_ids_are_equal(clock):
    ours = SigningKey.generate("ES256", kid="shared")
    theirs = SigningKey.generate("ES256", kid="shared")
    with LocalIssuer(key=ours) as one, LocalIssuer(key=theirs) as two:
        server = ResourceServer([one.url, two.url], audience=SHOPPING_API, monotonic=clock)
        server.verify(one.mint())
        server.verify(two.mint())
        assert reason_of(server, one.mint(key=theirs)) == "signature"
        assert reason_of(server, two.mint(key=ours)) == "signature"


@pytest.mark.parametrize(("step", "fetches"), [(-3600, 1), (86_400, 2)], ids=["back an hour", "forward a day"])
def test_a_step_of_the_wall_clock_does_not_age_the_keys(issuer, step, fetches):
    """A step back causes no fetch; a step forward causes one."""
    monotonic, wall = ManualClock(), ManualClock(1_800_000_000)
    server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API, clock=wall, monotonic=monotonic)
    before = issuer.mint(issued_at=wall.now)
    server.verify(before)
    wall.advance(step)
    server.verify(issuer.mint(issued_at=wall.now))
    assert reason_of(server, before) == ("not_yet_valid" if step < 0 else "expired")
    assert issuer.count("jwks") == fetches
    assert not server.health().issuers[0].stale


def test_an_unchanged_key_set_is_answered_with_304(issuer, server, clock, events):
    server.verify(issuer.mint())
    clock.advance(300)
    server.verify(issuer.mint())
    first, second = events.wait_for(KeysRefreshed, 2)
    assert (first.not_modified, second.not_modified) == (False, True)
    assert second.key_ids == first.key_ids
    assert "if-none-match" in issuer.requests[-1].headers
    assert not server.health().issuers[0].stale


def test_a_moved_key_set_is_found_although_the_old_url_still_answers(issuer, make_server, clock):
    server = make_server(ttl=600)
    server.verify(issuer.mint())
    issuer.misbehave("jwks", faults.body(json.dumps(issuer.jwks).encode()))
    issuer.rotate()
    issuer.misbehave("discovery", faults.members(jwks_uri=f"{issuer.endpoint}/elsewhere"))
    issuer.misbehave("other", faults.Fault(status=200, body=json.dumps(issuer.jwks).encode()))
    issuer.reset_counts()
    with pytest.raises(InvalidToken, match="unknown_key"):  # the metadata has not expired, as the keys have not
        server.verify(issuer.mint())
    assert (issuer.count("discovery"), issuer.count("jwks"), issuer.count("other")) == (0, 1, 0)
    clock.advance(601)
    assert server.verify(issuer.mint()).app_id == "app-orders"
    assert issuer.count("discovery") == 1
    assert issuer.count("other") == 1
    clock.advance(60)
    with pytest.raises(InvalidToken, match="unknown_key"):  # only the new URL is requested, not the metadata
        server.verify(issuer.mint(key=SigningKey.generate("ES256")))
    assert (issuer.count("discovery"), issuer.count("other")) == (1, 2)


def test_a_failed_discovery_removes_no_key(issuer, make_server, clock):
    server = make_server(ttl=600)
    good = issuer.mint()
    server.verify(good)
    clock.advance(601)
    issuer.misbehave("discovery", faults.status(500))
    with pytest.raises(InvalidToken, match="unknown_key"):
        server.verify(issuer.mint(key=SigningKey.generate("ES256")))
    assert server.verify(good).app_id == "app-orders"
