"""The book of one issuer's keys: the snapshot, the record of attempts, and the attempt under way, changed under one lock.

The lock guards a few assignments and is never held across I/O, a wait or a callback. Nothing here waits, fetches or reports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from m2mguard.keys.attempts import Asked, Attempts
from m2mguard.keys.caching import KeyCaching
from m2mguard.keys.fetching import Fetched
from m2mguard.keys.freshness import Action, Decision, Snapshot, date, decide, servable, unchanging
from m2mguard.keys.jwks import KeySet
from m2mguard.keys.rulings import Attempt, KeyStatus, Ruling
from m2mguard.net.flight import Flight, after_fork_in_child, new_lock

FLIGHT_GRACE_S = 1.0  # beyond the time-out: only a name look-up that hangs can last so long


class Ledger:
    """One issuer's keys and attempts. Safe to share between threads and greenlets, and across `fork`; no method waits.

    Args:
        fly: makes the fetch of an attempt, on the flight's thread; None where the keys never change.
        caching: the numbers.
        monotonic: a clock in seconds.
        dice: gives a float of 0…1 for jitter.
        static: the keys that never change.
    """

    def __init__(
        self,
        *,
        fly: Callable[[Attempt], None] | None,
        caching: KeyCaching,
        monotonic: Callable[[], float],
        dice: Callable[[], float],
        static: KeySet | None = None,
    ) -> None:
        self._fly = fly
        self._caching = caching
        self._monotonic = monotonic
        self._dice = dice
        self._static = None if static is None else unchanging(static)
        self._snapshot = self._static
        self._fetched: Fetched | None = None
        self._attempts = Attempts()
        self._last_error: str | None = None
        self._lock = new_lock()
        self._underway: Attempt | None = None
        self._begun = 0  # attempts are numbered: a later one knows better than an earlier one
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
        """A look at the book."""
        with self._lock:
            return KeyStatus(
                snapshot=self._snapshot, attempts=self._attempts, last_error=self._last_error, now=self._monotonic()
            )

    def rule(self, kid: str | None, asked: Asked | None) -> Ruling:
        """Decide about one token's key, and begin an attempt if that is the decision; the caller must launch its flight."""
        snapshot, now = self._snapshot, self._monotonic()
        decision = decide(snapshot, self._attempts, kid, now, self._caching, asked)
        if decision.action is Action.SERVE:
            return Ruling(decision=decision, snapshot=snapshot)
        if self._fly is None:
            return Ruling(decision=Decision(action=Action.REFUSE), snapshot=snapshot)
        with self._lock:
            now = self._monotonic()
            decision = decide(self._snapshot, self._attempts, kid, now, self._caching, asked)
            begun = self._begin(self._fly, decision.cause, kid, now) if decision.cause else None
            return Ruling(
                decision=decision,
                snapshot=self._snapshot,
                wait_for=self._underway if decision.action is Action.WAIT else None,
                begun=begun,
            )

    def demand(self) -> Attempt | None:
        """Begin an attempt now, so that it sees whatever the issuer has changed before; None where the keys never change."""
        if self._fly is None:
            return None
        with self._lock:
            return self._begin(self._fly, "requested", None, self._monotonic())

    def join_or_demand(self) -> tuple[Attempt | None, bool]:
        """The attempt under way, or else one that begins now, and whether it does; None where the keys are fresh or never change."""
        if self._fly is None:
            return None, False
        with self._lock:
            now = self._monotonic()
            if self._snapshot is not None and now < self._snapshot.refresh_at:
                return None, False
            if self._underway is not None:
                return self._underway, False
            return self._begin(self._fly, "requested", None, now), True

    def try_again(self) -> Attempt | None:
        """Begin an attempt where tokens cannot be checked although the issuer was asked before, and may be asked again."""
        if self._fly is None:
            return None
        with self._lock:
            now = self._monotonic()
            helpless = self._snapshot is None or not servable(self._snapshot, now)
            asked_before = self._snapshot is not None or self._attempts.failures > 0
            if helpless and asked_before and self._attempts.may_ask(now):
                return self._begin(self._fly, "cold", None, now)
        return None

    def recall(self, attempt: Attempt, keys: KeySet, *, age_s: float) -> bool:
        """Take in keys from a file where there are none: fit to serve, but never fresh. Tells whether they were wanted.

        An attempt that callers wait for has then ended, so that they look again.
        """
        with self._lock:
            if self._snapshot is not None or self.is_void(attempt):
                return False
            now = self._monotonic()
            dated = date(keys, self._caching, fetched_at=now - age_s, max_age=None, dice=0)
            self._snapshot = replace(dated, refresh_at=now, expires_at=now)
            if attempt.cause == "cold":
                attempt.recalled = True
                self._end(attempt)
            return True

    def is_void(self, attempt: Attempt) -> bool:
        """Tell whether what the attempt brings is not wanted any more."""
        return attempt.number <= self._void

    def land_good(self, attempt: Attempt, fetched: Fetched) -> tuple[bool, KeySet | None]:
        """Note what an attempt brought. Tells whether it is wanted, and the keys before it."""
        with self._lock:
            self._end(attempt)
            before = None if self._snapshot is None else self._snapshot.keys
            if self.is_void(attempt) or attempt.number <= self._landed:
                return False, before
            self._landed = attempt.number
            self._fetched = fetched
            self._last_error = None
            self._snapshot = date(
                fetched.keys, self._caching, fetched_at=attempt.began_at, max_age=fetched.max_age, dice=self._dice()
            )
            self._attempts = self._attempts.succeeded()
            if attempt.cause == "cold" and attempt.kid is not None and attempt.kid not in fetched.keys:
                self._attempts = self._attempts.spent_permit(attempt.began_at, self._caching)
            return True, before

    def give_up_overdue(self, error: str) -> tuple[Attempt, Attempts] | None:
        """Count an attempt past its age limit as failed at its time-out, so that a caller can start another. Mostly takes no lock."""
        overdue = self._underway
        if overdue is None or self._monotonic() < overdue.began_at + self._caching.timeout + FLIGHT_GRACE_S:
            return None
        with self._lock:
            if self._underway is not overdue:
                return None
            self._end(overdue)
            self._fail(error, overdue.began_at + self._caching.timeout)
            return overdue, self._attempts

    def land_failed(self, attempt: Attempt, error: str) -> Attempts | None:
        """Note that an attempt failed. Returns the record, or None if the attempt was given up or overtaken before."""
        with self._lock:
            if self._underway is not attempt:
                return None
            self._end(attempt)
            self._fail(error, self._monotonic())
            return self._attempts

    def found_slow(self, attempt: Attempt) -> None:
        """Note that somebody waited for the attempt in vain."""
        with self._lock:
            if self._underway is attempt:
                self._attempts = self._attempts.found_slow()

    def purge(self) -> Attempt | None:
        """Forget the keys, and whatever attempts up to now may bring. Returns the attempt under way, whose waiters must look again."""
        with self._lock:
            underway, self._underway = self._underway, None
            self._snapshot = self._static
            self._fetched = None
            self._last_error = None
            self._void = self._begun
            self._attempts = Attempts(permits=self._attempts.permits)
            return underway

    def _begin(self, fly: Callable[[Attempt], None], cause: str, kid: str | None, now: float) -> Attempt:
        self._begun += 1
        attempt = Attempt(number=self._begun, cause=cause, kid=kid, began_at=now)
        attempt.flight = Flight(lambda: fly(attempt), name=f"m2mguard-keys-{attempt.number}")
        self._attempts = self._attempts.took_off(now)
        if cause == "unknown_key":
            self._attempts = self._attempts.spent_permit(now, self._caching)
        self._underway = attempt
        return attempt

    def _end(self, attempt: Attempt) -> None:
        if self._underway is attempt:
            self._underway = None
            self._attempts = self._attempts.landed()

    def _fail(self, error: str, at: float) -> None:
        self._last_error = error
        self._attempts = self._attempts.failed(at, dice=self._dice())

    def _after_fork(self) -> None:
        """The child has none of the parent's threads: a fresh lock, no flight, no memory of attempts; the keys are still good."""
        self._lock = new_lock()
        self._underway = None
        self._attempts = Attempts()
        self._last_error = None
