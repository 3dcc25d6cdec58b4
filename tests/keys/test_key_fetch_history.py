"""The history of fetches: back-off, and the rate limit for unknown keys."""

import pytest

from m2mguard import KeyCaching
from m2mguard._keys.key_fetch_history import RETRY_LEAST_S, KeyFetchHistory, backoff_s
from m2mguard.net._fetch_history import RETRY_LAST_S

CACHING = KeyCaching()


def after_useless_fetch(
    history: KeyFetchHistory, at: float, *, requests: int = 1, is_known: bool = False
) -> KeyFetchHistory:
    return history.record_unknown_kid_fetch(at, CACHING, requests=requests, is_known=is_known)


def next_allowed_in(
    history: KeyFetchHistory, now: float, *, is_known: bool = False, caching: KeyCaching = CACHING
) -> float:
    return history.next_allowed_in(now, caching, is_known=is_known)


def test_the_back_off_doubles_from_one_to_sixty_seconds_with_full_jitter():
    assert [backoff_s(failures, jitter=1) for failures in range(9)] == [1, 2, 4, 8, 16, 32, *[RETRY_LAST_S] * 3]
    assert backoff_s(5, jitter=0.25) == 8
    assert backoff_s(5, jitter=0) == RETRY_LEAST_S


def test_failures_are_counted_and_no_fetch_starts_during_the_back_off():
    history = KeyFetchHistory().failed(100, backoff_s=1).failed(101, backoff_s=2)
    assert (history.failures, history.failed_at, history.retry_at) == (2, 101, 103)
    assert not history.may_ask(102.9)
    assert history.may_ask(103)


def test_retry_after_delays_the_next_fetch():
    history = KeyFetchHistory().failed(100, backoff_s=1, retry_after_s=120)
    assert not history.may_ask(219)
    assert history.may_ask(220)
    assert next_allowed_in(history, 100) == next_allowed_in(history, 100, is_known=True) == 120
    assert next_allowed_in(history.succeeded(), 100) == 0
    again = history.failed(220, backoff_s=2)
    assert again.retry_at == 222
    assert next_allowed_in(again, 220) == 0


def test_a_successful_fetch_ends_the_back_off_but_not_the_rate_limit():
    after = KeyFetchHistory(
        failures=4, failed_at=10, retry_at=20, next_allowed_at=30, reserved_allowed_at=40
    ).succeeded()
    assert after == KeyFetchHistory(next_allowed_at=30, reserved_allowed_at=40)


def test_a_waiter_can_time_out_only_while_a_fetch_is_in_flight():
    in_flight = KeyFetchHistory().started(1)
    assert in_flight.waiter_timed_out().timed_out
    assert not in_flight.waiter_timed_out().finished().timed_out
    assert not KeyFetchHistory().waiter_timed_out().timed_out


def test_a_useless_fetch_delays_the_next_by_half_a_cool_down():
    history = after_useless_fetch(KeyFetchHistory(), 100)
    assert next_allowed_in(history, 100) == 15
    assert next_allowed_in(history, 114.9) == pytest.approx(0.1)
    assert next_allowed_in(history, 115) == 0


def test_every_request_of_a_useless_fetch_counts():
    assert next_allowed_in(after_useless_fetch(KeyFetchHistory(), 100, requests=2), 100) == 30
    assert next_allowed_in(after_useless_fetch(KeyFetchHistory(), 100, requests=5), 100) == 60


def test_a_fetch_that_ends_late_does_not_allow_the_next_one_earlier():
    history = after_useless_fetch(after_useless_fetch(KeyFetchHistory(), 160, requests=2), 100, requests=2)
    assert next_allowed_in(history, 160) == 30


def test_an_unknown_caller_does_not_use_the_reserved_fetch():
    history = after_useless_fetch(KeyFetchHistory(), 100)
    assert next_allowed_in(history, 100, is_known=True) == 0
    used = after_useless_fetch(history, 100, is_known=True)
    assert next_allowed_in(used, 100, is_known=True) == 30
    assert next_allowed_in(used, 100) == 30


def test_a_known_application_may_fetch_again_soon_after_a_useless_fetch():
    """The first such fetch delays the next by 5 seconds, the second by the rest of a cool-down."""
    history = after_useless_fetch(KeyFetchHistory(), 100, is_known=True)
    assert next_allowed_in(history, 100, is_known=True) == 5
    history = after_useless_fetch(history, 105, is_known=True)
    assert next_allowed_in(history, 105, is_known=True) == next_allowed_in(history, 105) == 25


@pytest.mark.parametrize("is_known", [False, True])
def test_one_caller_causes_at_most_two_requests_in_a_cool_down(is_known):
    history, fetches = KeyFetchHistory(), []
    for tenth in range(6000):
        now = tenth / 10
        if next_allowed_in(history, now, is_known=is_known) == 0:
            history = after_useless_fetch(history, now, is_known=is_known)
            fetches.append(now)
    assert len(fetches) == 40
    assert all(later - earlier >= 30 for earlier, later in zip(fetches, fetches[2:], strict=False))


def test_two_callers_cause_no_more_requests_than_one_on_average():
    history, fetches = KeyFetchHistory(), 0
    for tenth in range(6000):
        for is_known in (False, True):
            if next_allowed_in(history, tenth / 10, is_known=is_known) == 0:
                history = after_useless_fetch(history, tenth / 10, is_known=is_known)
                fetches += 1
    assert fetches <= 41


def test_with_a_burst_of_1_no_fetch_is_reserved():
    caching = KeyCaching(burst=1)
    history = KeyFetchHistory().record_unknown_kid_fetch(100, caching, requests=1, is_known=False)
    assert next_allowed_in(history, 100, is_known=True, caching=caching) == 30


def test_with_a_burst_of_0_no_fetch_is_allowed():
    assert next_allowed_in(KeyFetchHistory(), 10_000, caching=KeyCaching(burst=0)) == 30
