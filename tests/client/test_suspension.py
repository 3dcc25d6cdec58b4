"""A machine that is suspended, a wall clock that steps, a clock that is frozen: no token is given out past its end."""

import email.utils
import threading
import time

import pytest

from m2mguard._clocks import JUMP_S
from m2mguard.client import TokenEndpointUnavailable, TokenSource
from m2mguard.events import RenewalFailed, TokenRenewed
from m2mguard.net import HttpTransport, Response, TransportError
from m2mguard.testing import SHOPPING_API, faults
from tests.client.conftest import APP_ID, APP_SECRET, LIFETIME_S
from tests.manual_clock import ManualClock

HOURS_S = 3600.0


@pytest.fixture
def wall():
    return ManualClock(time.time())


@pytest.fixture
def monotonic():
    return ManualClock(5_000.0)


@pytest.fixture
def make(make_source, wall, monotonic):
    """A source with two clocks of its own."""
    return lambda **changed: make_source(clock=wall, monotonic=monotonic, **changed)


def both(wall, monotonic, seconds):
    wall.advance(seconds)
    monotonic.advance(seconds)


@pytest.mark.parametrize("asleep_s", [LIFETIME_S, LIFETIME_S + 1, 8 * HOURS_S, 365 * 24 * HOURS_S])
def test_after_a_sleep_longer_than_the_tokens_life_another_is_given_out(make, issuer, wall, asleep_s):
    source = make()
    first = source.token()
    wall.advance(asleep_s)
    second = source.token()
    assert second != first
    assert second.expires_at == pytest.approx(wall.now + LIFETIME_S)
    assert issuer.count("token") == 2


def test_several_short_sleeps_add_up(make, wall, monotonic):
    source = make()
    first = source.token()
    for _ in range(10):
        both(wall, monotonic, 10)
        wall.advance(LIFETIME_S / 10)
        assert source.token().expires_at > wall.now
    assert source.token() != first


def test_after_a_short_sleep_the_token_is_still_given_out(make, issuer, wall):
    source = make()
    first = source.token()
    wall.advance(0.8 * LIFETIME_S)
    assert source.token() is first
    assert issuer.count("token") == 1


def test_a_token_ends_by_the_monotonic_clock_even_if_the_wall_clock_stepped_back(make, wall, monotonic):
    source = make()
    first = source.token()
    wall.advance(-24 * HOURS_S)
    assert source.token() is first
    both(wall, monotonic, LIFETIME_S)
    second = source.token()
    assert second != first
    assert second.expires_at == pytest.approx(wall.now + LIFETIME_S)


def test_a_sleep_after_the_wall_clock_stepped_back_counts(make, wall):
    source = make()
    first = source.token()
    wall.advance(-24 * HOURS_S)
    assert source.token() is first
    wall.advance(LIFETIME_S)
    assert source.token() != first


def test_a_token_ends_by_its_expires_at_while_clocks_drift(make, issuer, events, wall, monotonic):
    source = make()
    first = source.token()
    events.next(TokenRenewed)
    issuer.misbehave("token", faults.status(500))
    wall.advance(0.9 * JUMP_S)
    both(wall, monotonic, LIFETIME_S - 0.9 * JUMP_S - 0.1)
    assert source.token() is first
    events.next(RenewalFailed)
    both(wall, monotonic, 0.2)
    with pytest.raises(TokenEndpointUnavailable):
        source.token()


def test_a_token_that_lives_for_a_second_ends_by_the_wall_clock_too(make, issuer, wall, monotonic):
    issuer.misbehave("token", faults.members(expires_in=1))
    source = make()
    first = source.token()
    wall.advance(0.9 * JUMP_S)
    both(wall, monotonic, 0.2)
    assert source.token() != first


def test_a_retry_after_that_is_a_date_counts_by_the_wall_clock_where_the_answer_has_no_date(make, wall):
    class Busy:
        def request(self, *args, **kwargs):
            later = email.utils.formatdate(wall.now + 90, usegmt=True)
            return Response(status=503, headers={"retry-after": later}, body=b"")

    with pytest.raises(TokenEndpointUnavailable) as raised:
        make(transport=Busy()).token()
    assert 88 < raised.value.retry_after <= 90


def test_a_machine_that_slept_during_the_request_asks_once_more_since_the_token_has_expired(make, issuer, wall):
    class Sleeping(HttpTransport):
        """The answer was there before the machine fell asleep."""

        def request(self, *args, **kwargs):
            answer = super().request(*args, **kwargs)
            if issuer.count("token") == 1:
                wall.advance(8 * HOURS_S)
            return answer

    token = make(transport=Sleeping()).token()
    assert token.expires_at == pytest.approx(wall.now + LIFETIME_S)
    assert issuer.count("token") == 2


def test_a_machine_that_slept_during_the_request_asks_once_more_since_the_connection_is_dead(make, issuer, wall):
    class Sleeping(HttpTransport):
        sleeps = 1

        def request(self, *args, **kwargs):
            if self.sleeps:
                self.sleeps -= 1
                wall.advance(60)
                raise ConnectionResetError
            return super().request(*args, **kwargs)

    token = make(transport=Sleeping()).token()
    assert token.expires_at == pytest.approx(wall.now + LIFETIME_S)
    assert issuer.count("token") == 1


