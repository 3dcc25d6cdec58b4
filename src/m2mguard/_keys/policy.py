"""May these keys still be used, and must the issuer be asked? One pure decision about a snapshot and the history of fetches.

No clock, no random number, no lock and no I/O: times are arguments, in seconds on the clock for ages. The first rule that fits decides.
"Servable" is a snapshot before its stale edge (`stale_until`). "Older" is a token issued more than a minute before our keys were
fetched; any other may be newer than they are. All waits of one caller share one deadline.

    keys          the token's key   asking the issuer                         decision
    ------------  ----------------  ----------------------------------------  ----------------------------------------------
    none or past  any               failed, or took too long, since we asked  UNAVAILABLE until the next fetch
    the stale     any               in flight, and a waiter timed out         UNAVAILABLE
    edge          any               in flight                                 WAIT, at most timeout from its beginning
                  any               failed a moment ago                       UNAVAILABLE until the next fetch
                  not among them    no fetch is allowed yet                   UNAVAILABLE until one is
                  any               may be asked                              WAIT, at most timeout, for a new fetch

    fresh         known             any                                       SERVE
    past refresh  known             may be asked                              SERVE_AND_REFRESH
    ahead         known             is being asked, or failed a moment ago    SERVE
    past ttl      known             we are back                               SERVE, or SERVE_AND_REFRESH if it may be asked
                  known             failed recently, a waiter timed out, or   the same
                                    in flight for max_wait
                  known             in flight                                 WAIT, at most max_wait from its beginning
                  known             may be asked                              WAIT, at most max_wait, for a new fetch

    servable      unknown           failed or took too long, since we asked   UNAVAILABLE: we could not tell
                  unknown           has answered a fetch begun after us       REFUSE: there is no such key
                  unknown, older    any                                       REFUSE: the fetch after it did not bring its key
                  unknown           has taken longer than max_wait            UNAVAILABLE: we could not tell
                  unknown           in flight for max_wait, a waiter timed    UNAVAILABLE: we could not tell
                                    out
                  unknown           in flight                                 WAIT, at most max_wait from its beginning
                  unknown           a fetch is allowed                        WAIT, at most max_wait, for a new fetch
    past ttl      unknown           may be asked, no failure for a cool-down  the same, although none is allowed
    servable      unknown           no fetch is allowed yet                   UNAVAILABLE until one is

A token whose signature is not that of our key of its `kid` is one of an unknown key, too: some issuers replace a key under its `kid`. Where
the issuer cannot be asked about it, REFUSE takes the place of UNAVAILABLE: we hold that key, and the signature is not its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from m2mguard._keys.key_caching import KeyCaching
from m2mguard._keys.key_fetch_history import KeyFetchHistory, Waiter
from m2mguard._keys.snapshot import KeyRequest, Snapshot, servable
from m2mguard._reasons.codes import FetchCause
from m2mguard.net._fetch_history import RETRY_FIRST_S


class KeyAction(Enum):
    """What to do about one token's key."""

    SERVE = auto()
    SERVE_AND_REFRESH = auto()
    WAIT = auto()
    REFUSE = auto()
    UNAVAILABLE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDecision:
    """What to do.

    Attributes:
        action: see `Action`.
        cause: why a fetch is to begin now, or None.
        is_about_unknown: whether that fetch is for a key that we do not have, so that it is rate-limited.
        is_known: whether it is for a token that `Snapshot.looks_like_ours`.
        wait_until: with WAIT, until when.
        retry_after: with UNAVAILABLE, seconds until asking again makes sense.
        throttled: whether the rate limit prevented a fetch.
    """

    action: KeyAction
    cause: FetchCause | None = None
    is_about_unknown: bool = False
    is_known: bool = False
    wait_until: float = 0.0
    retry_after: float = RETRY_FIRST_S
    throttled: bool = False


_SERVE = KeyDecision(action=KeyAction.SERVE)
_REFUSE = KeyDecision(action=KeyAction.REFUSE)
_COULD_NOT_TELL = KeyDecision(action=KeyAction.UNAVAILABLE)


