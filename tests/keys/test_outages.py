"""Outages of the issuer: known tokens are served until the keys are stale, then 503; recovery needs no restart."""

import threading
import time

import pytest

from m2mguard import KeyCaching, KeysUnavailable
from m2mguard._clocks import Clocks
from m2mguard._keys.fetch import Fetched
from m2mguard._keys.key_set import key_set_from_members
from m2mguard._keys.key_state import KeyState
from m2mguard._keys.snapshot import KeyRequest
from m2mguard.events import KeysRefreshed, KeysUnavailableEvent, RefreshFailed, StaleServed
from m2mguard.testing import faults
from tests.held_flight import HeldFlight

QUICK = {"connect_timeout": 0.5, "timeout": 0.5, "max_wait": 0.05}
OUTAGES = {
    "503": faults.status(503),
    "404": faults.status(404),
    "204": faults.status(204),
    "redirect": faults.redirect("/oidc/jwks"),
    "hanging": faults.hang(),
    "HTML": faults.html(),
    "no keys": faults.empty_key_set(),
    "no key set": faults.body(b"[]"),
    "no body": faults.body(b""),
    "truncated": faults.truncated(),
    "disconnect": faults.disconnect(),
    "20 MB": faults.huge(),
    "gzip bomb": faults.gzip_bomb(),
    "dripping body": faults.drip(),
    "dripping head": faults.drip("head"),
}


def retry_after_of(server, token) -> float:
    """Verify a token that is answered with 503; returns its `Retry-After` in seconds."""
    with pytest.raises(KeysUnavailable) as caught:
        server.verify(token)
    return caught.value.retry_after


def call_in_an_outage(server, issuer, clock, events, begin, end):
    """Known tokens are served until `stale_until`, then 503; recovery takes at most one back-off step."""
    token = issuer.mint()
    server.verify(token)
    begin()
    for age in (301, 1800, 3599):
        clock.now += age - server.health().issuers[0].age
        assert server.verify(token).app_id == "app-orders"
        assert server.verify(issuer.mint()).app_id == "app-orders"  # not cached, but its key is known
    assert events.of(StaleServed)[-1].remaining_s == pytest.approx(1)
    assert server.health().ready
    clock.advance(2)
    assert not server.health().ready
    retry_after = max(retry_after_of(server, token), retry_after_of(server, issuer.mint()))
    assert 0 < retry_after <= 60
    assert len(events.of(KeysUnavailableEvent)) == 2
    events.wait_for(RefreshFailed)
    assert len(events.of(KeysRefreshed)) == 1
    end()
    clock.advance(60)
    caller = server.verify(token)
    assert server.health().ready
    assert server.health().issuers[0].last_error is None
    return caller


@pytest.mark.parametrize("fault", OUTAGES.values(), ids=OUTAGES)
def test_an_outage_with_invalid_answers(issuer, make_server, clock, events, fault):
    caller = call_in_an_outage(
        make_server(**QUICK),
        issuer,
        clock,
        events,
        begin=lambda: issuer.misbehave("jwks", fault),
        end=issuer.behave,
    )
    assert caller.app_id == "app-orders"


def test_an_outage_with_refused_connections(issuer, make_server, clock, events):
    caller = call_in_an_outage(make_server(**QUICK), issuer, clock, events, begin=issuer.stop, end=issuer.start)
    assert caller.app_id == "app-orders"


def test_with_stale_for_0_keys_are_not_served_past_their_ttl(issuer, make_server, clock):
    server = make_server(stale_for=0)
    token = issuer.mint()
    server.verify(token)
    issuer.misbehave("jwks", faults.status(503))
    clock.advance(299.9)
    assert server.verify(token).app_id == "app-orders"
    clock.advance(0.2)
    assert retry_after_of(server, token) > 0


def test_tokens_start_the_next_fetch_when_the_rate_limit_allows_it(issuer, server, clock):
    """The requests of a failed first fetch count towards the rate limit."""
    issuer.misbehave("jwks", faults.status(503), times=1)
    assert retry_after_of(server, issuer.mint()) <= 30
    retry_after_of(server, issuer.mint())
    assert issuer.count() == 2
    clock.advance(29.9)
    retry_after_of(server, issuer.mint())
    assert issuer.count() == 2
    clock.advance(0.1)
    server.verify(issuer.mint())


