"""Every row of the table at the head of `m2mguard.keys.freshness`, and the edges between the rows."""

import dataclasses

import pytest

from m2mguard import KeyCaching
from m2mguard.keys.attempts import FAILING_FOR_S, RETRY_LAST_S, RETRY_LEAST_S, Asked, Attempts
from m2mguard.keys.freshness import Action, Decision, Snapshot, date, decide, servable
from m2mguard.keys.jwks import KeySet, key_set
from m2mguard.testing import SigningKey

CACHING = KeyCaching()
FETCHED_AT = 1000.0
FRESH, DUE, EXPIRED, STALE_EDGE = FETCHED_AT + 1, FETCHED_AT + 250, FETCHED_AT + 300, FETCHED_AT + 3600
NEVER_ASKED = Attempts()
NO_PERMIT = Attempts(permits=(FETCHED_AT, FETCHED_AT))


def failed(at: float, *, failures: int = 1, retry_in: float = 10, permits: tuple[float, ...] = ()) -> Attempts:
    return Attempts(failures=failures, failed_at=at, retry_at=at + retry_in, permits=permits)


def flying(since: float, *, slow: bool = False, permits: tuple[float, ...] = ()) -> Attempts:
    return Attempts(flying_since=since, slow=slow, permits=permits)


@pytest.fixture(scope="module")
def keys() -> KeySet:
    return key_set({"keys": [SigningKey.generate("ES256", kid="known").public_jwk]}, max_keys=1)


@pytest.fixture(scope="module")
def snapshot(keys: KeySet) -> Snapshot:
    return date(keys, CACHING, fetched_at=FETCHED_AT, max_age=None, dice=0.5)


SERVE = Decision(action=Action.SERVE)
REFUSE = Decision(action=Action.REFUSE)
COULD_NOT_TELL = Decision(action=Action.UNAVAILABLE, retry_after=1.0)


def serve_and_refresh(cause: str) -> Decision:
    return Decision(action=Action.SERVE_AND_REFRESH, cause=cause)


def wait(until: float, cause: str = "") -> Decision:
    return Decision(action=Action.WAIT, wait_until=until, cause=cause)


def unavailable(retry_after: float, *, throttled: bool = False) -> Decision:
    return Decision(action=Action.UNAVAILABLE, retry_after=retry_after, throttled=throttled)


def back(since: float, *, in_vain: bool = False) -> Asked:
    return Asked(since=since, in_vain=in_vain)


WITHOUT_KEYS = [
    ("may be asked: wait for a new attempt", NEVER_ASKED, 50, None, wait(55, "cold")),
    ("under way: wait for it, from its beginning", flying(48), 50, None, wait(53)),
    ("under way and slow: nobody else waits", flying(48, slow=True), 50, None, COULD_NOT_TELL),
    ("failed a moment ago: unavailable until the next attempt", failed(49), 50, None, unavailable(9)),
    ("the back-off is over: wait for a new attempt", failed(40), 50, None, wait(55, "cold")),
    ("back, in vain", flying(48), 50, back(48, in_vain=True), unavailable(1)),
    ("back, and the attempt failed since", failed(50, retry_in=7), 50, back(48), unavailable(7)),
    ("back, and the back-off is already over: a second at least", failed(50, retry_in=0), 50, back(48), unavailable(1)),
    ("back, and the time-out is over", NEVER_ASKED, 53, back(48), unavailable(1)),
    ("back, and what was waited for is void: wait on", NEVER_ASKED, 50, back(48), wait(53, "cold")),
]


@pytest.mark.parametrize(
    ("attempts", "now", "asked", "decision"), [row[1:] for row in WITHOUT_KEYS], ids=[row[0] for row in WITHOUT_KEYS]
)
def test_without_keys(attempts, now, asked, decision):
    assert decide(None, attempts, "known", now, CACHING, asked) == decision


@pytest.mark.parametrize("kid", ["known", "unknown"])
def test_past_the_stale_edge_keys_are_as_good_as_none(snapshot, kid):
    assert decide(snapshot, NEVER_ASKED, kid, STALE_EDGE, CACHING) == wait(STALE_EDGE + 5, "cold")
    assert decide(snapshot, failed(STALE_EDGE), kid, STALE_EDGE, CACHING) == unavailable(10)


def test_up_to_the_stale_edge_keys_are_served_while_the_issuer_fails(snapshot):
    assert decide(snapshot, failed(STALE_EDGE - 1), "known", STALE_EDGE - 0.001, CACHING) == SERVE


