"""The state of one issuer's key cache: the snapshot, what the last good fetch brought, and the shared fetch that replaces them.

The machine is `SharedFetch`; here is what it keeps of a fetch of keys, and what a failed one costs. When to fetch is decided in `policy`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from m2mguard._clocks import Clocks
from m2mguard._keys.fetch import Fetched, FetchFailure
from m2mguard._keys.key_fetch_history import KeyFetchHistory, Waiter, backoff_s
from m2mguard._keys.policy import KeyAction, KeyDecision, decide
from m2mguard._keys.snapshot import KeyRequest, Snapshot, servable
from m2mguard._reasons import FETCH_PROBLEMS
from m2mguard.net._shared_fetch import EarlyEnd, Fetch, SharedFetch

if TYPE_CHECKING:
    from m2mguard._keys.key_caching import KeyCaching
    from m2mguard._keys.key_set import KeySet
    from m2mguard._reasons.codes import FetchCause


_ENDED_EARLY: dict[EarlyEnd, str] = {
    "overdue": FETCH_PROBLEMS["overdue"].sentence,
    "not_started": "no thread can be started for the fetch",
    "other": "the fetch broke off",
}


class KeyFetch(Fetch):
    """One fetch of an issuer's keys.

    Attributes:
        cause: why it is made.
        request: what the token that caused it says about its key; None if no unknown key caused it.
        is_known: whether that token is taken for a known application's.
        requests: how many requests it has made so far.
        counted: whether they have been counted already.
    """

    __slots__ = ("cause", "counted", "is_known", "request", "requests")

    def __init__(self, cause: FetchCause, *, request: KeyRequest | None = None, is_known: bool = False) -> None:
        self.cause: FetchCause = cause
        self.request: KeyRequest | None = request
        self.is_known: bool = is_known
        self.requests: int = 0
        self.counted: bool = False

    def count_request(self) -> None:
        """Record that a request is about to be made. For the fetch's own thread only."""
        self.requests += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What was decided about one token's key, on which snapshot, and the fetch to wait for or None."""

    decision: KeyDecision
    snapshot: Snapshot | None
    wait_for: KeyFetch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatus:
    """The state at the time `now`, on the clock for ages."""

    snapshot: Snapshot | None
    history: KeyFetchHistory
    last_failure: FetchFailure | None
    now: float


Kept = Callable[[KeyFetch, Fetched, "KeySet | None"], None]
"""Called with a fetch whose result was kept, the result, and the keys before it."""
Failed = Callable[[KeyFetch, FetchFailure, KeyFetchHistory], None]
"""Called with a fetch that failed, why, and the history after it."""


