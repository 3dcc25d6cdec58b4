"""Every row of the table at the top of `m2mguard._keys.policy`, and the boundaries between the rows."""

import dataclasses

import pytest

from m2mguard import KeyCaching
from m2mguard._keys.key_fetch_history import KeyFetchHistory, Waiter
from m2mguard._keys.key_set import KeySet, key_set_from_members
from m2mguard._keys.policy import KeyAction, KeyDecision, decide
from m2mguard._keys.snapshot import OLDER_S, KeyRequest, Snapshot, servable
from m2mguard._reasons.codes import FetchCause
from m2mguard.net._fetch_history import FAILING_FOR_S
from m2mguard.testing import SigningKey

CACHING = KeyCaching()
FETCHED_AT = 1000.0
PUBLISHED_AT = 1_790_000_000.0  # the same moment on the wall clock
FRESH, DUE, EXPIRED, STALE = FETCHED_AT + 1, FETCHED_AT + 250, FETCHED_AT + 300, FETCHED_AT + 3600
NEVER_FETCHED = KeyFetchHistory()
KNOWN_KEY = KeyRequest(kid="known", alg="ES256")
UNKNOWN_KEY = KeyRequest(kid="unknown", alg="ES256")


def failed(at: float, *, failures: int = 1, retry_in: float = 10, next_allowed_at: float = 0.0) -> KeyFetchHistory:
    return KeyFetchHistory(failures=failures, failed_at=at, retry_at=at + retry_in, next_allowed_at=next_allowed_at)


def in_flight(since: float, *, timed_out: bool = False) -> KeyFetchHistory:
    return KeyFetchHistory(in_flight_since=since, timed_out=timed_out)


@pytest.fixture(scope="module")
def keys() -> KeySet:
    return key_set_from_members({"keys": [SigningKey.generate("ES256", kid="known").public_jwk]}, max_keys=1)


def snapshot_of(
    keys: KeySet, caching: KeyCaching = CACHING, *, at: float = 0, max_age: int | None = None, jitter: float = 0.5
):
    return Snapshot.from_fetch(keys, caching, fetched_at=at, published_at=PUBLISHED_AT, max_age=max_age, jitter=jitter)


@pytest.fixture(scope="module")
def snapshot(keys: KeySet) -> Snapshot:
    return snapshot_of(keys, at=FETCHED_AT)


SERVE = KeyDecision(action=KeyAction.SERVE)
REFUSE = KeyDecision(action=KeyAction.REFUSE)
UNAVAILABLE = KeyDecision(action=KeyAction.UNAVAILABLE, retry_after=1.0)


def serve_and_refresh(cause: FetchCause) -> KeyDecision:
    return KeyDecision(action=KeyAction.SERVE_AND_REFRESH, cause=cause)


def wait(until: float, cause: FetchCause | None = None, **rest: bool) -> KeyDecision:
    return KeyDecision(action=KeyAction.WAIT, wait_until=until, cause=cause, **rest)


def wait_for_unknown(until: float, *, is_known: bool = False) -> KeyDecision:
    """The decision to wait for a fetch that the unknown key starts."""
    return wait(until, "unknown_key", is_about_unknown=True, is_known=is_known)


def unavailable(retry_after: float, *, throttled: bool = False) -> KeyDecision:
    return KeyDecision(action=KeyAction.UNAVAILABLE, retry_after=retry_after, throttled=throttled)


def returning(since: float, *, timed_out: bool = False) -> Waiter:
    return Waiter(since=since, timed_out=timed_out)


def wait_cold(until: float) -> KeyDecision:
    return wait(until, "cold", is_about_unknown=True)


