"""A suspended computer, a step of the wall clock, a frozen clock: no expired token is served."""

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
    """Make a source with separate wall and monotonic clocks."""
    return lambda **changed: make_source(clock=wall, monotonic=monotonic, **changed)


def advance_both(wall, monotonic, seconds):
    wall.advance(seconds)
    monotonic.advance(seconds)


@pytest.mark.parametrize("suspended_s", [LIFETIME_S, LIFETIME_S + 1, 8 * HOURS_S, 365 * 24 * HOURS_S])
def test_after_a_suspension_longer_than_its_lifetime_a_token_is_replaced(make, issuer, wall, suspended_s):
    source = make()
    first = source.token()
    wall.advance(suspended_s)
    second = source.token()
    assert second != first
    assert second.expires_at == pytest.approx(wall.now + LIFETIME_S)
    assert issuer.count("token") == 2


def test_several_short_suspensions_add_up(make, wall, monotonic):
    source = make()
    first = source.token()
    for _ in range(10):
        advance_both(wall, monotonic, 10)
        wall.advance(LIFETIME_S / 10)
        assert source.token().expires_at > wall.now
    assert source.token() != first


def test_after_a_short_suspension_the_token_is_still_served(make, issuer, wall):
    source = make()
    first = source.token()
    wall.advance(0.8 * LIFETIME_S)
    assert source.token() is first
    assert issuer.count("token") == 1


def test_a_token_expires_by_the_monotonic_clock_after_a_step_back(make, wall, monotonic):
    source = make()
    first = source.token()
    wall.advance(-24 * HOURS_S)
    assert source.token() is first
    advance_both(wall, monotonic, LIFETIME_S)
    second = source.token()
    assert second != first
    assert second.expires_at == pytest.approx(wall.now + LIFETIME_S)


def test_a_suspension_after_a_step_back_of_the_wall_clock_counts(make, wall):
    source = make()
    first = source.token()
    wall.advance(-24 * HOURS_S)
    assert source.token() is first
    wall.advance(LIFETIME_S)
    assert source.token() != first


def test_a_token_expires_at_expires_at_although_the_clocks_drift(make, issuer, events, wall, monotonic):
    source = make()
    first = source.token()
    events.next(TokenRenewed)
    issuer.misbehave("token", faults.status(500))
    wall.advance(0.9 * JUMP_S)
    advance_both(wall, monotonic, LIFETIME_S - 0.9 * JUMP_S - 0.1)
    assert source.token() is first
    events.next(RenewalFailed)
    advance_both(wall, monotonic, 0.2)
    with pytest.raises(TokenEndpointUnavailable):
        source.token()


def test_a_token_with_a_lifetime_of_a_second_expires_by_the_wall_clock(make, issuer, wall, monotonic):
    issuer.misbehave("token", faults.members(expires_in=1))
    source = make()
    first = source.token()
    wall.advance(0.9 * JUMP_S)
    advance_both(wall, monotonic, 0.2)
    assert source.token() != first


def test_a_retry_after_date_without_date_header_uses_the_wall_clock(make, wall):
    class BusyTransport:
        def request(self, *args, **kwargs):
            later = email.utils.formatdate(wall.now + 90, usegmt=True)
            return Response(status=503, headers={"retry-after": later}, body=b"")

    with pytest.raises(TokenEndpointUnavailable) as raised:
        make(transport=BusyTransport()).token()
    assert 88 < raised.value.retry_after <= 90


def test_a_token_that_expired_during_a_suspension_is_requested_again(make, issuer, wall):
    class SuspendedTransport(HttpTransport):
        """The answer arrives before the computer is suspended."""

        def request(self, *args, **kwargs):
            answer = super().request(*args, **kwargs)
            if issuer.count("token") == 1:
                wall.advance(8 * HOURS_S)
            return answer

    token = make(transport=SuspendedTransport()).token()
    assert token.expires_at == pytest.approx(wall.now + LIFETIME_S)
    assert issuer.count("token") == 2


