"""The record of fetches: back-off, and the permits for unknown keys."""

import pytest

from m2mguard import KeyCaching
from m2mguard._keys.fetch_history import RETRY_LAST_S, RETRY_LEAST_S, FetchHistory

CACHING = KeyCaching()


def asked_for_nothing(attempts: FetchHistory, at: float, *, requests: int = 1, is_known: bool = False) -> FetchHistory:
    return attempts.record_unknown_kid_fetch(at, CACHING, requests=requests, is_known=is_known)


def next_allowed_in(
    attempts: FetchHistory, now: float, *, is_known: bool = False, caching: KeyCaching = CACHING
) -> float:
    return attempts.next_allowed_in(now, caching, is_known=is_known)


def test_the_back_off_doubles_from_one_to_sixty_seconds_with_full_jitter():
    attempts, steps = FetchHistory(), []
    for _ in range(9):
        attempts = attempts.failed(0, jitter=1)
        steps.append(attempts.retry_at)
    assert steps == [1, 2, 4, 8, 16, 32, RETRY_LAST_S, RETRY_LAST_S, RETRY_LAST_S]
    assert FetchHistory(failures=5).failed(100, jitter=0.25).retry_at == 108
    assert FetchHistory(failures=5).failed(100, jitter=0).retry_at == 100 + RETRY_LEAST_S


def test_an_issuer_that_wants_to_be_left_alone_is():
    attempts = FetchHistory().failed(100, jitter=1, retry_after=120)
    assert not attempts.may_ask(219)
    assert attempts.may_ask(220)
    assert next_allowed_in(attempts, 100) == next_allowed_in(attempts, 100, is_known=True) == 120
    assert next_allowed_in(attempts.succeeded(), 100) == 0
    again = attempts.failed(220, jitter=1)
    assert again.retry_at == 222
    assert next_allowed_in(again, 220) == 0


def test_a_good_answer_ends_the_back_off_but_does_not_give_permits_back():
    after = FetchHistory(failures=4, failed_at=10, retry_at=20, next_allowed_at=30, reserved_allowed_at=40).succeeded()
    assert after == FetchHistory(next_allowed_at=30, reserved_allowed_at=40)


def test_a_waiter_can_time_out_only_while_a_fetch_is_in_flight():
    in_flight = FetchHistory().started(1)
    assert in_flight.waiter_timed_out().timed_out
    assert not in_flight.waiter_timed_out().finished().timed_out
    assert not FetchHistory().waiter_timed_out().timed_out


def test_after_a_fetch_that_brought_nothing_the_next_permit_comes_a_half_of_the_cool_down_later():
    attempts = asked_for_nothing(FetchHistory(), 100)
    assert next_allowed_in(attempts, 100) == 15
    assert next_allowed_in(attempts, 114.9) == pytest.approx(0.1)
    assert next_allowed_in(attempts, 115) == 0


def test_every_request_of_such_a_fetch_counts():
    assert next_allowed_in(asked_for_nothing(FetchHistory(), 100, requests=2), 100) == 30
    assert next_allowed_in(asked_for_nothing(FetchHistory(), 100, requests=5), 100) == 60


def test_a_fetch_that_ends_late_takes_no_permit_back_earlier():
    attempts = asked_for_nothing(asked_for_nothing(FetchHistory(), 160, requests=2), 100, requests=2)
    assert next_allowed_in(attempts, 160) == 30


def test_a_stranger_does_not_use_the_permit_that_is_kept():
    attempts = asked_for_nothing(FetchHistory(), 100)
    assert next_allowed_in(attempts, 100, is_known=True) == 0
    used = asked_for_nothing(attempts, 100, is_known=True)
    assert next_allowed_in(used, 100, is_known=True) == 30
    assert next_allowed_in(used, 100) == 30


def test_a_known_application_that_asked_for_nothing_asks_again_soon_and_then_not_for_a_cool_down():
    attempts = asked_for_nothing(FetchHistory(), 100, is_known=True)
    assert next_allowed_in(attempts, 100, is_known=True) == 5
    attempts = asked_for_nothing(attempts, 105, is_known=True)
    assert next_allowed_in(attempts, 105, is_known=True) == next_allowed_in(attempts, 105) == 25


@pytest.mark.parametrize("is_known", [False, True])
def test_who_grabs_every_permit_gets_two_requests_in_a_cool_down(is_known):
    attempts, asked = FetchHistory(), []
    for tenth in range(6000):
        now = tenth / 10
        if next_allowed_in(attempts, now, is_known=is_known) == 0:
            attempts = asked_for_nothing(attempts, now, is_known=is_known)
            asked.append(now)
    assert len(asked) == 40
    assert all(later - earlier >= 30 for earlier, later in zip(asked, asked[2:], strict=False))


def test_two_who_grab_every_permit_get_no_more_on_average():
    attempts, asked = FetchHistory(), 0
    for tenth in range(6000):
        for is_known in (False, True):
            if next_allowed_in(attempts, tenth / 10, is_known=is_known) == 0:
                attempts = asked_for_nothing(attempts, tenth / 10, is_known=is_known)
                asked += 1
    assert asked <= 41


def test_with_a_burst_of_one_no_permit_is_kept():
    caching = KeyCaching(burst=1)
    attempts = FetchHistory().record_unknown_kid_fetch(100, caching, requests=1, is_known=False)
    assert next_allowed_in(attempts, 100, is_known=True, caching=caching) == 30


def test_with_a_burst_of_none_there_is_never_a_permit():
    assert next_allowed_in(FetchHistory(), 10_000, caching=KeyCaching(burst=0)) == 30