def test_a_probe_starts_the_next_fetch_after_the_back_off(issuer, server, clock, events):
    """The first fetch fails; a probe starts the next one as soon as the back-off ends."""
    issuer.misbehave("jwks", faults.status(503), times=1)
    retry_after_of(server, issuer.mint())
    assert server.readiness().status == 503
    clock.advance(1)
    server.readiness()
    events.wait_for(KeysRefreshed)
    assert server.readiness().status == 200
    server.verify(issuer.mint())


def test_only_the_first_request_past_the_ttl_waits_for_a_hanging_issuer(issuer, make_server, clock):
    server = make_server(max_wait=0.5, timeout=20, connect_timeout=20)
    token = issuer.mint()
    server.verify(token)
    issuer.misbehave("jwks", faults.hang())
    clock.advance(301)
    began = time.perf_counter()
    server.verify(token)
    first_s = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(20):
        server.verify(token)
    others_s = time.perf_counter() - began
    assert 0.5 <= first_s < 9
    assert others_s < 9  # if each waited: 10 s
    assert issuer.count("jwks") == 2
    issuer.behave()


def test_no_request_waits_while_the_issuer_keeps_failing(issuer, make_server, clock, events):
    server = make_server(max_wait=10, timeout=10, connect_timeout=10)
    token = issuer.mint()
    server.verify(token)
    issuer.misbehave("jwks", faults.status(503))
    clock.advance(301)
    server.verify(token)
    for failures in range(2, 6):
        issuer.misbehave("jwks", faults.hang())
        clock.advance(60)
        began = time.perf_counter()
        server.verify(token)  # starts another fetch in the background
        assert time.perf_counter() - began < 9
        issuer.wait_for_requests("jwks", failures)
        issuer.misbehave("jwks", faults.status(503))
        events.wait_for(RefreshFailed, failures)


def test_a_hanging_fetch_is_abandoned_and_its_late_result_is_kept(issuer, make_server, clock, events):
    """A hanging fetch is abandoned at its age limit; if it still ends, its keys are used."""
    server = make_server()
    token = issuer.mint()
    with issuer.hold("jwks") as gate:
        caller = threading.Thread(target=lambda: retry_after_of(server, token))
        caller.start()
        gate.wait_for(1)
        clock.advance(6)
        late = threading.Thread(target=server.verify, args=(token,))
        late.start()  # waits for a new fetch
        gate.wait_for(2)
        caller.join()
        assert [failed.error for failed in events.of(RefreshFailed)] == ["the fetch did not end in time"]
        gate.release()
        late.join()
    assert server.health().ready


def test_a_failed_refresh_is_reported_with_a_safe_message(issuer, server, clock):
    server.verify(issuer.mint())
    issuer.misbehave("jwks", faults.body(b'{"keys": "sekret"}'))
    health = server.refresh()
    assert health.ready
    assert health.issuers[0].failures == 1
    assert health.issuers[0].last_error == "the key set has no list of keys"


def test_an_abandoned_fetch_that_ends_late_is_counted_once(issuer, clock, monkeypatch):
    """Its requests delay the next allowed fetch only once."""
    caching = KeyCaching()
    clocks = Clocks(wall=clock, ages=clock, monotonic=clock)
    fetched = Fetched(keys=key_set_from_members(issuer.jwks, max_keys=9), max_age=None, etag=None, jwks_uri="j")
    monkeypatch.setattr("m2mguard.net._shared_fetch.Flight", HeldFlight)

    def fetch(fetch):
        fetch.count_request()
        return fetched

    state = KeyState(fetch=fetch, caching=caching, clocks=clocks, on_kept=lambda *_: None, on_failure=lambda *_: None)
    state.start_fetch().flight.run()
    overdue = state.resolve(KeyRequest(kid="another", alg="ES256"), None).wait_for
    clock.advance(caching.timeout + 2)
    state.fetch_if_unusable()
    assert state.status().last_failure.problem == "overdue"
    next_allowed_at = state.status().history.next_allowed_at
    overdue.flight.run()
    assert state.status().last_failure is None
    assert state.status().history.next_allowed_at == next_allowed_at > clock.now - caching.timeout - 2