WITHOUT_KEYS = [
    ("a fetch is allowed: wait for it", NEVER_FETCHED, 50, None, wait_cold(55)),
    ("in flight: wait for it, counted from its start", in_flight(48), 50, None, wait(53)),
    ("in flight, and a waiter timed out: no other caller waits", in_flight(48, timed_out=True), 50, None, UNAVAILABLE),
    ("just failed: unavailable until the next fetch", failed(49), 50, None, unavailable(9)),
    (
        "the back-off is over, and no fetch is allowed",
        failed(40, next_allowed_at=53),
        50,
        None,
        unavailable(3, throttled=True),
    ),
    (
        "the back-off is longer than the rate limit",
        failed(49, next_allowed_at=53),
        50,
        None,
        unavailable(9, throttled=True),
    ),
    ("the back-off is over, and a fetch is allowed", failed(40, next_allowed_at=50), 50, None, wait_cold(55)),
    ("within Retry-After", KeyFetchHistory(closed_until=90), 50, None, unavailable(40, throttled=True)),
    ("returning, timed out", in_flight(48), 50, returning(48, timed_out=True), unavailable(1)),
    ("returning, and the fetch failed since", failed(50, retry_in=7), 50, returning(48), unavailable(7)),
    (
        "returning, and the back-off is over: at least a second",
        failed(50, retry_in=0),
        50,
        returning(48),
        unavailable(1),
    ),
    ("returning, and the time-out is over", NEVER_FETCHED, 53, returning(48), unavailable(1)),
    ("returning, and the fetch is void: wait again", NEVER_FETCHED, 50, returning(48), wait_cold(53)),
]


@pytest.mark.parametrize(
    ("history", "now", "waiter", "decision"), [row[1:] for row in WITHOUT_KEYS], ids=[row[0] for row in WITHOUT_KEYS]
)
def test_decisions_without_keys(history, now, waiter, decision):
    assert decide(None, history, KNOWN_KEY, now, CACHING, waiter) == decision


def test_stale_keys_count_as_no_keys(snapshot):
    assert decide(snapshot, NEVER_FETCHED, KNOWN_KEY, STALE, CACHING) == wait(STALE + 5, "cold")
    assert decide(snapshot, NEVER_FETCHED, UNKNOWN_KEY, STALE, CACHING) == wait_cold(STALE + 5)
    for request in (KNOWN_KEY, UNKNOWN_KEY):
        assert decide(snapshot, failed(STALE), request, STALE, CACHING) == unavailable(10)


def test_with_stale_keys_only_a_known_key_is_not_rate_limited(snapshot):
    none_allowed = KeyFetchHistory(next_allowed_at=STALE + 7, reserved_allowed_at=STALE + 7)
    assert decide(snapshot, none_allowed, KNOWN_KEY, STALE, CACHING) == wait(STALE + 5, "cold")
    assert decide(snapshot, none_allowed, UNKNOWN_KEY, STALE, CACHING) == unavailable(7, throttled=True)


def test_with_burst_0_a_server_without_keys_fetches_them(snapshot):
    assert decide(None, NEVER_FETCHED, KNOWN_KEY, 50, KeyCaching(burst=0)) == wait_cold(55)


def test_keys_are_served_until_stale_while_the_issuer_fails(snapshot):
    assert decide(snapshot, failed(STALE - 1), KNOWN_KEY, STALE - 0.001, CACHING) == SERVE


KNOWN = [
    ("fresh: served", NEVER_FETCHED, FRESH, None, SERVE),
    ("fresh, and a waiter timed out: served", in_flight(FRESH, timed_out=True), FRESH, None, SERVE),
    ("past refresh ahead: served, and refreshed", NEVER_FETCHED, DUE, None, serve_and_refresh("refresh_ahead")),
    ("past refresh ahead, in flight: served", in_flight(DUE - 1), DUE, None, SERVE),
    ("past refresh ahead, just failed: served", failed(DUE - 1), DUE, None, SERVE),
    ("past refresh ahead, back-off over", failed(DUE - 10), DUE, None, serve_and_refresh("refresh_ahead")),
    ("past ttl: wait for a new fetch", NEVER_FETCHED, EXPIRED, None, wait(EXPIRED + 1, "expired")),
    ("past ttl, in flight: wait for it", in_flight(EXPIRED - 0.4), EXPIRED, None, wait(EXPIRED + 0.6)),
    ("past ttl, in flight for max_wait: served", in_flight(EXPIRED - 1), EXPIRED, None, SERVE),
    ("past ttl, a waiter timed out: served", in_flight(EXPIRED - 0.4, timed_out=True), EXPIRED, None, SERVE),
    ("past ttl, failed recently: served", failed(EXPIRED - 1), EXPIRED, None, SERVE),
    ("past ttl, failed recently, back-off over", failed(EXPIRED - 10), EXPIRED, None, serve_and_refresh("expired")),
    ("past ttl, returning, timed out: served", in_flight(EXPIRED), EXPIRED, returning(EXPIRED, timed_out=True), SERVE),
    ("past ttl, returning from a void fetch", NEVER_FETCHED, EXPIRED, returning(EXPIRED), serve_and_refresh("expired")),
    (
        "past ttl, failed long ago: the failure no longer counts",
        failed(EXPIRED - FAILING_FOR_S),
        EXPIRED,
        None,
        wait(EXPIRED + 1, "expired"),
    ),
    (
        "the rate limit is for unknown keys only",
        KeyFetchHistory(next_allowed_at=2 * EXPIRED),
        EXPIRED,
        None,
        wait(EXPIRED + 1, "expired"),
    ),
]


