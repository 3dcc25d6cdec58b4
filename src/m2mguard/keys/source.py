"""The driver of one issuer's keys: holds the snapshot, asks `freshness` what to do, and shares one flight among all who wait.

The lock guards a few assignments and is never held across I/O, a wait or a callback. Readers of a fresh known key take no lock.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from m2mguard.errors import InvalidToken, KeysUnavailable
from m2mguard.events import KeysRefreshed, KeyWithdrawn, RefreshFailed, StaleServed, UnknownKeyThrottled
from m2mguard.keys.caching import KeyCaching
from m2mguard.keys.fetching import Fetched, FetchFailed, KeyFetcher
from m2mguard.keys.freshness import Action, Asked, Attempts, Decision, Snapshot, date, decide
from m2mguard.keys.jwks import KeySet
from m2mguard.net.flight import Flight, Steps, Wait, after_fork_in_child, new_lock
from m2mguard.reporting import Reporter

FLIGHT_GRACE_S = 1.0  # beyond the time-out: only a name look-up that hangs can last so long


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatus:
    """A look at a key source, without I/O: what it holds and how asking goes. `now` is the time of the look."""

    snapshot: Snapshot | None
    attempts: Attempts
    last_error: str | None
    now: float


class _Attempt:
    """One fetch: its number, why and for which key id it is made, when it began, and the flight that carries it."""

    __slots__ = ("began_at", "cause", "flight", "kid", "number")
    flight: Flight

    def __init__(self, *, number: int, cause: str, kid: str | None, began_at: float) -> None:
        self.number = number
        self.cause = cause
        self.kid = kid
        self.began_at = began_at


class KeySource:
    """One issuer's keys, kept fresh. Safe to share between threads, event loops and greenlets, and across `fork`.

    Nothing happens before the first use.

    Args:
        fetcher: makes one fetch; None for a source whose keys never change.
        issuer: the issuer's URL, for events.
        caching: the numbers.
        monotonic: a clock in seconds.
        reporter: told what happens, on the flight's thread or the caller's.
        static: the keys of a source without a fetcher.
        dice: gives a float of 0…1 for jitter.
    """

    def __init__(
        self,
        *,
        fetcher: KeyFetcher | None,
        issuer: str,
        caching: KeyCaching,
        monotonic: Callable[[], float],
        reporter: Reporter,
        static: KeySet | None = None,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._fetcher = fetcher
        self._issuer = issuer
        self._caching = caching if fetcher is not None else replace(caching, burst=0)
        self._monotonic = monotonic
        self._reporter = reporter
        self._dice = dice
        self._static = None if static is None else _unchanging(static)
        self._snapshot = self._static
        self._fetched: Fetched | None = None
        self._attempts = Attempts()
        self._last_error: str | None = None
        self._lock = new_lock()
        self._underway: _Attempt | None = None
        self._launched = 0  # attempts are numbered: a later one knows better than an earlier one
        self._landed = 0
        self._void = 0  # what attempts up to this number bring is not wanted any more
        after_fork_in_child(self._after_fork)

    def fresh_keys(self, now: float) -> KeySet | None:
        """The key set, where nothing needs to be decided; None otherwise. Takes no lock."""
        snapshot = self._snapshot
        return snapshot.keys if snapshot is not None and now < snapshot.refresh_at else None

    def key_set_for(self, kid: str) -> Steps[KeySet]:
        """Steps that end with a key set that may be served and knows the key id.

        Raises:
            InvalidToken: `unknown_key`: the issuer has no such key.
            KeysUnavailable: the issuer cannot be asked, and we cannot tell.
        """
        asked: Asked | None = None
        while True:
            decision, snapshot, underway = self._settle(kid, asked)
            if underway is not None:
                now = self._monotonic()
                landed = yield Wait(underway.flight, max(0.0, decision.wait_until - now))
                asked = Asked(since=now if asked is None else asked.since, in_vain=not landed)
                if not landed:
                    self._note_slow(underway)
                continue
            if decision.action is Action.REFUSE:
                if asked is None and self._fetcher is not None:
                    self._reporter.emit(UnknownKeyThrottled(issuer=self._issuer))
                raise InvalidToken("unknown_key", "the issuer has no key of the token's kid")
            if snapshot is None or decision.action is Action.UNAVAILABLE:
                raise KeysUnavailable(
                    "keys_unavailable",
                    "the issuer's keys cannot be had, or not soon enough, so the token cannot be checked",
                    decision.retry_after,
                )
            self._report_stale(snapshot)
            return snapshot.keys

    def begin_refresh(self, *, join: bool) -> Flight | None:
        """Start a fetch now, and return its flight; None for keys that never change.

        Args:
            join: take the flight under way instead, if there is one, and none at all where the keys are fresh. Without it the
                fetch begins after this call, so that it sees whatever the issuer has changed before.
        """
        if self._fetcher is None or (join and self.fresh_keys(self._monotonic()) is not None):
            return None
        with self._lock:
            if join and self._underway is not None:
                return self._underway.flight
            attempt = self._take_off(self._fetcher, "requested", None, self._monotonic())
        attempt.flight.launch()
        return attempt.flight

    def purge(self) -> None:
        """Forget the keys now, and whatever an attempt under way may bring. Keys that were configured by hand stay."""
        with self._lock:
            self._snapshot = self._static
            self._fetched = None
            self._void = self._launched
            self._underway = None
            self._attempts = Attempts(permits=self._attempts.permits)

    def status(self) -> KeyStatus:
        """A look at the source. No I/O."""
        with self._lock:
            return KeyStatus(
                snapshot=self._snapshot, attempts=self._attempts, last_error=self._last_error, now=self._monotonic()
            )

    def _settle(self, kid: str, asked: Asked | None) -> tuple[Decision, Snapshot | None, _Attempt | None]:
        """Decide, start an attempt if that is the decision, and name the attempt to wait for, if one is."""
        snapshot, now = self._snapshot, self._monotonic()
        if self._is_overdue(self._underway, now):
            self._give_up_overdue(now)
        decision = decide(snapshot, self._attempts, kid, now, self._caching, asked)
        if decision.action is Action.SERVE or (decision.action is Action.REFUSE and self._fetcher is None):
            return decision, snapshot, None
        started = None
        with self._lock:
            snapshot, now = self._snapshot, self._monotonic()
            decision = decide(snapshot, self._attempts, kid, now, self._caching, asked)
            if decision.cause and self._fetcher is not None:
                started = self._take_off(self._fetcher, decision.cause, kid, now)
            underway = self._underway if decision.action is Action.WAIT else None
        if started is not None:
            started.flight.launch()
        return decision, snapshot, underway

    def _take_off(self, fetcher: KeyFetcher, cause: str, kid: str | None, now: float) -> _Attempt:
        """Note an attempt that begins now. The lock is held; the caller launches the flight after letting it go."""
        self._launched += 1
        attempt = _Attempt(number=self._launched, cause=cause, kid=kid, began_at=now)
        attempt.flight = Flight(lambda: self._fly(attempt, fetcher), name=f"m2mguard-keys-{self._launched}")
        self._attempts = self._attempts.took_off(now)
        if cause == "unknown_key":
            self._attempts = self._attempts.spent_permit(now, self._caching)
        self._underway = attempt
        return attempt

    def _fly(self, attempt: _Attempt, fetcher: KeyFetcher) -> None:
        """Make the fetch, on the flight's thread."""
        try:
            fetched = fetcher.fetch(self._fetched, rediscover=self._attempts.failures > 0)
        except FetchFailed as error:
            self._land_failed(attempt, str(error))
        else:
            self._land_good(attempt, fetched)

    def _land_good(self, attempt: _Attempt, fetched: Fetched) -> None:
        with self._lock:
            wanted = attempt.number > max(self._void, self._landed)
            before = self._snapshot
            if wanted:
                self._landed = attempt.number
                self._fetched = fetched
                self._last_error = None
                self._snapshot = date(
                    fetched.keys,
                    self._caching,
                    fetched_at=attempt.began_at,
                    max_age=fetched.max_age,
                    dice=self._dice(),
                )
                if attempt.cause == "cold" and attempt.kid is not None and attempt.kid not in fetched.keys:
                    self._attempts = self._attempts.spent_permit(attempt.began_at, self._caching)
            if self._underway is attempt:
                self._underway = None
                self._attempts = self._attempts.succeeded()
        attempt.flight.land()
        if wanted:
            self._report_refreshed(attempt, fetched, None if before is None else before.keys)

    def _land_failed(self, attempt: _Attempt, error: str) -> None:
        with self._lock:
            concerns_us = self._underway is attempt
            if concerns_us:
                self._fail(error)
            attempts, now = self._attempts, self._monotonic()
        attempt.flight.land()
        if concerns_us:
            self._reporter.emit(
                RefreshFailed(
                    issuer=self._issuer,
                    cause=attempt.cause,
                    error=error,
                    failures=attempts.failures,
                    retry_in_s=max(0.0, attempts.retry_at - now),
                )
            )

    def _is_overdue(self, attempt: _Attempt | None, now: float) -> bool:
        return attempt is not None and now >= attempt.began_at + self._caching.timeout + FLIGHT_GRACE_S

    def _give_up_overdue(self, now: float) -> None:
        """Count an attempt past its age limit as failed, so that the next caller can start another."""
        with self._lock:
            if self._is_overdue(self._underway, now):
                self._fail("the attempt did not end in time")

    def _fail(self, error: str) -> None:
        """Note that the attempt under way failed. The lock is held."""
        self._underway = None
        self._last_error = error
        self._attempts = self._attempts.failed(self._monotonic(), dice=self._dice())

    def _note_slow(self, attempt: _Attempt) -> None:
        with self._lock:
            if self._underway is attempt:
                self._attempts = self._attempts.found_slow()

    def _report_refreshed(self, attempt: _Attempt, fetched: Fetched, before: KeySet | None) -> None:
        old = {} if before is None else {key.thumbprint: key.kid or "" for key in before.keys}
        new = {key.thumbprint: key.kid or "" for key in fetched.keys.keys}
        removed = {thumbprint: kid for thumbprint, kid in old.items() if thumbprint not in new}
        self._reporter.emit(
            KeysRefreshed(
                issuer=self._issuer,
                cause=attempt.cause,
                key_ids=tuple(new.values()),
                added=tuple(kid for thumbprint, kid in new.items() if thumbprint not in old),
                removed=tuple(removed.values()),
                skipped=fetched.keys.skipped,
                not_modified=fetched.not_modified,
            )
        )
        for thumbprint, kid in removed.items():
            self._reporter.emit(KeyWithdrawn(issuer=self._issuer, key_id=kid, thumbprint=thumbprint))

    def _report_stale(self, snapshot: Snapshot) -> None:
        now = self._monotonic()
        if now >= snapshot.expires_at:
            self._reporter.emit(
                StaleServed(
                    issuer=self._issuer,
                    age_s=now - snapshot.fetched_at,
                    remaining_s=max(0.0, snapshot.stale_until - now),
                )
            )

    def _after_fork(self) -> None:
        """The child has none of the parent's threads: a fresh lock, no flight, no memory of attempts; the keys are still good."""
        self._lock = new_lock()
        self._underway = None
        self._attempts = Attempts()


def _unchanging(keys: KeySet) -> Snapshot:
    forever = math.inf
    return Snapshot(keys=keys, fetched_at=-math.inf, refresh_at=forever, expires_at=forever, stale_until=forever)
