"""A token endpoint that is down, slow, broken or refuses: what callers get, and when the next request is sent."""

import email.utils
import threading

import pytest

from m2mguard.client import TokenEndpointUnavailable, TokenRequestRefused
from m2mguard.events import RenewalFailed, TokenRenewed
from m2mguard.net import HttpTransport
from m2mguard.testing import Fault, faults
from tests.client.conftest import APP_SECRET, LIFETIME_S


def test_during_an_outage_the_token_is_served_until_it_expires(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    issuer.misbehave("token", faults.status(503))
    clock.advance(0.9 * LIFETIME_S)
    for second in range(int(0.1 * LIFETIME_S)):
        before = source._cached._begun
        assert source.token() is token, second
        if source._cached._begun > before:
            assert events.next(RenewalFailed).reason == "status"
        clock.advance(1)
    assert issuer.count("token") < 25  # with the back-off of 1 to 60 s, halved at most; 360 calls
    clock.advance(61)
    with pytest.raises(TokenEndpointUnavailable, match="status 503"):
        source.token()
    issuer.behave()
    clock.advance(61)
    assert source.token() != token


def test_during_an_outage_calls_fail_at_once_without_more_requests(issuer, source, events):
    issuer.misbehave("token", faults.status(500))
    for _ in range(50):
        with pytest.raises(TokenEndpointUnavailable) as raised:
            source.token()
        assert raised.value.retry_after > 0
    assert issuer.count("token") == 1
    assert events.next(RenewalFailed).remaining_s == 0


def test_a_failed_first_request_is_repeated_after_the_back_off(issuer, source, clock):
    issuer.misbehave("token", faults.disconnect(), times=1)
    with pytest.raises(TokenEndpointUnavailable, match="no_answer"):
        source.token()
    clock.advance(1)
    assert source.token().scopes == {"read:orders"}


@pytest.mark.parametrize(
    "fault",
    [
        faults.html(),
        faults.truncated(),
        faults.huge(300_000),
        faults.redirect("https://elsewhere.example/token"),
        faults.status(404),
    ],
    ids=["html", "truncated", "huge", "redirect", "not found"],
)
def test_a_broken_answer_does_not_replace_a_valid_token(issuer, source, clock, events, fault: Fault):
    token = source.token()
    events.next(TokenRenewed)
    issuer.misbehave("token", fault)
    clock.advance(0.95 * LIFETIME_S)
    assert source.token() is token
    events.next(RenewalFailed)
    assert source.token() is token


def test_a_request_to_an_issuer_that_hangs_ends_at_the_time_out(issuer, make_source):
    source = make_source(timeout=1)
    issuer.misbehave("token", faults.hang())
    with pytest.raises(TokenEndpointUnavailable, match="no_answer"):
        source.token()
    issuer.behave()


def test_a_request_that_never_ends_is_abandoned_and_another_starts(make_source, clock, events):
    class StuckTransport(HttpTransport):
        """A name look-up that hangs and that no time-out ends."""

        def request(self, *args, **kwargs):
            if clock.now > began:
                return super().request(*args, **kwargs)
            released.wait(10)
            raise OSError("abandoned")

    began = clock.now
    released = threading.Event()
    source = make_source(transport=StuckTransport(), timeout=0.1)
    try:
        with pytest.raises(TokenEndpointUnavailable, match="in time"):
            source.token()
        clock.advance(2)  # it counts as failed at its time-out, so the back-off is over
        assert source.token().scopes == {"read:orders"}
        assert events.next(RenewalFailed).problem == "overdue"
    finally:
        released.set()


def test_the_late_result_of_an_abandoned_request_is_ignored(issuer, make_source, clock):
    released = threading.Event()
    threads = []

    class SlowTransport(HttpTransport):
        def request(self, *args, **kwargs):
            threads.append(threading.current_thread())
            answer = super().request(*args, **kwargs)
            if len(threads) == 1:
                released.wait(10)
            return answer

    source = make_source(transport=SlowTransport(), timeout=0.2)
    with pytest.raises(TokenEndpointUnavailable, match="in time"):
        source.token()
    clock.advance(2)
    token = source.token()
    released.set()
    threads[0].join(10)
    assert source.token() is token
    assert issuer.count("token") == 2


def test_without_a_new_thread_there_is_no_request(issuer, source, clock, monkeypatch):
    """The request is not sent on the caller's thread."""

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(TokenEndpointUnavailable, match="no thread"):
            source.token()
    assert issuer.count("token") == 0
    clock.advance(1)
    assert source.token().scopes == {"read:orders"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_transport_that_is_killed_leaves_no_caller_waiting(make_source):
    class InterruptedTransport(HttpTransport):
        def request(self, *args, **kwargs):
            raise SystemExit  # raised in a killed greenlet

    with pytest.raises(TokenEndpointUnavailable, match="broke off"):
        make_source(transport=InterruptedTransport()).token()


def test_after_a_refusal_a_request_is_sent_at_most_once_a_minute(issuer, make_source, clock, events):
    source = make_source(app_secret="wrong")
    for _ in range(50):
        with pytest.raises(TokenRequestRefused, match="the secret is wrong"):
            source.token()
        clock.advance(0.5)
    assert issuer.count("token") == 1
    clock.advance(60)
    with pytest.raises(TokenRequestRefused):
        source.token()
    assert issuer.count("token") == 2
    assert events.next(RenewalFailed).reason == "wrong_secret"


def test_an_outage_reported_with_status_400_is_retried_soon(issuer, source, clock):
    issuer.misbehave("token", Fault(status=400, body=b'{"error": "temporarily_unavailable"}'), times=1)
    with pytest.raises(TokenEndpointUnavailable) as raised:
        source.token()
    assert raised.value.retry_after <= 1
    clock.advance(1)
    assert source.token().scopes == {"read:orders"}


def test_a_retry_after_date_delays_the_next_request(issuer, source, clock):
    date = email.utils.formatdate(clock.now + 90, usegmt=True)
    issuer.misbehave("token", Fault(status=503, headers={"Retry-After": date}, body=b""), times=1)
    with pytest.raises(TokenEndpointUnavailable) as raised:
        source.token()
    assert 88 < raised.value.retry_after <= 90
    clock.advance(87)
    with pytest.raises(TokenEndpointUnavailable):
        source.token()
    clock.advance(4)
    assert source.token().scopes == {"read:orders"}
    assert issuer.count("token") == 2


def test_a_token_that_expired_in_transit_is_an_error(issuer, make_source, clock):
    class LateTransport(HttpTransport):
        def request(self, *args, **kwargs):
            answer = super().request(*args, **kwargs)
            clock.advance(LIFETIME_S)
            return answer

    source = make_source(transport=LateTransport())
    for _ in range(3):
        with pytest.raises(TokenEndpointUnavailable, match="expired before it arrived"):
            source.token()
    assert issuer.count("token") == 1


def test_any_error_of_a_custom_transport_is_reported_safely(make_source):
    class BrokenTransport:
        def request(self, *args, **kwargs):
            raise KeyError(APP_SECRET)

    with pytest.raises(TokenEndpointUnavailable, match=r"the transport failed \(KeyError\)") as raised:
        make_source(transport=BrokenTransport()).token()
    assert APP_SECRET not in str(raised.value)