@pytest.mark.parametrize(
    ("history", "now", "waiter", "decision"), [row[1:] for row in KNOWN], ids=[row[0] for row in KNOWN]
)
def test_decisions_for_a_known_key(snapshot, history, now, waiter, decision):
    assert decide(snapshot, history, KNOWN_KEY, now, CACHING, waiter) == decision


UNKNOWN = [
    ("a fetch is allowed: wait for a new one", NEVER_FETCHED, FRESH, None, wait_for_unknown(FRESH + 1)),
    ("the next fetch is allowed from this moment", KeyFetchHistory(next_allowed_at=FRESH), FRESH, None, wait_for_unknown(FRESH + 1)),
    ("no caller waits for the rate limit", KeyFetchHistory(next_allowed_at=FRESH + 9), FRESH, None, unavailable(9, throttled=True)),
    (
        "no fetch is allowed, and the last fetch failed",
        failed(FRESH, next_allowed_at=FRESH + 9),
        FRESH,
        None,
        unavailable(9, throttled=True),
    ),
    ("an allowed fetch starts although the last fetch failed", failed(FRESH), FRESH, None, wait_for_unknown(FRESH + 1)),
    (
        "no fetch is allowed within Retry-After",
        KeyFetchHistory(closed_until=FRESH + 40),
        FRESH,
        None,
        unavailable(40, throttled=True),
    ),
    ("in flight: wait for it", in_flight(FRESH - 0.4), FRESH, None, wait(FRESH + 0.6)),
    ("in flight for max_wait: unavailable", in_flight(FRESH - 1), FRESH, None, UNAVAILABLE),
    ("in flight, and a waiter timed out", in_flight(FRESH - 0.4, timed_out=True), FRESH, None, UNAVAILABLE),
    ("returning, timed out: unavailable", in_flight(FRESH), FRESH, returning(FRESH, timed_out=True), UNAVAILABLE),
    ("returning, and the fetch failed: unavailable", failed(FRESH), FRESH, returning(FRESH), UNAVAILABLE),
    ("returning, and its deadline is over: unavailable", NEVER_FETCHED, DUE, returning(DUE - 1), UNAVAILABLE),
    ("returning, and the keys were fetched since: refused", NEVER_FETCHED, FRESH, returning(FETCHED_AT), REFUSE),
    ("returning late, and the keys were fetched since: refused", NEVER_FETCHED, FETCHED_AT + 2, returning(FETCHED_AT), REFUSE),
    ("failed at the time of the last good fetch", failed(FETCHED_AT), FETCHED_AT, returning(FETCHED_AT), UNAVAILABLE),
    (
        "timed out at the time of the last good fetch",
        in_flight(FETCHED_AT),
        FETCHED_AT,
        returning(FETCHED_AT, timed_out=True),
        UNAVAILABLE,
    ),
    ("returning, and the fetch started before: wait again", NEVER_FETCHED, FRESH, returning(FRESH - 0.4), wait_for_unknown(FRESH + 0.6)),
    ("returning, and another is in flight: wait for the rest", in_flight(DUE - 0.1), DUE, returning(DUE - 0.4), wait(DUE + 0.6)),
    ("past ttl, no fetch allowed", KeyFetchHistory(next_allowed_at=2 * EXPIRED), EXPIRED, None, wait(EXPIRED + 1, "expired")),
    ("past ttl, no fetch allowed, failed within the cool-down", failed(EXPIRED - 29, next_allowed_at=EXPIRED + 9), EXPIRED,
     None, unavailable(9, throttled=True)),
    ("past ttl, no fetch allowed, failed before the cool-down", failed(EXPIRED - 30, next_allowed_at=EXPIRED + 9), EXPIRED,
     None, wait(EXPIRED + 1, "expired")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("history", "now", "waiter", "decision"), [row[1:] for row in UNKNOWN], ids=[row[0] for row in UNKNOWN]
)
def test_decisions_for_an_unknown_key(snapshot, history, now, waiter, decision):
    assert decide(snapshot, history, UNKNOWN_KEY, now, CACHING, waiter) == decision


@pytest.mark.parametrize(
    ("issued_at", "is_older"),
    [
        (PUBLISHED_AT - OLDER_S - 1, True),
        (PUBLISHED_AT - OLDER_S, False),
        (PUBLISHED_AT, False),
        (PUBLISHED_AT + 3600, False),
        (-1e300, True),
        (None, False),
    ],
)
def test_a_token_older_than_the_keys_is_refused_without_a_fetch(snapshot, issued_at, is_older):
    request = dataclasses.replace(UNKNOWN_KEY, issued_at=issued_at)
    for history in (NEVER_FETCHED, failed(FRESH), KeyFetchHistory(next_allowed_at=FRESH + 9)):
        decision = decide(snapshot, history, request, FRESH, CACHING)
        assert (decision == REFUSE) is is_older
        assert decide(snapshot, history, dataclasses.replace(request, kid="known"), FRESH, CACHING) == SERVE


def test_a_fetch_is_reserved_for_known_applications(snapshot):
    known = dataclasses.replace(UNKNOWN_KEY, is_known=True)
    history = KeyFetchHistory(next_allowed_at=FRESH + 9)
    assert decide(snapshot, history, known, FRESH, CACHING) == wait_for_unknown(FRESH + 1, is_known=True)
    used = dataclasses.replace(history, reserved_allowed_at=FRESH + 4)
    assert decide(snapshot, used, known, FRESH, CACHING) == unavailable(4, throttled=True)
    assert decide(snapshot, used, known, FRESH, KeyCaching(burst=1)) == unavailable(9, throttled=True)


def test_the_reserved_fetch_needs_a_thumbprint_if_all_key_ids_are(keys):
    key = SigningKey.generate("ES256")
    thumbprints = snapshot_of(key_set_from_members({"keys": [key.public_jwk]}, max_keys=1), at=FETCHED_AT)
    history = KeyFetchHistory(next_allowed_at=FRESH + 9)

    def decision(snapshot, kid):
        return decide(snapshot, history, KeyRequest(kid=kid, alg="ES256", is_known=True), FRESH, CACHING)

    assert decision(thumbprints, SigningKey.generate("RS256").kid) == wait_for_unknown(FRESH + 1, is_known=True)
    for invented in ("forged-1", "x" * 42, "x" * 44, "+" * 43):
        assert decision(thumbprints, invented) == unavailable(9, throttled=True)
        assert decision(snapshot_of(keys, at=FETCHED_AT), invented) == wait_for_unknown(FRESH + 1, is_known=True)


def test_a_wrong_signature_under_a_known_key_id_causes_one_fetch(snapshot, keys):
    tampered = dataclasses.replace(KNOWN_KEY, rejected=frozenset(key.identity("ES256") for key in keys.keys))
    assert decide(snapshot, NEVER_FETCHED, tampered, FRESH, CACHING) == wait_for_unknown(FRESH + 1)
    assert decide(snapshot, NEVER_FETCHED, tampered, FRESH, CACHING, returning(FETCHED_AT)) == REFUSE
    for history in (KeyFetchHistory(next_allowed_at=FRESH + 9), in_flight(FRESH, timed_out=True)):
        assert decide(snapshot, history, tampered, FRESH, CACHING).action is KeyAction.REFUSE
    assert decide(snapshot, failed(FRESH), tampered, FRESH, CACHING, returning(FRESH)).action is KeyAction.REFUSE
    another = dataclasses.replace(tampered, rejected=frozenset(["another"]))
    assert decide(snapshot, NEVER_FETCHED, another, FRESH, CACHING) == SERVE


def test_a_token_without_key_id_is_served_if_several_keys_fit():
    two = [SigningKey.generate("ES256", kid=kid).public_jwk for kid in ("a", "b")]
    snapshot = snapshot_of(key_set_from_members({"keys": two}, max_keys=2), at=FETCHED_AT)
    assert decide(snapshot, NEVER_FETCHED, KeyRequest(kid=None, alg="ES256"), FRESH, CACHING) == SERVE
    assert decide(snapshot, NEVER_FETCHED, KeyRequest(kid=None, alg="RS256"), FRESH, CACHING) == wait_for_unknown(
        FRESH + 1
    )


def test_with_burst_0_no_fetch_starts_within_the_ttl(snapshot):
    """An unknown key is unavailable within the ttl; past it, the usual refresh finds new keys."""
    caching = KeyCaching(burst=0)
    assert decide(snapshot, NEVER_FETCHED, UNKNOWN_KEY, EXPIRED - 1, caching) == unavailable(30, throttled=True)
    assert decide(snapshot, NEVER_FETCHED, UNKNOWN_KEY, EXPIRED, caching) == wait(EXPIRED + 1, "expired")


def test_with_max_wait_0_no_request_waits_while_there_are_keys(snapshot):
    caching = KeyCaching(max_wait=0)
    assert decide(snapshot, NEVER_FETCHED, KNOWN_KEY, EXPIRED, caching) == serve_and_refresh("expired")
    first = decide(snapshot, NEVER_FETCHED, UNKNOWN_KEY, FRESH, caching)
    assert first == wait_for_unknown(FRESH)  # starts the fetch; its deadline is over at once
    assert decide(snapshot, in_flight(FRESH), UNKNOWN_KEY, FRESH, caching) == UNAVAILABLE


@pytest.mark.parametrize(
    ("max_age", "ttl"),
    [(None, 300), (0, 60), (59, 60), (60, 60), (299, 299), (300, 300), (301, 300), (3600, 300), (999_999_999, 300)],
)
def test_a_max_age_shortens_the_ttl_to_no_less_than_60_seconds(keys, max_age, ttl):
    assert snapshot_of(keys, max_age=max_age).expires_at == ttl
    assert snapshot_of(keys, max_age=max_age).refresh_at == pytest.approx(0.8 * ttl)


def test_a_max_age_does_not_lengthen_a_ttl_of_less_than_60_seconds(keys):
    assert snapshot_of(keys, KeyCaching(ttl=10), max_age=0).expires_at == 10


@pytest.mark.parametrize(("jitter", "refresh_at"), [(0, 216), (0.5, 240), (1, 264)])
def test_jitter_spreads_refresh_ahead_by_ten_percent(keys, jitter, refresh_at):
    assert snapshot_of(keys, jitter=jitter).refresh_at == pytest.approx(refresh_at)


def test_a_refresh_is_never_planned_after_the_ttl(keys):
    snapshot = snapshot_of(keys, KeyCaching(refresh_ahead=1), jitter=1)
    assert snapshot.refresh_at == snapshot.expires_at == 300


@pytest.mark.parametrize(
    ("caching", "max_age", "edge"),
    [
        (KeyCaching(), None, 3600),
        (KeyCaching(stale_for=0), None, 300),
        (KeyCaching(stale_for=300), None, 300),
        (KeyCaching(stale_for=0), 100, 100),
        (KeyCaching(stale_for=900), 100, 900),
    ],
)
def test_stale_until_counts_from_the_fetch_and_is_never_before_the_ttl(keys, caching, max_age, edge):
    snapshot = snapshot_of(keys, caching, max_age=max_age)
    assert snapshot.stale_until == edge
    assert servable(snapshot, edge - 0.001)
    assert not servable(snapshot, edge)
