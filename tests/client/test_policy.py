"""The decisions of the token policy, case by case, without clocks, threads or network."""

from dataclasses import replace

import pytest

from m2mguard.client import AccessToken
from m2mguard.client._policy import (
    REPLACEMENT_WAIT_S,
    Held,
    TokenAction,
    TokenDecision,
    backoff_s,
    decide_call,
    decide_replacement,
)
from m2mguard.net._fetch_history import FetchHistory

TIMEOUT_S = 5.0
TOKEN = AccessToken(value="first", scopes=frozenset(), expires_at=0.0)
NEXT = AccessToken(value="next", scopes=frozenset(), expires_at=0.0)
HELD = Held.from_grant(TOKEN, 1000.0, asked_at=0.0, jitter=0.0)  # renewed from 900 on, valid before 1000
IDLE = FetchHistory()
IN_FLIGHT = FetchHistory().started(0.0)
FAILED = FetchHistory().failed(950.0, backoff_s=1.0)  # next request from 951 on


@pytest.mark.parametrize(
    ("lifetime_s", "jitter", "margin_s"),
    [
        (3600.0, 0.0, 360.0),
        (3600.0, 1.0, 432.0),
        (300.0, 0.0, 30.0),
        (100.0, 0.0, 30.0),
        (100.0, 1.0, 36.0),
        (60.0, 1.0, 30.0),
        (20.0, 0.0, 10.0),
        (2.0, 1.0, 1.0),
    ],
)
def test_a_token_is_renewed_before_its_end(lifetime_s, jitter, margin_s):
    """The margin is a tenth of the lifetime, at least 30 seconds and at most half of the lifetime."""
    held = Held.from_grant(TOKEN, lifetime_s, asked_at=7.0, jitter=jitter)
    assert held.expires_at == 7.0 + lifetime_s
    assert held.expires_at - held.renew_at == pytest.approx(margin_s)


@pytest.mark.parametrize("history", [IDLE, IN_FLIGHT, FAILED])
def test_a_valid_token_is_served_always(history):
    for now in (0.0, 899.9, 900.0, 950.5, 999.9):
        assert decide_call(HELD, history, now, TIMEOUT_S).action is TokenAction.SERVE


@pytest.mark.parametrize(
    ("history", "now", "cause"),
    [
        (IDLE, 899.9, None),
        (IDLE, 900.0, "renewal"),
        (IN_FLIGHT, 960.0, None),
        (FAILED, 950.9, None),
        (FAILED, 951.0, "renewal"),
    ],
)
def test_a_renewal_starts_when_it_is_due_and_no_back_off_applies(history, now, cause):
    assert decide_call(HELD, history, now, TIMEOUT_S).cause == cause


@pytest.mark.parametrize(("held", "now", "cause"), [(None, 10.0, "first"), (HELD, 1000.0, "expired")])
def test_without_a_valid_token_a_caller_starts_a_request_and_waits(held, now, cause):
    expected = TokenDecision(action=TokenAction.WAIT, cause=cause, wait_s=TIMEOUT_S)
    assert decide_call(held, IDLE, now, TIMEOUT_S) == expected


def test_without_a_valid_token_a_later_caller_joins_the_request():
    """It waits only for the rest of its time-out: see test_suspension.py."""
    assert decide_call(None, IN_FLIGHT, 952.0, TIMEOUT_S) == TokenDecision(action=TokenAction.WAIT, wait_s=TIMEOUT_S)


def test_without_a_valid_token_callers_fail_during_the_back_off():
    assert decide_call(None, FAILED, 950.9, TIMEOUT_S) == TokenDecision(action=TokenAction.FAIL)
    assert decide_call(None, FAILED, 951.0, TIMEOUT_S).cause == "first"


@pytest.mark.parametrize("history", [IDLE, IN_FLIGHT, FAILED])
def test_no_caller_waits_twice(history):
    assert decide_call(None, history, 990.0, TIMEOUT_S, waited=True) == TokenDecision(action=TokenAction.FAIL)


