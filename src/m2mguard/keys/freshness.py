"""May these keys still be served, and must somebody ask the issuer? One pure decision over a snapshot and a record of attempts.

No clock, no dice, no lock and no I/O: times are arguments, in seconds on the monotonic clock.

    keys                   the token's key  the issuer                     decision
    ---------------------  ---------------  -----------------------------  --------------------------------------------------
    none, or past stale    any              may be asked, is being asked   WAIT for the shared flight, at most timeout
    none, or past stale    any              failed a moment ago            UNAVAILABLE until the next attempt
    fresh                  known            any                            SERVE
    past refresh ahead     known            may be asked                   SERVE_AND_REFRESH
    past ttl               known            answers, as far as we know     WAIT, at most max_wait, and then serve stale
    past ttl               known            failed of late, or is slow     SERVE, and refresh when the back-off is over
    fit to serve           unknown          a permit is left               WAIT, at most max_wait
    fit to serve           unknown          is being asked                 WAIT, at most max_wait
    fit to serve           unknown          is slow, or failed us          UNAVAILABLE: we could not tell
    fit to serve           unknown          answered a question of ours    REFUSE: nobody knows that key
    fit to serve           unknown          no permit, last answer good    REFUSE
    fit to serve           unknown          no permit, last answer bad     UNAVAILABLE
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from m2mguard.keys.caching import KeyCaching
from m2mguard.keys.jwks import KeySet

RETRY_FIRST_S = 1.0
RETRY_LAST_S = 60.0
FAILING_FOR_S = 2 * RETRY_LAST_S  # so long after an attempt, its failure says nothing about the issuer any more
HONOURED_MAX_AGE_S = range(60, 3600 + 1)


class Action(Enum):
    """What to do about one token's key."""

    SERVE = auto()
    SERVE_AND_REFRESH = auto()
    WAIT = auto()
    REFUSE = auto()
    UNAVAILABLE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The keys of one good answer, and until when they are good for what. Never changed, only replaced."""

    keys: KeySet
    fetched_at: float
    refresh_at: float
    expires_at: float
    stale_until: float


def date(keys: KeySet, caching: KeyCaching, *, fetched_at: float, max_age: int | None, dice: float) -> Snapshot:
    """Date a key set.

    Args:
        keys: the keys of a good answer.
        caching: the numbers.
        fetched_at: when the fetch began, not when it ended: the answer may be as old as that.
        max_age: the issuer's `Cache-Control: max-age`, in seconds, or None. Honoured from 60 to 3,600 only.
        dice: 0…1, where in the 10 % around the time of refresh ahead this snapshot is refreshed.
    """
    ttl = caching.ttl if max_age not in HONOURED_MAX_AGE_S else float(max_age or 0)
    ahead = min(1.0, caching.refresh_ahead * (0.9 + 0.2 * dice))
    return Snapshot(
        keys=keys,
        fetched_at=fetched_at,
        refresh_at=fetched_at + ttl * ahead,
        expires_at=fetched_at + ttl,
        stale_until=fetched_at + max(caching.stale_for, ttl),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """What is known of asking the issuer. Never changed, only replaced.

    Attributes:
        permits: when the issuer was asked about unknown keys, the last few times.
        failures: how many attempts in a row have failed.
        failed_at: when the last of them did.
        retry_at: until then nobody asks again, unless about an unknown key.
        flying_since: when the attempt under way began, or None.
        slow: whether somebody has waited for that attempt in vain.
    """

    permits: tuple[float, ...] = ()
    failures: int = 0
    failed_at: float = 0.0
    retry_at: float = 0.0
    flying_since: float | None = None
    slow: bool = False

    def permit_after(self, now: float, caching: KeyCaching) -> float:
        """Seconds until the issuer may be asked about an unknown key; 0 where a permit is left, the whole cool-down where none is given."""
        if caching.burst == 0:
            return caching.cooldown
        recent = self.permits[-caching.burst :]
        return 0.0 if len(recent) < caching.burst else max(0.0, recent[0] + caching.cooldown - now)

    def took_off(self, now: float) -> Attempts:
        """Note that an attempt is under way."""
        return replace(self, flying_since=now, slow=False)

    def spent_permit(self, at: float, caching: KeyCaching) -> Attempts:
        """Note that the issuer was asked about an unknown key."""
        return replace(self, permits=(*self.permits, at)[-max(1, caching.burst) :])

    def failed(self, now: float, *, dice: float) -> Attempts:
        """Note a failure. `dice`, 0…1, is the share of the back-off that is waited (full jitter)."""
        backoff = min(RETRY_LAST_S, RETRY_FIRST_S * 2.0 ** min(self.failures, 10))
        return replace(
            self,
            failures=self.failures + 1,
            failed_at=now,
            retry_at=now + backoff * dice,
            flying_since=None,
            slow=False,
        )

    def succeeded(self) -> Attempts:
        """Note a good answer."""
        return Attempts(permits=self.permits)

    def found_slow(self) -> Attempts:
        """Note that somebody waited for the attempt under way in vain."""
        return replace(self, slow=self.flying_since is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do.

    Attributes:
        action: see `Action`.
        cause: why an attempt is to be started now, or "" for none; one made for an `unknown_key` spends a permit.
        wait_until: with WAIT, until when.
        retry_after: with UNAVAILABLE, seconds until asking again makes sense.
    """

    action: Action
    cause: str = ""
    wait_until: float = 0.0
    retry_after: float = RETRY_FIRST_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A caller that was told to WAIT and is back: since when it asks, and whether the flight landed or its patience ended."""

    since: float
    in_vain: bool


_SERVE = Decision(action=Action.SERVE)
_REFUSE = Decision(action=Action.REFUSE)
_COULD_NOT_TELL = Decision(action=Action.UNAVAILABLE)


def servable(snapshot: Snapshot, now: float) -> bool:
    """Tell whether a snapshot may still be used at all."""
    return now < snapshot.stale_until


def decide(
    snapshot: Snapshot | None, attempts: Attempts, kid: str, now: float, caching: KeyCaching, asked: Asked | None = None
) -> Decision:
    """Decide about one token's key.

    Args:
        snapshot: the keys at hand, or None.
        attempts: what is known of asking the issuer.
        kid: the token's key id.
        now: the time.
        caching: the numbers.
        asked: what this caller has already waited for, or None.
    """
    if snapshot is None or not servable(snapshot, now):
        return _without_keys(attempts, now, caching, asked)
    if kid in snapshot.keys:
        return _known_key(snapshot, attempts, now, caching, asked)
    return _unknown_key(snapshot, attempts, now, caching, asked)


def _without_keys(attempts: Attempts, now: float, caching: KeyCaching, asked: Asked | None) -> Decision:
    if asked is not None and (asked.in_vain or _failed_since(attempts, asked) or now >= asked.since + caching.timeout):
        return Decision(action=Action.UNAVAILABLE, retry_after=max(RETRY_FIRST_S, attempts.retry_at - now))
    if attempts.flying_since is not None:
        if attempts.slow:
            return _COULD_NOT_TELL
        return Decision(action=Action.WAIT, wait_until=attempts.flying_since + caching.timeout)
    if now < attempts.retry_at:
        return Decision(action=Action.UNAVAILABLE, retry_after=attempts.retry_at - now)
    return Decision(action=Action.WAIT, cause="cold", wait_until=now + caching.timeout)


def _known_key(
    snapshot: Snapshot, attempts: Attempts, now: float, caching: KeyCaching, asked: Asked | None
) -> Decision:
    if now < snapshot.refresh_at:
        return _SERVE
    flying = attempts.flying_since
    may_fetch = flying is None and now >= attempts.retry_at
    expired = now >= snapshot.expires_at
    cause = "" if not may_fetch else "expired" if expired else "refresh_ahead"
    failing = attempts.failures > 0 and now < attempts.failed_at + FAILING_FOR_S
    if expired and asked is None and not failing and not attempts.slow:
        wait_until = (now if flying is None else flying) + caching.max_wait
        if now < wait_until:
            return Decision(action=Action.WAIT, cause=cause, wait_until=wait_until)
    return Decision(action=Action.SERVE_AND_REFRESH, cause=cause) if cause else _SERVE


def _unknown_key(
    snapshot: Snapshot, attempts: Attempts, now: float, caching: KeyCaching, asked: Asked | None
) -> Decision:
    if asked is not None:
        if snapshot.fetched_at >= asked.since:
            return _REFUSE
        if asked.in_vain or _failed_since(attempts, asked):
            return _COULD_NOT_TELL
    flying = attempts.flying_since
    if flying is not None:
        if attempts.slow or now >= flying + caching.max_wait:
            return _COULD_NOT_TELL
        return Decision(action=Action.WAIT, wait_until=flying + caching.max_wait)
    permit_after = attempts.permit_after(now, caching)
    if permit_after == 0:
        return Decision(action=Action.WAIT, cause="unknown_key", wait_until=now + caching.max_wait)
    if attempts.failures:
        return Decision(action=Action.UNAVAILABLE, retry_after=permit_after)
    return _REFUSE


def _failed_since(attempts: Attempts, asked: Asked) -> bool:
    return attempts.failures > 0 and attempts.failed_at >= asked.since
