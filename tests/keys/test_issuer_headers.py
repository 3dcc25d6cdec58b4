"""Headers of an issuer: `Retry-After` in seconds and as a date, `max-age`, and `Date` as the issuer's clock."""

import time
from email.utils import formatdate

import pytest

from m2mguard import InvalidToken, Issuer, KeyCaching, KeysUnavailable, ResourceServer
from m2mguard.events import KeysRefreshed, RefreshFailed
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey, faults
from tests.manual_clock import ManualClock

RETRY_AFTER = {
    "seconds": {"Retry-After": "120"},
    "a date by the issuer's clock": {
        "Date": formatdate(1_000_000_000, usegmt=True),
        "Retry-After": formatdate(1_000_000_120, usegmt=True),
    },
}


@pytest.mark.parametrize("status", [429, 503, 200])
@pytest.mark.parametrize("headers", RETRY_AFTER.values(), ids=RETRY_AFTER)
def test_no_fetch_starts_within_retry_after(issuer, server, clock, events, headers, status):
    server.verify(issuer.mint())
    issuer.misbehave("all", faults.Fault(status=status, headers=headers, body=b"busy"))
    assert server.refresh().issuers[0].failures == 1
    before = issuer.count()
    for _ in range(11):
        clock.advance(10)
        server.readiness()
        server.verify(issuer.mint())
        with pytest.raises(KeysUnavailable) as caught:
            server.verify(issuer.mint(key=SigningKey.generate()))
        assert 0 < caught.value.retry_after <= 120 - 10
    assert issuer.count() == before
    issuer.behave()
    issuer.rotate()
    clock.advance(11)
    server.verify(issuer.mint())
    assert events.wait_for(RefreshFailed)[0].retry_in_s == pytest.approx(120)


def test_a_retry_after_date_without_date_header_uses_our_clock(issuer, server, events):
    headers = {"Retry-After": formatdate(time.time() + 200, usegmt=True)}
    issuer.misbehave("all", faults.Fault(status=503, headers=headers))
    server.warm_up()
    assert events.wait_for(RefreshFailed)[0].retry_in_s == pytest.approx(200, abs=3)


@pytest.mark.parametrize("value", ["-1", "soon", "", "1e9", "99999999", formatdate(0, usegmt=True)])
def test_an_invalid_retry_after_is_ignored_or_limited(issuer, server, events, value):
    issuer.misbehave("all", faults.Fault(status=503, headers={"Retry-After": value}))
    server.warm_up()
    assert 0 <= events.wait_for(RefreshFailed)[0].retry_in_s <= 300


def test_refresh_ignores_retry_after(issuer, server):
    issuer.misbehave("discovery", faults.Fault(status=503, headers={"Retry-After": "120"}), times=1)
    assert not server.warm_up().ready
    assert server.refresh().ready


def test_max_age_shortens_the_ttl_and_never_extends_it(issuer, server, clock, events):
    for max_age, ttl in ((90, 90), (10, 60), (3600, 300)):
        issuer.misbehave("jwks", faults.Fault(headers={"Cache-Control": f"public, max-age={max_age}"}))
        server.refresh()
        clock.advance(ttl - 1)
        assert not server.health().issuers[0].stale
        clock.advance(1)
        assert server.health().issuers[0].stale


@pytest.mark.parametrize("behind_s", [0, 600])
def test_token_age_is_compared_on_the_issuers_clock(behind_s):
    """If the issuer's clock is behind ours, a token of a new key seems older than our last fetch but is not."""
    wall, monotonic = ManualClock(1_790_000_000), ManualClock()
    with LocalIssuer(clock=lambda: wall() - behind_s) as issuer:
        server = ResourceServer(
            Issuer.logto(issuer.endpoint), audience=SHOPPING_API, clock=wall, monotonic=monotonic, leeway=300
        )
        date = {"Date": formatdate(wall() - behind_s, usegmt=True)}
        issuer.misbehave("jwks", faults.Fault(headers=date))
        server.verify(issuer.mint())
        for clock in (wall, monotonic):
            clock.advance(10)
        issuer.rotate()
        assert server.verify(issuer.mint()).app_id == "app-orders"
        old = issuer.mint(key=SigningKey.generate(), issued_at=wall() - behind_s - 100)
        before = issuer.count("jwks")
        with pytest.raises(InvalidToken):
            server.verify(old)
        assert issuer.count("jwks") == before


def test_repeated_tokens_of_a_withdrawn_key_cause_no_fetch(issuer, clock, events):
    wall = ManualClock(time.time())
    server = ResourceServer(
        Issuer.logto(issuer.endpoint), audience=SHOPPING_API, clock=wall, monotonic=clock, on_event=events
    )
    old, kid = issuer.mint(), issuer.current_key.kid
    server.verify(old)
    issuer.rotate()
    issuer.withdraw(kid)
    for each in (clock, wall):
        each.advance(300)
    server.warm_up()
    assert len(events.wait_for(KeysRefreshed, 2)) == 2
    for _ in range(100):
        with pytest.raises(InvalidToken):
            server.verify(old)
    assert issuer.count("jwks") == 2
    issuer.rotate()
    server.verify(issuer.mint(issued_at=wall()))


def test_an_abandoned_fetch_for_an_unknown_key_counts(issuer, make_server, clock):
    server = make_server(max_wait=0.05)
    server.verify(issuer.mint())
    unknown = [issuer.mint(key=SigningKey.generate()) for _ in range(4)]
    with issuer.hold("jwks"):
        for advance, requests in ((6, 2), (6, 2), (3, 3), (6, 3)):
            with pytest.raises(KeysUnavailable):
                server.verify(unknown.pop())
            issuer.wait_for_requests("jwks", requests)
            clock.advance(advance)
        assert issuer.count("jwks") == 3


def test_with_burst_0_a_rotated_key_is_found_at_the_next_refresh(issuer, clock):
    server = ResourceServer(
        Issuer.logto(issuer.endpoint), audience=SHOPPING_API, caching=KeyCaching(burst=0), monotonic=clock
    )
    server.verify(issuer.mint())
    issuer.rotate()
    with pytest.raises(KeysUnavailable):
        server.verify(issuer.mint())
    clock.advance(300)
    server.verify(issuer.mint())
