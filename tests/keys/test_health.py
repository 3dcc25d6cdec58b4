"""What `health` shows and what a readiness probe is answered: no waiting, no calls, and no dead end."""

import json
import threading
import time

import pytest

from m2mguard import KeysUnavailable, ResourceServer
from m2mguard.events import KeysRefreshed, RefreshFailed
from m2mguard.testing import SHOPPING_API, LocalIssuer, faults


def end_of_fetching():
    for thread in threading.enumerate():
        if thread.name.startswith("m2mguard-keys"):
            thread.join(10)


QUICK = {"connect_timeout": 0.25, "timeout": 0.25, "max_wait": 0.05}


def test_health_shows_each_key_with_its_thumbprint_and_algorithms(issuer, server):
    server.warm_up()
    [shown] = server.health().issuers
    [key] = shown.keys
    assert (key.key_id, key.thumbprint, key.algorithms) == (issuer.current_key.kid, issuer.current_key.kid, ("ES256",))
    assert shown.key_ids == (issuer.current_key.kid,)
    assert shown.issuer == issuer.url


def test_health_dates_the_keys_on_the_wall_clock_and_ages_them_on_the_monotonic_one(server, clock, events):
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


def test_health_of_a_server_that_was_never_asked_is_empty_and_asks_nobody(issuer, server):
    [shown] = server.health().issuers
    assert (shown.ready, shown.keys, shown.fetched_at, shown.last_error) == (False, (), None, None)
    assert issuer.count() == 0


def test_health_tells_the_last_error_until_the_next_good_answer(issuer, server):
    issuer.misbehave("all", faults.status(503))
    [shown] = server.warm_up().issuers
    told = "the issuer's metadata was answered with status 503"
    assert (shown.failures, shown.last_error, shown.last_problem) == (1, told, "metadata_status")
    issuer.behave()
    [shown] = server.refresh().issuers
    assert (shown.failures, shown.last_error, shown.last_problem) == (0, None, None)


def test_a_probe_is_answered_503_before_and_200_after_the_first_keys(issuer, server):
    answer = server.readiness()
    assert (answer.status, json.loads(answer.body)) == (503, {"status": "not ready"})
    assert answer.headers["Retry-After"] == "1"
    server.warm_up()
    answer = server.readiness()
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ready"})
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_very_first_probe_has_keys_fetched_in_the_background(issuer, server, events):
    with issuer.hold("jwks"):
        for _ in range(20):
            assert server.readiness().status == 503  # never waits
    events.wait_for(KeysRefreshed)
    assert server.readiness().status == 200
    assert issuer.count("jwks") == 1


def test_probes_of_a_server_with_usable_keys_start_nothing(issuer, server, clock):
    server.warm_up()
    for _ in range(59):
        clock.advance(60)
        assert server.readiness().status == 200
    assert issuer.count("jwks") == 1


def test_one_issuer_that_answers_makes_a_server_ready_and_the_other_is_shown_as_not(issuer, clock, events):
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
        assert server.readiness().status == 200  # and asks the other one again
        events.wait_for(KeysRefreshed, 2)
        assert [one.ready for one in server.health().issuers] == [True, True]


def test_after_a_failed_start_a_probe_has_keys_fetched_when_the_back_off_is_over(issuer, server, clock, events):
    issuer.misbehave("jwks", faults.status(503))
    server.warm_up()
    for _ in range(20):
        assert server.readiness().status == 503
    end_of_fetching()
    assert issuer.count("jwks") == 1  # the back-off holds for probes, too
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


def test_an_idle_server_whose_keys_aged_past_use_comes_back_by_its_probes(issuer, server, clock, events):
    server.warm_up()
    clock.advance(4000)
    with issuer.hold("jwks"):
        assert server.readiness().status == 503
    events.wait_for(KeysRefreshed, 2)
    assert server.readiness().status == 200


def test_a_probe_leaves_a_ready_server_alone(issuer, server, clock):
    server.warm_up()
    clock.advance(3000)  # stale, but fit to serve: refreshing is the business of traffic
    assert server.readiness().status == 200
    assert issuer.count("jwks") == 1


def test_an_attempt_that_hangs_past_its_age_limit_does_not_stop_the_probes(issuer, server, clock, events):
    with issuer.hold("jwks") as gate:
        server.warm_up(timeout=0)
        gate.wait_for(1)
        clock.advance(6)
        assert server.readiness().status == 503
        gate.wait_for(2)
        gate.release()
        events.wait_for(KeysRefreshed)
    assert server.readiness().status == 200


def test_a_hanging_start_ends_after_its_time_and_raises_nothing(issuer, make_server):
    server = make_server(**QUICK)
    issuer.misbehave("jwks", faults.hang())
    assert server.warm_up(timeout=0.05).ready is False
    with pytest.raises(KeysUnavailable):
        server.verify(issuer.mint())
    issuer.behave()