def test_a_connection_lost_during_a_suspension_is_tried_again(make, issuer, wall):
    class SuspendedTransport(HttpTransport):
        suspensions = 1

        def request(self, *args, **kwargs):
            if self.suspensions:
                self.suspensions -= 1
                wall.advance(60)
                raise ConnectionResetError
            return super().request(*args, **kwargs)

    token = make(transport=SuspendedTransport()).token()
    assert token.expires_at == pytest.approx(wall.now + LIFETIME_S)
    assert issuer.count("token") == 1


def test_without_a_suspension_a_failed_request_is_not_repeated(make, monotonic, wall):
    class SlowTransport(HttpTransport):
        requests = 0

        def request(self, *args, **kwargs):
            self.requests += 1
            advance_both(wall, monotonic, 8)
            raise ConnectionResetError

    transport = SlowTransport()
    with pytest.raises(TokenEndpointUnavailable):
        make(transport=transport).token()
    assert transport.requests == 1


def test_after_a_suspension_a_failure_answer_of_the_endpoint_counts(make, issuer, wall):
    class SuspendedTransport(HttpTransport):
        def request(self, *args, **kwargs):
            answer = super().request(*args, **kwargs)
            wall.advance(8 * HOURS_S)
            return answer

    issuer.misbehave("token", faults.status(503))
    with pytest.raises(TokenEndpointUnavailable):
        make(transport=SuspendedTransport()).token()
    assert issuer.count("token") == 1


def test_no_caller_waits_for_a_request_from_before_a_suspension(make, issuer, wall, events):
    released, stuck = threading.Event(), threading.Event()

    class StuckTransport(HttpTransport):
        """The first exchange never ends: its connection was lost while the computer was suspended."""

        def request(self, *args, **kwargs):
            if stuck.is_set():
                return super().request(*args, **kwargs)
            stuck.set()
            released.wait(20)
            raise ConnectionResetError

    source = make(transport=StuckTransport())
    tokens = []
    first_caller = threading.Thread(target=lambda: tokens.append(source.token()))
    first_caller.start()
    try:
        assert stuck.wait(10)
        wall.advance(8 * HOURS_S)
        assert source.token().expires_at == pytest.approx(wall.now + LIFETIME_S)
        assert events.next(TokenRenewed).cause == "first"  # without a RenewalFailed before it
        assert issuer.count("token") == 1
    finally:
        released.set()
        first_caller.join(20)
    assert tokens == [source.token()]
    assert events.queue.empty()


def test_the_wait_of_a_caller_counts_on_the_monotonic_clock_only(make, issuer, wall, monotonic):
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


def test_a_replaced_time_function_is_used(make_source, monkeypatch):
    source = make_source(clock=None, monotonic=None)
    first = source.token()
    assert first.expires_at == pytest.approx(time.time() + LIFETIME_S, abs=5)
    later = time.time() + LIFETIME_S
    monkeypatch.setattr(time, "time", lambda: later)
    second = source.token()
    assert second != first
    assert second.expires_at == pytest.approx(later + LIFETIME_S, abs=5)


def test_with_frozen_clocks_a_token_is_fetched_once_and_never_expires(make, wall, issuer):
    source = make()
    tokens = {source.token() for _ in range(3)}
    assert [token.expires_at for token in tokens] == [wall.now + LIFETIME_S]
    assert issuer.count("token") == 1


def test_with_frozen_clocks_a_caller_still_waits_at_most_the_time_out(make, issuer, events):
    issuer.misbehave("token", faults.hang())
    with pytest.raises(TokenEndpointUnavailable):
        make(timeout=0.2).token()
    issuer.behave()
    events.queue.get(timeout=10)  # the request has ended


def test_a_suspension_counts_for_the_age_of_metadata(issuer, wall, monotonic):
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


def test_a_second_request_that_fails_after_a_suspension_is_reported(make, issuer, wall, events):
    class CutOffTransport(HttpTransport):
        """The computer is suspended during the first request and has no network afterwards."""

        def request(self, *args, **kwargs):
            if not requests:
                requests.append(1)
                wall.advance(HOURS_S)
                raise TransportError("cut off")
            raise TransportError("no network")

    requests = []
    with pytest.raises(TokenEndpointUnavailable, match="no network"):
        make(transport=CutOffTransport()).token()
    assert events.next(RenewalFailed).failures == 1