KNOWN = [
    ("fresh: served", NEVER_ASKED, FRESH, None, SERVE),
    ("fresh, whatever the issuer does", flying(FRESH, slow=True), FRESH, None, SERVE),
    ("past refresh ahead: served, and refreshed", NEVER_ASKED, DUE, None, serve_and_refresh("refresh_ahead")),
    ("past refresh ahead, under way: served", flying(DUE - 1), DUE, None, SERVE),
    ("past refresh ahead, failed a moment ago: served", failed(DUE - 1), DUE, None, SERVE),
    ("past refresh ahead, back-off over", failed(DUE - 10), DUE, None, serve_and_refresh("refresh_ahead")),
    ("past ttl: wait for a new attempt", NEVER_ASKED, EXPIRED, None, wait(EXPIRED + 1, "expired")),
    ("past ttl, under way: wait for it", flying(EXPIRED - 0.4), EXPIRED, None, wait(EXPIRED + 0.6)),
    ("past ttl, under way for max_wait: served", flying(EXPIRED - 1), EXPIRED, None, SERVE),
    ("past ttl, slow: served", flying(EXPIRED - 0.4, slow=True), EXPIRED, None, SERVE),
    ("past ttl, failed of late: served", failed(EXPIRED - 1), EXPIRED, None, SERVE),
    ("past ttl, failed of late, back-off over", failed(EXPIRED - 10), EXPIRED, None, serve_and_refresh("expired")),
    ("past ttl, back after a wait in vain: served", flying(EXPIRED), EXPIRED, back(EXPIRED, in_vain=True), SERVE),
    ("past ttl, back after a void flight", NEVER_ASKED, EXPIRED, back(EXPIRED), serve_and_refresh("expired")),
    (
        "past ttl, failed long ago: that says nothing any more",
        failed(EXPIRED - FAILING_FOR_S),
        EXPIRED,
        None,
        wait(EXPIRED + 1, "expired"),
    ),
]


@pytest.mark.parametrize(
    ("attempts", "now", "asked", "decision"), [row[1:] for row in KNOWN], ids=[row[0] for row in KNOWN]
)
def test_a_known_key(snapshot, attempts, now, asked, decision):
    assert decide(snapshot, attempts, "known", now, CACHING, asked) == decision