def test_without_a_sleep_a_failure_is_one_at_once(make, monotonic, wall):
    class Slow(HttpTransport):
        requests = 0

        def request(self, *args, **kwargs):
            self.requests += 1
            both(wall, monotonic, 8)
            raise ConnectionResetError

    transport = Slow()
    with pytest.raises(TokenEndpointUnavailable):
        make(transport=transport).token()
    assert transport.requests == 1


def test_after_a_sleep_an_answer_of_the_endpoint_counts_even_if_it_is_a_failure(make, issuer, wall):
    class Sleeping(HttpTransport):
        def request(self, *args, **kwargs):
            answer = super().request(*args, **kwargs)
            wall.advance(8 * HOURS_S)
            return answer

    issuer.misbehave("token", faults.status(503))
    with pytest.raises(TokenEndpointUnavailable):
        make(transport=Sleeping()).token()
    assert issuer.count("token") == 1


def test_after_a_sleep_nobody_waits_for_a_request_from_before_it(make, issuer, wall, events):
    released, stuck = threading.Event(), threading.Event()

    class Stuck(HttpTransport):
        """The first exchange never ends: its connection died while the machine slept."""

        def request(self, *args, **kwargs):
            if stuck.is_set():
                return super().request(*args, **kwargs)
            stuck.set()
            released.wait(20)
            raise ConnectionResetError

    source = make(transport=Stuck())
    tokens = []
    first_caller = threading.Thread(target=lambda: tokens.append(source.token()))
    first_caller.start()
    try:
        assert stuck.wait(10)
        wall.advance(8 * HOURS_S)
        assert source.token().expires_at == pytest.approx(wall.now + LIFETIME_S)
        assert events.next(TokenRenewed).cause == "first"  # and no RenewalFailed before it
        assert issuer.count("token") == 1
    finally:
        released.set()
        first_caller.join(20)
    assert tokens == [source.token()]
    assert events.queue.empty()


def test_how_long_a_caller_waits_is_counted_by_the_monotonic_clock_alone(make, issuer, wall, monotonic):
    source = make(timeout=10)
    with issuer.hold("token"):
        first = source._cached.token()
        flight, seconds = next(first)
        assert seconds == 10
        monotonic.advance(3)
        wall.advance(3 + 6)  # a jump, but of less than the time-out
        later_flight, later_seconds = next(source._cached.token())
        assert (later_flight is flight, later_seconds) == (True, 7)
    assert flight.wait(10)


def test_the_clocks_of_the_process_are_looked_up_when_they_are_called(make_source, monkeypatch):
    source = make_source(clock=None, monotonic=None)
    first = source.token()
    assert first.expires_at == pytest.approx(time.time() + LIFETIME_S, abs=5)
    later = time.time() + LIFETIME_S
    monkeypatch.setattr(time, "time", lambda: later)
    second = source.token()
    assert second != first
    assert second.expires_at == pytest.approx(later + LIFETIME_S, abs=5)


def test_with_frozen_clocks_a_token_is_fetched_once_and_never_ends(make, wall, issuer):
    source = make()
    tokens = {source.token() for _ in range(3)}
    assert [token.expires_at for token in tokens] == [wall.now + LIFETIME_S]
    assert issuer.count("token") == 1


def test_with_frozen_clocks_a_caller_still_waits_no_longer_than_the_time_out(make, issuer, events):
    issuer.misbehave("token", faults.hang())
    with pytest.raises(TokenEndpointUnavailable):
        make(timeout=0.2).token()
    issuer.behave()
    events.queue.get(timeout=10)  # the request has ended, too


def test_the_age_of_metadata_counts_a_sleep(issuer, wall, monotonic):
    source = TokenSource(
        issuer.url, client_id=APP_ID, client_secret=APP_SECRET, resource=SHOPPING_API, clock=wall, monotonic=monotonic
    )
    source.token()
    wall.advance(LIFETIME_S)
    source.token()
    assert issuer.count("discovery") == 2


@pytest.mark.parametrize("setting", ["clock", "monotonic"])
def test_a_clock_must_be_callable(setting):
    with pytest.raises(Exception, match=f"{setting} must be callable"):
        TokenSource("https://issuer.example", client_id="app", client_secret="secret", **{setting: 7})


def test_a_second_request_that_fails_after_a_sleep_is_reported(make, issuer, wall, events):
    class CutOff(HttpTransport):
        """The machine sleeps during the first request, and finds no network when it wakes up."""

        def request(self, *args, **kwargs):
            if not asked:
                asked.append(1)
                wall.advance(HOURS_S)
                raise TransportError("cut off")
            raise TransportError("no network")

    asked = []
    with pytest.raises(TokenEndpointUnavailable, match="no network"):
        make(transport=CutOff()).token()
    assert events.next(RenewalFailed).failures == 1
