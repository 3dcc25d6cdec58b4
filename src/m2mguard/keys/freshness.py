"""May these keys still be served, and must somebody ask the issuer? One pure decision over a snapshot and a record of attempts.

No clock, no dice, no lock and no I/O: times are arguments, in seconds on the monotonic clock. The first rule that fits decides.
"Fit to serve" is up to the stale edge; a caller "is back" when it has waited once. A bound on waiting is one for all waits of a caller.

    keys          the token's key   asking the issuer                         decision
    ------------  ----------------  ----------------------------------------  ----------------------------------------------
    none or past  any               failed, or took too long, since we asked  UNAVAILABLE until the next attempt
    the stale     any               under way, and found slow                 UNAVAILABLE
    edge          any               under way                                 WAIT, at most timeout from its beginning
                  any               failed a moment ago                       UNAVAILABLE until the next attempt
                  any               may be asked                              WAIT, at most timeout, for a new attempt

    fresh         known             any                                       SERVE
    past refresh  known             may be asked                              SERVE_AND_REFRESH
    ahead         known             is being asked, or failed a moment ago    SERVE
    past ttl      known             we are back                               SERVE, or SERVE_AND_REFRESH if it may be asked
                  known             failed of late, is slow, or under way     the same
                                    for max_wait
                  known             under way                                 WAIT, at most max_wait from its beginning
                  known             may be asked                              WAIT, at most max_wait, for a new attempt

    fit to serve  unknown           failed since we asked, or kept us in vain UNAVAILABLE: we could not tell
                  unknown           has answered what was asked after us      REFUSE: nobody knows that key
                  unknown           has taken longer than max_wait            UNAVAILABLE: we could not tell
                  unknown           under way, slow or for max_wait           UNAVAILABLE: we could not tell
                  unknown           under way                                 WAIT, at most max_wait from its beginning
                  unknown           a permit is left                          WAIT, at most max_wait, for a new attempt
    past ttl      unknown           may be asked, no failure for a cool-down  the same, without a permit
    fit to serve  unknown           no permit, the last answer was bad        UNAVAILABLE until the next permit
                  unknown           no permit, the last answer was good       REFUSE
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

from m2mguard.keys.attempts import RETRY_FIRST_S, Asked, Attempts
from m2mguard.keys.caching import KeyCaching
from m2mguard.keys.jwks import KeySet

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


def unchanging(keys: KeySet) -> Snapshot:
    """Date keys that are always fresh."""
    forever = math.inf
    return Snapshot(keys=keys, fetched_at=-forever, refresh_at=forever, expires_at=forever, stale_until=forever)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do.

    Attributes:
        action: see `Action`.
        cause: why an attempt is to begin now, or "" for none; one made for an `unknown_key` spends a permit.
        wait_until: with WAIT, until when.
        retry_after: with UNAVAILABLE, seconds until asking again makes sense.
        throttled: whether the issuer would have been asked, had there been a permit.
    """

    action: Action
    cause: str = ""
    wait_until: float = 0.0
    retry_after: float = RETRY_FIRST_S
    throttled: bool = False


_SERVE = Decision(action=Action.SERVE)
_REFUSE = Decision(action=Action.REFUSE)
_COULD_NOT_TELL = Decision(action=Action.UNAVAILABLE)


def servable(snapshot: Snapshot, now: float) -> bool:
    """Tell whether a snapshot may still be used at all."""
    return now < snapshot.stale_until


def decide(
    snapshot: Snapshot | None,
    attempts: Attempts,
    kid: str | None,
    now: float,
    caching: KeyCaching,
    asked: Asked | None = None,
) -> Decision:
    """Decide about one token's key.

    Args:
        snapshot: the keys at hand, or None.
        attempts: what is known of asking the issuer.
        kid: the token's key id; None where it names none, and then it is for whatever keys there are.
        now: the time.
        caching: the numbers.
        asked: what this caller has already waited for, or None.
    """
    if snapshot is None or not servable(snapshot, now):
        return _without_keys(attempts, now, caching, asked)
    if kid is None or kid in snapshot.keys:
        return _known_key(snapshot, attempts, now, caching, asked)
    return _unknown_key(snapshot, attempts, now, caching, asked)


def _without_keys(attempts: Attempts, now: float, caching: KeyCaching, asked: Asked | None) -> Decision:
    if asked is not None and (_disappointed(attempts, asked) or now >= asked.since + caching.timeout):
        return Decision(action=Action.UNAVAILABLE, retry_after=max(RETRY_FIRST_S, attempts.retry_at - now))
    since = now if asked is None else asked.since
    if attempts.flying_since is not None:
        if attempts.slow:
            return _COULD_NOT_TELL
        return Decision(action=Action.WAIT, wait_until=min(attempts.flying_since, since) + caching.timeout)
    if not attempts.may_ask(now):
        return Decision(action=Action.UNAVAILABLE, retry_after=attempts.retry_at - now)
    return Decision(action=Action.WAIT, cause="cold", wait_until=since + caching.timeout)


def _known_key(
    snapshot: Snapshot, attempts: Attempts, now: float, caching: KeyCaching, asked: Asked | None
) -> Decision:
    if now < snapshot.refresh_at:
        return _SERVE
    expired = now >= snapshot.expires_at
    cause = "" if not attempts.may_ask(now) else "expired" if expired else "refresh_ahead"
    if expired and asked is None and not attempts.failing(now) and not attempts.slow:
        wait_until = (now if attempts.flying_since is None else attempts.flying_since) + caching.max_wait
        if now < wait_until:
            return Decision(action=Action.WAIT, cause=cause, wait_until=wait_until)
    return Decision(action=Action.SERVE_AND_REFRESH, cause=cause) if cause else _SERVE


def _unknown_key(
    snapshot: Snapshot, attempts: Attempts, now: float, caching: KeyCaching, asked: Asked | None
) -> Decision:
    if asked is not None:
        if _disappointed(attempts, asked):
            return _COULD_NOT_TELL
        if snapshot.fetched_at >= asked.since:
            return _REFUSE
        if now >= asked.since + caching.max_wait:
            return _COULD_NOT_TELL
    since = now if asked is None else asked.since
    flying = attempts.flying_since
    if flying is not None:
        wait_until = min(flying, since) + caching.max_wait
        if attempts.slow or now >= wait_until:
            return _COULD_NOT_TELL
        return Decision(action=Action.WAIT, wait_until=wait_until)
    permit_after = attempts.permit_after(now, caching)
    if permit_after == 0:
        return Decision(action=Action.WAIT, cause="unknown_key", wait_until=since + caching.max_wait)
    expired = now >= snapshot.expires_at
    if expired and attempts.may_ask(now) and not attempts.failing(now, for_s=caching.cooldown):
        return Decision(action=Action.WAIT, cause="expired", wait_until=since + caching.max_wait)
    if attempts.failures:
        return Decision(action=Action.UNAVAILABLE, retry_after=permit_after, throttled=True)
    return Decision(action=Action.REFUSE, throttled=True)


def _disappointed(attempts: Attempts, asked: Asked) -> bool:
    return asked.in_vain or attempts.failed_since(asked.since)
