"""State of one issuer's key cache: the snapshot, the record of fetches, and the fetch in flight, changed under one lock.

The lock guards a few assignments and is never held across I/O, a wait or a callback. Nothing here waits, fetches or reports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from m2mguard._clocks import Clocks
from m2mguard._keys.fetch import Fetched, FetchFailure
from m2mguard._keys.fetch_history import FetchHistory, Waiter
from m2mguard._keys.key_caching import KeyCaching
from m2mguard._keys.key_set import KeySet
from m2mguard._keys.policy import KeyAction, KeyDecision, decide
from m2mguard._keys.rulings import Attempt, KeyStatus, Resolution
from m2mguard._keys.snapshot import KeyRequest, Snapshot, servable
from m2mguard._reasons.codes import FetchCause
from m2mguard.net._flight import Flight, after_fork_in_child, new_lock

FLIGHT_GRACE_S = 1.0  # beyond the time-out: only a name look-up that hangs can last so long


class KeyState:
    """One issuer's keys and fetches. Safe to share between threads and greenlets, and across `fork`; no method waits.

    Args:
        fly: makes the fetch of an attempt, on the flight's thread; None where the keys never change.
        caching: the numbers.
        clocks: what the time is, and the jitter.
        static: the keys that never change.
    """

    def __init__(
        self,
        *,
        fly: Callable[[Attempt], None] | None,
        caching: KeyCaching,
        clocks: Clocks,
        static: KeySet | None = None,
    ) -> None:
        self._fly = fly
        self._caching = caching
        self._clocks = clocks
        self._static = None if static is None else Snapshot.static(static)
        self._snapshot = self._static
        self._fetched: Fetched | None = None
        self._attempts = FetchHistory()
        self._last_failure: FetchFailure | None = None
        self._lock = new_lock()
        self._in_flight: Attempt | None = None
        self._begun = 0  # the number of the last attempt
        self._landed = 0
        self._void = 0  # what attempts up to this number bring is not wanted any more
        after_fork_in_child(self._after_fork)

    @property
    def snapshot(self) -> Snapshot | None:
        """The keys at hand. Takes no lock."""
        return self._snapshot

    @property
    def last_fetched(self) -> tuple[Fetched | None, bool]:
        """What the last good fetch brought, and whether one has failed since. Takes no lock."""
        return self._fetched, self._attempts.failures > 0

    def status(self) -> KeyStatus:
        """The state at this moment."""
        with self._lock:
            return KeyStatus(
                snapshot=self._snapshot,
                attempts=self._attempts,
                last_failure=self._last_failure,
                now=self._clocks.ages(),
            )

    def rule(self, request: KeyRequest, asked: Waiter | None) -> Resolution:
        """Decide about one token's key, and begin an attempt if that is the decision; the caller must launch its flight."""
        snapshot, now = self._snapshot, self._clocks.ages()
        decision = decide(snapshot, self._attempts, request, now, self._caching, asked)
        if decision.action is KeyAction.SERVE:
            return Resolution(decision=decision, snapshot=snapshot)
        if self._fly is None:
            return Resolution(decision=KeyDecision(action=KeyAction.REFUSE), snapshot=snapshot)
        with self._lock:
            now = self._clocks.ages()
            decision = decide(self._snapshot, self._attempts, request, now, self._caching, asked)
            begun = None
            if decision.cause:
                wanted = request if decision.is_about_unknown else None
                begun = self._begin(self._fly, decision.cause, now, wanted, is_known=decision.is_known)
            return Resolution(
                decision=decision,
                snapshot=self._snapshot,
                wait_for=self._in_flight if decision.action is KeyAction.WAIT else None,
                begun=begun,
            )

    def demand(self) -> Attempt | None:
        """Begin an attempt now, so that it sees whatever the issuer has changed before; None where the keys never change."""
        if self._fly is None:
            return None
        with self._lock:
            return self._begin(self._fly, "requested", self._clocks.ages())

    def join_or_demand(self) -> tuple[Attempt | None, bool]:
        """The attempt in flight, or else one that begins now, and whether it does; None where the keys are fresh or never change."""
        if self._fly is None:
            return None, False
        with self._lock:
            now = self._clocks.ages()
            if self._snapshot is not None and now < self._snapshot.refresh_at:
                return None, False
            if self._in_flight is not None:
                return self._in_flight, False
            return self._begin(self._fly, "requested", now), True

    def fetch_if_unusable(self) -> Attempt | None:
        """Begin an attempt where there are no servable keys and the issuer may be asked."""
        if self._fly is None:
            return None
        with self._lock:
            now = self._clocks.ages()
            unusable = self._snapshot is None or not servable(self._snapshot, now)
            return self._begin(self._fly, "cold", now) if unusable and self._attempts.may_ask(now) else None

    def recall(self, attempt: Attempt, keys: KeySet, *, age_s: float) -> bool:
        """Take in keys from a file where there are none: servable, but never fresh. Tells whether they were wanted.

        An attempt that callers wait for has then ended, so that they look again.
        """
        with self._lock:
            if self._snapshot is not None or self.is_void(attempt):
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
            self._snapshot = replace(snapshot, refresh_at=now, expires_at=now)
            if attempt.cause == "cold":
                attempt.recalled = True
                self._end(attempt)
            return True

    def is_void(self, attempt: Attempt) -> bool:
        """Tell whether what the attempt brings is not wanted any more."""
        return attempt.number <= self._void

    def land_good(self, attempt: Attempt, fetched: Fetched) -> tuple[bool, KeySet | None]:
        """Record what an attempt brought. Tells whether it is wanted, and the keys before it."""
        with self._lock:
            self._end(attempt)
            before = None if self._snapshot is None else self._snapshot.keys
            if self.is_void(attempt) or attempt.number <= self._landed:
                return False, before
            self._landed = attempt.number
            self._fetched = fetched
            self._last_failure = None
            self._snapshot = Snapshot.from_fetch(
                fetched.keys,
                self._caching,
                fetched_at=attempt.began_at,
                published_at=min(attempt.began_wall, attempt.began_wall if fetched.date is None else fetched.date),
                max_age=fetched.max_age,
                jitter=self._clocks.jitter(),
            )
            self._attempts = self._attempts.succeeded()
            if attempt.request is not None and not _has_news(attempt.request, before, fetched.keys):
                self._count_requests(attempt)
            return True, before

    def give_up_overdue(self, failure: FetchFailure) -> tuple[Attempt, FetchHistory] | None:
        """Count an attempt past its age limit as failed at its time-out, so that a caller can start another. Mostly takes no lock."""
        overdue = self._in_flight
        if overdue is None or self._clocks.ages() < overdue.began_at + self._caching.timeout + FLIGHT_GRACE_S:
            return None
        with self._lock:
            if self._in_flight is not overdue:
                return None
            self._end(overdue)
            self._fail(failure, overdue.began_at + self._caching.timeout)
            if overdue.cause != "cold":  # without keys the next caller starts another at once
                self._count_requests(overdue)
            return overdue, self._attempts

    def land_failed(self, attempt: Attempt, failure: FetchFailure) -> FetchHistory | None:
        """Record that an attempt failed. Returns the record, or None if the attempt was given up or overtaken before."""
        with self._lock:
            if self._in_flight is not attempt:
                return None
            self._end(attempt)
            self._fail(failure, self._clocks.ages())
            self._count_requests(attempt)
            return self._attempts

    def waiter_timed_out(self, attempt: Attempt) -> None:
        """Record that somebody waited for the attempt until their time was over."""
        with self._lock:
            if self._in_flight is attempt:
                self._attempts = self._attempts.waiter_timed_out()

    def purge(self) -> Attempt | None:
        """Forget the keys, and whatever attempts up to now may bring. Returns the attempt in flight, whose waiters must look again."""
        with self._lock:
            in_flight, self._in_flight = self._in_flight, None
            self._snapshot = self._static
            self._fetched = None
            self._last_failure = None
            self._void = self._begun
            self._attempts = FetchHistory()
            return in_flight

    def _begin(
        self,
        fly: Callable[[Attempt], None],
        cause: FetchCause,
        now: float,
        request: KeyRequest | None = None,
        *,
        is_known: bool = False,
    ) -> Attempt:
        self._begun += 1
        attempt = Attempt(
            number=self._begun,
            cause=cause,
            began_at=now,
            began_wall=self._clocks.wall(),
            request=request,
            is_known=is_known,
        )
        attempt.flight = Flight(lambda: fly(attempt), name=f"m2mguard-keys-{attempt.number}")
        self._attempts = self._attempts.started(now)
        self._in_flight = attempt
        return attempt

    def _end(self, attempt: Attempt) -> None:
        if self._in_flight is attempt:
            self._in_flight = None
            self._attempts = self._attempts.finished()

    def _fail(self, failure: FetchFailure, at: float) -> None:
        self._last_failure = failure
        self._attempts = self._attempts.failed(at, jitter=self._clocks.jitter(), retry_after=failure.retry_after_s)

    def _count_requests(self, attempt: Attempt) -> None:
        """Count what an attempt for an unknown key has cost the issuer, and brought nothing."""
        if attempt.request is None or attempt.counted:
            return
        attempt.counted = True
        self._attempts = self._attempts.record_unknown_kid_fetch(
            attempt.began_at, self._caching, requests=attempt.requests, is_known=attempt.is_known
        )

    def _after_fork(self) -> None:
        """The child has none of the parent's threads: a fresh lock, no flight, no record of fetches; the keys are still good."""
        self._lock = new_lock()
        self._in_flight = None
        self._attempts = FetchHistory()
        self._last_failure = None


def _has_news(request: KeyRequest, before: KeySet | None, after: KeySet) -> bool:
    """Tell whether a fetch for an unknown key brought that key, or any other new one to a set that we had."""
    if request.is_answered_by(after):
        return True
    return before is not None and not after.identities <= before.identities