class KeyState(SharedFetch[KeyFetch, Fetched, FetchFailure, KeyFetchHistory]):
    """One issuer's keys, and the fetch that renews them. Safe to share between threads and greenlets; no method waits.

    Args:
        fetch: makes a fetch, on its own thread.
        caching: the numbers.
        clocks: the time, and the jitter.
        on_kept: called where a result was kept, on the fetch's thread, without the lock.
        on_failure: called after a failure, on any thread, without the lock.
        static: keys that never change, so that nothing is ever fetched; default None.
    """

    def __init__(
        self,
        *,
        fetch: Callable[[KeyFetch], Fetched | None],
        caching: KeyCaching,
        clocks: Clocks,
        on_kept: Kept,
        on_failure: Failed,
        static: KeySet | None = None,
    ) -> None:
        super().__init__(name="m2mguard-keys", clocks=clocks, timeout_s=caching.timeout, history=KeyFetchHistory())
        self._make = fetch
        self._caching = caching
        self._on_kept = on_kept
        self._on_failure = on_failure
        self._fetched: Fetched | None = None
        self._static = None if static is None else Snapshot.static(static)
        self.snapshot: Snapshot | None = self._static
        """The keys at hand. Read without the lock."""

    @property
    def last_fetched(self) -> tuple[Fetched | None, bool]:
        """What the last good fetch brought, and whether one has failed since. Takes no lock."""
        return self._fetched, self._history.failures > 0

    def status(self) -> KeyStatus:
        """The state at this moment."""
        with self._lock:
            return KeyStatus(
                snapshot=self.snapshot, history=self._history, last_failure=self._failure, now=self._clocks.ages()
            )

    def resolve(self, request: KeyRequest, waiter: Waiter | None) -> Resolution:
        """Decide about one token's key, and start a fetch if that is the decision."""
        self._give_up_overdue()
        snapshot = self.snapshot
        decision = decide(snapshot, self._history, request, self._clocks.ages(), self._caching, waiter)
        if decision.action is KeyAction.SERVE:
            return Resolution(decision=decision, snapshot=snapshot)
        if self._static is not None:
            return Resolution(decision=KeyDecision(action=KeyAction.REFUSE), snapshot=snapshot)

        def rule(now: float, history: KeyFetchHistory) -> tuple[tuple[KeyDecision, Snapshot | None], KeyFetch | None]:
            decision = decide(self.snapshot, history, request, now, self._caching, waiter)
            if decision.cause is None:
                return (decision, self.snapshot), None
            wanted = request if decision.is_about_unknown else None
            return (decision, self.snapshot), KeyFetch(decision.cause, request=wanted, is_known=decision.is_known)

        (decision, snapshot), in_flight = self.decide(rule)
        wait_for = in_flight if decision.action is KeyAction.WAIT else None
        return Resolution(decision=decision, snapshot=snapshot, wait_for=wait_for)

    def start_fetch(self) -> KeyFetch | None:
        """Start a fetch now, so that it sees whatever the issuer has changed before. None for keys that never change."""
        if self._static is not None:
            return None
        return self.decide(lambda *_: (None, KeyFetch("requested")))[1]

    def join_or_start_fetch(self) -> KeyFetch | None:
        """The fetch in flight, or else one that starts now; None if the keys are fresh."""

        def rule(now: float, history: KeyFetchHistory) -> tuple[bool, KeyFetch | None]:
            if self.snapshot is not None and now < self.snapshot.refresh_at:
                return False, None
            return True, None if history.in_flight else KeyFetch("requested")

        is_due, in_flight = self.decide(rule)
        return in_flight if is_due else None

    def fetch_if_unusable(self) -> None:
        """Start a fetch if there are no servable keys and the back-off is over."""

        def rule(now: float, history: KeyFetchHistory) -> tuple[None, KeyFetch | None]:
            unusable = self.snapshot is None or not servable(self.snapshot, now)
            return None, KeyFetch("cold") if unusable and history.may_ask(now) else None

        self.decide(rule)

    def load(self, fetch: KeyFetch, keys: KeySet, *, age_s: float) -> bool:
        """Take in keys from a file if there are none: servable, but never fresh. Tells whether they were wanted.

        A fetch that callers wait for has then ended, so that they look again.
        """
        with self._lock:
            if self.snapshot is not None or self.is_void(fetch):
                return False
            now = self._clocks.ages()
            snapshot = Snapshot.from_fetch(
                keys,
                self._caching,
                fetched_at=now - age_s,
                published_at=self._clocks.wall() - age_s,
                max_age=None,
                jitter=0,
            )
            self.snapshot = replace(snapshot, refresh_at=now, expires_at=now)
            if fetch.cause == "cold":
                fetch.dropped = True
                self._end(fetch)
            return True

    def purge(self) -> None:
        """Forget the keys, and whatever the fetches up to now may bring. Those who wait look again."""
        with self._lock:
            in_flight, self._in_flight = self._in_flight, None
            self.snapshot = self._static
            self._fetched = None
            self._failure = None
            self._void = self._begun
            self._history = KeyFetchHistory()
        if in_flight is not None:
            in_flight.flight.finish()

    # --- what the shared fetch asks for ---

    def _fetch(self, fetch: KeyFetch) -> Fetched | None:
        return self._make(fetch)

    def _keep(self, fetch: KeyFetch, result: Fetched) -> Callable[[], None]:
        before = None if self.snapshot is None else self.snapshot.keys
        self._fetched = result
        self.snapshot = Snapshot.from_fetch(
            result.keys,
            self._caching,
            fetched_at=fetch.began_at,
            published_at=fetch.began_wall if result.date is None else min(fetch.began_wall, result.date),
            max_age=result.max_age,
            jitter=self._clocks.jitter(),
        )
        if fetch.request is not None and not _has_news(fetch.request, before, result.keys):
            self._count_requests(fetch)
        return lambda: self._on_kept(fetch, result, before)

    def _ended_early(self, problem: EarlyEnd) -> FetchFailure:
        return FetchFailure(problem=problem, detail=_ENDED_EARLY[problem])

    def _backoff(self, failure: FetchFailure, failures: int) -> tuple[float, float]:
        return backoff_s(failures, jitter=self._clocks.jitter()), failure.retry_after_s

    def _count_failure(self, fetch: KeyFetch, *, is_overdue: bool) -> None:
        if not is_overdue or fetch.cause != "cold":  # without keys the next caller starts another at once
            self._count_requests(fetch)

    def _report_failure(self, fetch: KeyFetch, failure: FetchFailure, history: KeyFetchHistory) -> None:
        self._on_failure(fetch, failure, history)

    def _count_requests(self, fetch: KeyFetch) -> None:
        """Count what a fetch for an unknown key has cost the issuer, and brought nothing."""
        if fetch.request is None or fetch.counted:
            return
        fetch.counted = True
        self._history = self._history.record_unknown_kid_fetch(
            fetch.began_at, self._caching, requests=fetch.requests, is_known=fetch.is_known
        )


def _has_news(request: KeyRequest, before: KeySet | None, after: KeySet) -> bool:
    """Tell whether a fetch for an unknown key brought that key, or any other new one to a set that we had."""
    if request.is_answered_by(after):
        return True
    return before is not None and not after.identities <= before.identities