def decide(
    snapshot: Snapshot | None,
    history: KeyFetchHistory,
    request: KeyRequest,
    now: float,
    caching: KeyCaching,
    asked: Waiter | None = None,
) -> KeyDecision:
    """Decide about one token's key.

    Args:
        snapshot: the keys at hand, or None.
        history: the history of fetches.
        request: what the token says about its key.
        now: the time.
        caching: the numbers.
        asked: what this caller has already waited for, or None.
    """
    if snapshot is None or not servable(snapshot, now):
        return _without_keys(snapshot, history, request, now, caching, asked)
    if request.is_answered_by(snapshot.keys):
        return _known_key(snapshot, history, now, caching, asked)
    decision = _unknown_key(snapshot, history, request, now, caching, asked)
    if request.rejected and decision.action is KeyAction.UNAVAILABLE:
        return KeyDecision(action=KeyAction.REFUSE, throttled=decision.throttled)
    return decision


def _without_keys(
    snapshot: Snapshot | None,
    history: KeyFetchHistory,
    request: KeyRequest,
    now: float,
    caching: KeyCaching,
    asked: Waiter | None,
) -> KeyDecision:
    if asked is not None and (_wait_failed(history, asked) or now >= asked.since + caching.timeout):
        return KeyDecision(action=KeyAction.UNAVAILABLE, retry_after=max(RETRY_FIRST_S, history.retry_at - now))
    since = now if asked is None else asked.since
    if history.in_flight_since is not None:
        if history.timed_out:
            return _COULD_NOT_TELL
        return KeyDecision(action=KeyAction.WAIT, wait_until=min(history.in_flight_since, since) + caching.timeout)
    about_unknown = snapshot is None or not request.is_answered_by(snapshot.keys)
    is_known = snapshot is not None and snapshot.looks_like_ours(request)
    next_allowed_in = (
        history.next_allowed_in(now, caching, is_known=is_known) if about_unknown and caching.burst else 0.0
    )
    retry_in = max(next_allowed_in, history.retry_at - now)
    if retry_in > 0:
        return KeyDecision(action=KeyAction.UNAVAILABLE, retry_after=retry_in, throttled=next_allowed_in > 0)
    return KeyDecision(
        action=KeyAction.WAIT,
        cause="cold",
        is_about_unknown=about_unknown,
        is_known=is_known,
        wait_until=since + caching.timeout,
    )


def _known_key(
    snapshot: Snapshot, history: KeyFetchHistory, now: float, caching: KeyCaching, asked: Waiter | None
) -> KeyDecision:
    if now < snapshot.refresh_at:
        return _SERVE
    expired = now >= snapshot.expires_at
    cause: FetchCause | None = None if not history.may_ask(now) else "expired" if expired else "refresh_ahead"
    if expired and asked is None and not history.failing(now) and not history.timed_out:
        wait_until = (now if history.in_flight_since is None else history.in_flight_since) + caching.max_wait
        if now < wait_until:
            return KeyDecision(action=KeyAction.WAIT, cause=cause, wait_until=wait_until)
    return KeyDecision(action=KeyAction.SERVE_AND_REFRESH, cause=cause) if cause else _SERVE


def _unknown_key(
    snapshot: Snapshot,
    history: KeyFetchHistory,
    request: KeyRequest,
    now: float,
    caching: KeyCaching,
    asked: Waiter | None,
) -> KeyDecision:
    if asked is not None:
        if _wait_failed(history, asked):
            return _COULD_NOT_TELL
        if snapshot.fetched_at >= asked.since:
            return _REFUSE
    if snapshot.is_newer_than(request):
        return _REFUSE
    if asked is not None and now >= asked.since + caching.max_wait:
        return _COULD_NOT_TELL
    since = now if asked is None else asked.since
    in_flight_since = history.in_flight_since
    if in_flight_since is not None:
        wait_until = min(in_flight_since, since) + caching.max_wait
        if history.timed_out or now >= wait_until:
            return _COULD_NOT_TELL
        return KeyDecision(action=KeyAction.WAIT, wait_until=wait_until)
    is_known = snapshot.looks_like_ours(request)
    next_allowed_in = history.next_allowed_in(now, caching, is_known=is_known)
    if next_allowed_in == 0:
        return KeyDecision(
            action=KeyAction.WAIT,
            cause="unknown_key",
            is_about_unknown=True,
            is_known=is_known,
            wait_until=since + caching.max_wait,
        )
    expired = now >= snapshot.expires_at
    if expired and history.may_ask(now) and not history.failing(now, for_s=caching.cooldown):
        return KeyDecision(action=KeyAction.WAIT, cause="expired", wait_until=since + caching.max_wait)
    return KeyDecision(action=KeyAction.UNAVAILABLE, retry_after=next_allowed_in, throttled=True)


def _wait_failed(history: KeyFetchHistory, asked: Waiter) -> bool:
    return asked.timed_out or history.failed_since(asked.since)
