"""The history of fetches: back-off, and the rate limit for unknown keys."""

import pytest

from m2mguard import KeyCaching
from m2mguard._keys.key_fetch_history import RETRY_LEAST_S, KeyFetchHistory, backoff_s
from m2mguard.net._fetch_history import RETRY_LAST_S

CACHING = KeyCaching()


def asked_for_nothing(
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


def test_failures_in_a_row_are_counted_and_nobody_asks_during_the_back_off():
    history = KeyFetchHistory().failed(100, backoff_s=1).failed(101, backoff_s=2)
    assert (history.failures, history.failed_at, history.retry_at) == (2, 101, 103)
    assert not history.may_ask(102.9)
    assert history.may_ask(103)


def test_an_issuer_that_wants_to_be_left_alone_is():
    history = KeyFetchHistory().failed(100, backoff_s=1, retry_after_s=120)
    assert not history.may_ask(219)
    assert history.may_ask(220)
    assert next_allowed_in(history, 100) == next_allowed_in(history, 100, is_known=True) == 120
    assert next_allowed_in(history.succeeded(), 100) == 0
    again = history.failed(220, backoff_s=2)
    assert again.retry_at == 222
    assert next_allowed_in(again, 220) == 0


def test_a_good_answer_ends_the_back_off_but_not_the_rate_limit():
    after = KeyFetchHistory(
        failures=4, failed_at=10, retry_at=20, next_allowed_at=30, reserved_allowed_at=40
    ).succeeded()
    assert after == KeyFetchHistory(next_allowed_at=30, reserved_allowed_at=40)


def test_a_waiter_can_time_out_only_while_a_fetch_is_in_flight():
    in_flight = KeyFetchHistory().started(1)
    assert in_flight.waiter_timed_out().timed_out
    assert not in_flight.waiter_timed_out().finished().timed_out
    assert not KeyFetchHistory().waiter_timed_out().timed_out


def test_after_a_fetch_that_brought_nothing_the_next_is_allowed_half_a_cool_down_later():
    """After a fetch that brought nothing the next one is allowed half a cool-down later."""
    history = asked_for_nothing(KeyFetchHistory(), 100)
    assert next_allowed_in(history, 100) == 15
    assert next_allowed_in(history, 114.9) == pytest.approx(0.1)
    assert next_allowed_in(history, 115) == 0


def test_every_request_of_such_a_fetch_counts():
    assert next_allowed_in(asked_for_nothing(KeyFetchHistory(), 100, requests=2), 100) == 30
    assert next_allowed_in(asked_for_nothing(KeyFetchHistory(), 100, requests=5), 100) == 60


def test_a_fetch_that_ends_late_allows_no_fetch_earlier():
    history = asked_for_nothing(asked_for_nothing(KeyFetchHistory(), 160, requests=2), 100, requests=2)
    assert next_allowed_in(history, 160) == 30


def test_an_unknown_caller_does_not_use_the_reserved_fetch():
    history = asked_for_nothing(KeyFetchHistory(), 100)
    assert next_allowed_in(history, 100, is_known=True) == 0
    used = asked_for_nothing(history, 100, is_known=True)
    assert next_allowed_in(used, 100, is_known=True) == 30
    assert next_allowed_in(used, 100) == 30


def test_a_known_application_whose_fetch_brought_nothing_may_ask_again_soon():
    """A known application that asked for nothing asks again soon and then not for a cool down."""
    history = asked_for_nothing(KeyFetchHistory(), 100, is_known=True)
    assert next_allowed_in(history, 100, is_known=True) == 5
    history = asked_for_nothing(history, 105, is_known=True)
    assert next_allowed_in(history, 105, is_known=True) == next_allowed_in(history, 105) == 25


@pytest.mark.parametrize("is_known", [False, True])
def test_who_uses_every_allowed_fetch_gets_two_requests_in_a_cool_down(is_known):
    history, asked = KeyFetchHistory(), []
    for tenth in range(6000):
        now = tenth / 10
        if next_allowed_in(history, now, is_known=is_known) == 0:
            history = asked_for_nothing(history, now, is_known=is_known)
            asked.append(now)
    assert len(asked) == 40
    assert all(later - earlier >= 30 for earlier, later in zip(asked, asked[2:], strict=False))


def test_two_who_use_every_allowed_fetch_get_no_more_on_average():
    history, asked = KeyFetchHistory(), 0
    for tenth in range(6000):
        for is_known in (False, True):
            if next_allowed_in(history, tenth / 10, is_known=is_known) == 0:
                history = asked_for_nothing(history, tenth / 10, is_known=is_known)
                asked += 1
    assert asked <= 41


def test_with_a_burst_of_1_no_fetch_is_reserved():
    caching = KeyCaching(burst=1)
    history = KeyFetchHistory().record_unknown_kid_fetch(100, caching, requests=1, is_known=False)
    assert next_allowed_in(history, 100, is_known=True, caching=caching) == 30


def test_with_a_burst_of_0_no_fetch_is_allowed():
    assert next_allowed_in(KeyFetchHistory(), 10_000, caching=KeyCaching(burst=0)) == 30
