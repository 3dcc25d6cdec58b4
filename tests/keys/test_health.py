"""`health` and readiness probes: they never wait, and a server that is not ready recovers."""

import json
import time

import pytest

from m2mguard import KeysUnavailable, ResourceServer
from m2mguard.events import KeysRefreshed, RefreshFailed
from m2mguard.testing import SHOPPING_API, LocalIssuer, faults
from tests.key_threads import join_key_threads

QUICK = {"connect_timeout": 0.25, "timeout": 0.25, "max_wait": 0.05}


def test_health_shows_each_key_with_its_thumbprint_and_algorithms(issuer, server):
    server.warm_up()
    [shown] = server.health().issuers
    [key] = shown.keys
    assert (key.key_id, key.thumbprint, key.algorithms) == (issuer.current_key.kid, issuer.current_key.kid, ("ES256",))
    assert shown.key_ids == (issuer.current_key.kid,)
    assert shown.issuer == issuer.url


def test_health_shows_wall_clock_dates_and_monotonic_ages(server, clock, events):
    server.warm_up()
    clock.advance(250)
    [shown] = server.health().issuers
    assert shown.age == 250
    assert shown.fetched_at == pytest.approx(time.time() - 250, abs=5)
    assert shown.stale_until == pytest.approx(shown.fetched_at + 3600)
    assert shown.fetched_at + 216 <= shown.next_refresh <= shown.fetched_at + 264
    assert not shown.stale
    clock.advance(50)
    assert server.health().issuers[0].stale
    assert server.health().ready
    clock.advance(3300)
    assert not server.health().ready


def test_health_of_an_unused_server_is_empty_and_starts_no_fetch(issuer, server):
    [shown] = server.health().issuers
    assert (shown.ready, shown.keys, shown.fetched_at, shown.last_error) == (False, (), None, None)
    assert issuer.count() == 0


def test_health_shows_the_last_error_until_a_fetch_succeeds(issuer, server):
    issuer.misbehave("all", faults.status(503))
    [shown] = server.warm_up().issuers
    error = "the issuer's metadata was answered with status 503"
    assert (shown.failures, shown.last_error, shown.last_problem) == (1, error, "metadata_status")
    issuer.behave()
    [shown] = server.refresh().issuers
    assert (shown.failures, shown.last_error, shown.last_problem) == (0, None, None)


def test_readiness_is_503_before_and_200_after_the_first_keys(issuer, server):
    with issuer.hold("jwks"):  # the first probe starts a fetch in the background
        answer = server.readiness()
    assert (answer.status, json.loads(answer.body)) == (503, {"status": "not ready"})
    assert answer.headers["Retry-After"] == "1"
    server.warm_up()
    answer = server.readiness()
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ready"})
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_first_probe_starts_a_fetch_in_the_background(issuer, server, events):
    with issuer.hold("jwks"):
        for _ in range(20):
            assert server.readiness().status == 503  # never waits
    events.wait_for(KeysRefreshed)
    assert server.readiness().status == 200
    assert issuer.count("jwks") == 1


def test_probes_of_a_server_with_usable_keys_start_no_fetch(issuer, server, clock):
    server.warm_up()
    for _ in range(59):
        clock.advance(60)
        assert server.readiness().status == 200
    assert issuer.count("jwks") == 1


def test_one_issuer_with_keys_makes_a_server_ready(issuer, clock, events):
    """`health` shows the other issuer as not ready."""
    with LocalIssuer(algorithm="ES256") as broken:
        broken.misbehave("all", faults.status(503))
        server = ResourceServer([issuer.url, broken.url], audience=SHOPPING_API, monotonic=clock, on_event=events)
        with issuer.hold("all"):
            assert server.readiness().status == 503
        events.wait_for(KeysRefreshed)
        events.wait_for(RefreshFailed)
        assert server.readiness().status == 200
        assert [one.ready for one in server.health().issuers] == [True, False]
        broken.behave()
        clock.advance(1)
        assert server.readiness().status == 200  # and starts a fetch from the other issuer
        events.wait_for(KeysRefreshed, 2)
        assert [one.ready for one in server.health().issuers] == [True, True]


def test_after_a_failed_start_a_probe_fetches_when_the_back_off_is_over(issuer, server, clock, events):
    issuer.misbehave("jwks", faults.status(503))
    server.warm_up()
    for _ in range(20):
        assert server.readiness().status == 503
    join_key_threads()
    assert issuer.count("jwks") == 1  # the back-off applies to probes too
    issuer.behave()
    clock.advance(1)
    with issuer.hold("jwks"):
        assert server.readiness().status == 503  # never waits
    events.wait_for(KeysRefreshed)
    assert server.readiness().status == 200
    assert issuer.count("jwks") == 2


def test_probes_do_not_wait_and_start_one_fetch_at_a_time(issuer, make_server, clock, events):
    server = make_server(**QUICK)
    issuer.misbehave("jwks", faults.hang())
    server.warm_up(timeout=0)
    for _ in range(100):
        assert server.readiness().status == 503
    events.wait_for(RefreshFailed)
    assert issuer.count("jwks") == 1
    issuer.behave()


def test_probes_make_an_idle_server_with_expired_keys_ready_again(issuer, server, clock, events):
    server.warm_up()
    clock.advance(4000)
    with issuer.hold("jwks"):
        assert server.readiness().status == 503
    events.wait_for(KeysRefreshed, 2)
    assert server.readiness().status == 200


def test_a_probe_of_a_ready_server_starts_no_fetch(issuer, server, clock):
    server.warm_up()
    clock.advance(3000)  # stale but servable: only requests refresh the keys
    assert server.readiness().status == 200
    assert issuer.count("jwks") == 1


def test_a_fetch_that_hangs_past_its_limit_does_not_stop_probes(issuer, server, clock, events):
    with issuer.hold("jwks") as gate:
        server.warm_up(timeout=0)
        gate.wait_for(1)
        clock.advance(6)
        assert server.readiness().status == 503
        gate.wait_for(2)
        gate.release()
        events.wait_for(KeysRefreshed)
    assert server.readiness().status == 200


def test_warm_up_returns_after_its_timeout_and_raises_nothing(issuer, make_server):
    server = make_server(**QUICK)
    issuer.misbehave("jwks", faults.hang())
    assert server.warm_up(timeout=0.05).ready is False
    with pytest.raises(KeysUnavailable):
        server.verify(issuer.mint())
    issuer.behave()