def test_the_back_off_doubles_to_a_minute_with_jitter_of_half():
    waits = [backoff_s(failures, refused=False, jitter=0.0) for failures in range(9)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert backoff_s(8, refused=False, jitter=1.0) == 60.0


def test_after_a_refusal_the_back_off_is_30_to_60_seconds():
    assert backoff_s(0, refused=True, jitter=0.0) == 30.0
    assert backoff_s(0, refused=True, jitter=1.0) == 60.0


def test_retry_after_extends_the_back_off_and_never_shortens_it():
    assert IDLE.failed(100.0, backoff_s=1.0, retry_after_s=90.0).retry_at == 190.0
    assert IDLE.failed(100.0, backoff_s=60.0, retry_after_s=1.0).retry_at == 160.0


def test_a_rejected_token_is_replaced_if_it_is_current_and_not_new():
    expected = TokenDecision(action=TokenAction.WAIT, cause="rejected", wait_s=TIMEOUT_S, counts=True)
    assert decide_replacement(HELD, IDLE, 500.0, TIMEOUT_S, rejected=TOKEN) == expected


def test_a_rejection_during_a_request_joins_the_request():
    assert decide_replacement(HELD, IN_FLIGHT, 952.0, TIMEOUT_S, rejected=TOKEN) == TokenDecision(
        action=TokenAction.WAIT, wait_s=TIMEOUT_S, counts=True
    )


@pytest.mark.parametrize(
    ("held", "history", "now", "waited"),
    [
        (None, IDLE, 500.0, False),
        (HELD, IDLE, 29.9, False),  # it was just fetched
        (
            Held.from_grant(TOKEN, 20.0, asked_at=0.0, jitter=0.0),
            IDLE,
            9.9,
            False,
        ),  # just fetched, relative to its lifetime
        (HELD, IDLE, 500.0, True),  # a request for another token failed
        (Held.from_grant(NEXT, 1000.0, asked_at=0.0, jitter=0.0), IDLE, 500.0, False),  # it is not the current one
    ],
)
def test_a_rejected_token_is_not_replaced_if_another_would_not_help(held, history, now, waited):
    assert decide_replacement(held, history, now, TIMEOUT_S, rejected=TOKEN, waited=waited) == TokenDecision(
        action=TokenAction.FAIL
    )


def test_a_rejection_during_the_back_off_counts_but_starts_no_request():
    decision = decide_replacement(HELD, FAILED, 950.9, TIMEOUT_S, rejected=TOKEN)
    assert decision == TokenDecision(action=TokenAction.FAIL, counts=True)


REJECTED = HELD.as_rejected(500.0)


def test_a_rejected_token_is_due_for_renewal_at_once():
    assert (REJECTED.renew_at, REJECTED.expires_at, REJECTED.token) == (500.0, 1000.0, TOKEN)
    assert HELD.as_rejected(950.0).renew_at == HELD.renew_at


def test_a_token_that_expired_by_the_wall_clock_is_not_served():
    ended = HELD.as_ended(899.0)
    assert decide_call(ended, IDLE, 899.0, TIMEOUT_S).cause == "expired"
    assert decide_call(ended, FAILED, 950.5, TIMEOUT_S) == TokenDecision(action=TokenAction.FAIL)
    assert HELD.as_ended(1001.0) == HELD


def test_a_caller_waits_at_most_a_second_for_a_replacement():
    expected = TokenDecision(action=TokenAction.WAIT, wait_s=REPLACEMENT_WAIT_S)
    assert decide_call(REJECTED, IN_FLIGHT, 501.0, TIMEOUT_S) == expected
    assert decide_call(REJECTED, IDLE, 501.0, TIMEOUT_S) == replace(expected, cause="rejected")
    assert decide_call(REJECTED, IN_FLIGHT, 501.0, 0.2).wait_s == 0.2


def test_a_rejected_token_is_served_if_no_replacement_arrives():
    assert decide_call(REJECTED, IN_FLIGHT, 502.0, TIMEOUT_S, waited=True) == TokenDecision(action=TokenAction.SERVE)
    assert decide_call(REJECTED, FAILED, 950.9, TIMEOUT_S) == TokenDecision(action=TokenAction.SERVE)
    assert decide_call(REJECTED, FAILED, 951.0, TIMEOUT_S) == TokenDecision(action=TokenAction.SERVE, cause="rejected")
    assert decide_call(REJECTED, FAILED.started(951.0), 952.0, TIMEOUT_S) == TokenDecision(action=TokenAction.SERVE)


def test_no_caller_waits_for_the_renewal_of_a_token_not_rejected():
    assert decide_call(HELD, IN_FLIGHT, 950.0, TIMEOUT_S) == TokenDecision(action=TokenAction.SERVE)


def test_a_dropped_request_counts_as_no_failure():
    assert IN_FLIGHT.finished() == IDLE
    assert FAILED.started(951.0).finished() == FAILED


@pytest.mark.parametrize("waited", [False, True])
def test_one_replacement_serves_all_callers_with_the_same_rejection(waited):
    replaced = Held.from_grant(NEXT, 1000.0, asked_at=500.0, jitter=0.0, instead_of=TOKEN)
    assert (
        decide_replacement(replaced, IDLE, 501.0, TIMEOUT_S, rejected=TOKEN, waited=waited).action is TokenAction.SERVE
    )
    assert decide_replacement(replaced, IDLE, 501.0, TIMEOUT_S, rejected=NEXT).action is TokenAction.FAIL
    assert decide_replacement(replaced, IDLE, 1500.0, TIMEOUT_S, rejected=TOKEN).action is TokenAction.FAIL


@pytest.mark.parametrize(
    ("held", "now", "starts"),
    [(HELD, 30.0, True), (Held.from_grant(TOKEN, 20.0, asked_at=0.0, jitter=0.0), 10.0, True)],
)
def test_a_token_counts_as_new_for_30_seconds_or_half_its_lifetime(held, now, starts):
    assert (decide_replacement(held, IDLE, now, TIMEOUT_S, rejected=TOKEN).cause == "rejected") is starts