THROTTLED = Decision(action=Action.REFUSE, throttled=True)
UNKNOWN = [
    ("a permit is left: wait for a new attempt", NEVER_ASKED, FRESH, None, wait(FRESH + 1, "unknown_key")),
    ("one permit spent, one left", Attempts(permits=(FRESH,)), FRESH, None, wait(FRESH + 1, "unknown_key")),
    ("the oldest permit is free again", NO_PERMIT, FETCHED_AT + 30, None, wait(FETCHED_AT + 31, "unknown_key")),
    ("nobody waits for a permit", NO_PERMIT, FETCHED_AT + 29, None, THROTTLED),
    (
        "no permit, and the last answer was bad",
        failed(FRESH, permits=NO_PERMIT.permits),
        FRESH,
        None,
        unavailable(29, throttled=True),
    ),
    ("a permit is used although the issuer failed", failed(FRESH), FRESH, None, wait(FRESH + 1, "unknown_key")),
    ("under way: wait for it", flying(FRESH - 0.4), FRESH, None, wait(FRESH + 0.6)),
    ("under way for max_wait: could not tell", flying(FRESH - 1), FRESH, None, COULD_NOT_TELL),
    ("under way and slow: could not tell", flying(FRESH - 0.4, slow=True), FRESH, None, COULD_NOT_TELL),
    ("back, in vain: could not tell", flying(FRESH), FRESH, back(FRESH, in_vain=True), COULD_NOT_TELL),
    ("back, and the attempt failed: could not tell", failed(FRESH), FRESH, back(FRESH), COULD_NOT_TELL),
    ("back, and patience is over: could not tell", NEVER_ASKED, DUE, back(DUE - 1), COULD_NOT_TELL),
    ("back, and the keys were fetched since: refused", NEVER_ASKED, FRESH, back(FETCHED_AT), REFUSE),
    ("the same, however late: refused", NEVER_ASKED, FETCHED_AT + 2, back(FETCHED_AT), REFUSE),
    ("failed in the very moment of the last good fetch", failed(FETCHED_AT), FETCHED_AT, back(FETCHED_AT), COULD_NOT_TELL),
    ("in vain, in that very moment", flying(FETCHED_AT), FETCHED_AT, back(FETCHED_AT, in_vain=True), COULD_NOT_TELL),
    (
        "back, and the fetch had begun before: ask again",
        NEVER_ASKED,
        FRESH,
        back(FRESH - 0.4),
        wait(FRESH + 0.6, "unknown_key"),
    ),
    ("back, and another is under way: wait for what is left", flying(DUE - 0.1), DUE, back(DUE - 0.4), wait(DUE + 0.6)),
    ("past ttl, without a permit", dataclasses.replace(NO_PERMIT, permits=(EXPIRED, EXPIRED)), EXPIRED, None,
     wait(EXPIRED + 1, "expired")),
    ("past ttl, without a permit, failed within the cool-down", failed(EXPIRED - 29, permits=(EXPIRED, EXPIRED)), EXPIRED,
     None, unavailable(30, throttled=True)),
    ("past ttl, without a permit, failed before the cool-down", failed(EXPIRED - 30, permits=(EXPIRED, EXPIRED)), EXPIRED,
     None, wait(EXPIRED + 1, "expired")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("attempts", "now", "asked", "decision"), [row[1:] for row in UNKNOWN], ids=[row[0] for row in UNKNOWN]
)
def test_an_unknown_key(snapshot, attempts, now, asked, decision):
    assert decide(snapshot, attempts, "unknown", now, CACHING, asked) == decision


def test_with_burst_0_the_issuer_is_not_asked_about_unknown_keys_while_keys_are_within_their_ttl(snapshot):
    caching = KeyCaching(burst=0)
    assert decide(snapshot, NEVER_ASKED, "unknown", EXPIRED - 1, caching) == THROTTLED
    assert decide(snapshot, NEVER_ASKED, "unknown", EXPIRED, caching) == wait(EXPIRED + 1, "expired")


def test_with_max_wait_0_no_request_waits_while_there_are_keys(snapshot):
    caching = KeyCaching(max_wait=0)
    assert decide(snapshot, NEVER_ASKED, "known", EXPIRED, caching) == serve_and_refresh("expired")
    first = decide(snapshot, NEVER_ASKED, "unknown", FRESH, caching)
    assert first == wait(FRESH, "unknown_key")  # begins the attempt, and its bound is over at once
    assert decide(snapshot, flying(FRESH), "unknown", FRESH, caching) == COULD_NOT_TELL


@pytest.mark.parametrize(
    ("max_age", "ttl"),
    [(None, 300), (0, 300), (59, 300), (60, 60), (600, 600), (3600, 3600), (3601, 300), (999_999_999, 300)],
)
def test_a_max_age_is_honoured_from_60_to_3600_seconds_only(keys, max_age, ttl):
    dated = date(keys, CACHING, fetched_at=0, max_age=max_age, dice=0.5)
    assert dated.expires_at == ttl
    assert dated.refresh_at == pytest.approx(0.8 * ttl)


@pytest.mark.parametrize(("dice", "refresh_at"), [(0, 216), (0.5, 240), (1, 264)])
def test_the_refresh_ahead_is_spread_by_a_tenth(keys, dice, refresh_at):
    assert date(keys, CACHING, fetched_at=0, max_age=None, dice=dice).refresh_at == pytest.approx(refresh_at)


def test_a_refresh_is_never_planned_after_the_ttl(keys):
    dated = date(keys, KeyCaching(refresh_ahead=1), fetched_at=0, max_age=None, dice=1)
    assert dated.refresh_at == dated.expires_at == 300


@pytest.mark.parametrize(
    ("caching", "max_age", "edge"),
    [
        (KeyCaching(), None, 3600),
        (KeyCaching(stale_for=0), None, 300),
        (KeyCaching(stale_for=300), None, 300),
        (KeyCaching(stale_for=0), 600, 600),
        (KeyCaching(stale_for=900), 3600, 3600),
    ],
)
def test_the_stale_edge_is_counted_from_the_last_good_fetch_and_never_before_the_ttl(keys, caching, max_age, edge):
    dated = date(keys, caching, fetched_at=0, max_age=max_age, dice=0)
    assert dated.stale_until == edge
    assert servable(dated, edge - 0.001)
    assert not servable(dated, edge)


def test_the_back_off_doubles_from_one_to_sixty_seconds_with_full_jitter():
    attempts, steps = Attempts(), []
    for _ in range(9):
        attempts = attempts.failed(0, dice=1)
        steps.append(attempts.retry_at)
    assert steps == [1, 2, 4, 8, 16, 32, RETRY_LAST_S, RETRY_LAST_S, RETRY_LAST_S]
    assert Attempts(failures=5).failed(100, dice=0.25).retry_at == 108
    assert Attempts(failures=5).failed(100, dice=0).retry_at == 100 + RETRY_LEAST_S


def test_a_good_answer_ends_the_back_off_but_does_not_give_permits_back():
    after = failed(10, failures=4, permits=(9.0,)).succeeded()
    assert after == Attempts(permits=(9.0,))


def test_only_so_many_permits_are_remembered_as_count():
    attempts = Attempts()
    for at in range(10):
        attempts = attempts.spent_permit(at, CACHING)
    assert attempts.permits == (8, 9)


def test_an_attempt_can_be_found_slow_only_while_it_is_under_way():
    assert flying(1).found_slow().slow
    assert not flying(1).found_slow().landed().slow
    assert not NEVER_ASKED.found_slow().slow
