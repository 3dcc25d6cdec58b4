"""One shared fetch: the machine behind an issuer's keys and behind an access token.

At most one fetch is in flight, on a daemon thread of its own, and any number of callers wait for it with a bound (`Flight`). Fetches are
numbered: the result of a later one replaces that of an earlier one. A fetch past its age limit is given up, so that another can begin;
a failed one removes nothing. A subclass decides when to fetch, how, and what to keep.

The lock guards a few assignments. It is never held across I/O, a wait, a callback or the start of a thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, Generic, Literal, TypeVar

from m2mguard._clocks import JUMP_S, Clocks
from m2mguard.net._fetch_history import FetchHistory
from m2mguard.net._flight import CannotStart, Flight, new_lock

GRACE_S: Final = 1.0  # beyond the time-out: only a name look-up that hangs can last so long
F = TypeVar("F", bound="Fetch")
H = TypeVar("H", bound=FetchHistory)
R = TypeVar("R")
E = TypeVar("E")
T = TypeVar("T")
EarlyEnd = Literal["overdue", "not_started", "other"]
"""Given up past its age limit; no thread could be started; ended by an unexpected exception."""


class Fetch:
    """One fetch. A subclass says why it is made and for whom.

    Attributes:
        number: its place among all fetches of its owner.
        began_at: when it began, on the clock for ages: what it brings may be as old as that.
        began_wall: the same in seconds since the epoch.
        began_monotonic: the same on the monotonic clock, by which waits are bounded.
        flight: the thread that makes it, and those who wait.
        dropped: whether it ended without a result and without a failure. Then those who waited for it may wait again.
    """

    __slots__ = ("began_at", "began_monotonic", "began_wall", "dropped", "flight", "number")
    number: int
    began_at: float
    began_wall: float
    began_monotonic: float
    flight: Flight
    dropped: bool

    def stamp(self, clocks: Clocks) -> None:
        """Record that it begins now."""
        self.began_at, self.began_wall, self.began_monotonic = clocks.ages(), clocks.wall(), clocks.monotonic()

    def was_suspended(self, clocks: Clocks) -> bool:
        """Tell whether the machine was suspended since it began, or the wall clock set forward: they look the same."""
        return clocks.ages() - self.began_at > clocks.monotonic() - self.began_monotonic + JUMP_S


class FetchError(Exception, Generic[E]):
    """A fetch brought nothing to keep. `failure` says why; nothing in it refers to the exception that led to it."""

    def __init__(self, failure: E) -> None:
        super().__init__()
        self.failure: E = failure


class SharedFetch(ABC, Generic[F, R, E, H]):
    """Fetches one thing for many callers. Safe to share between threads, event loops and greenlets; no method waits.

    Its owner calls `after_fork` in a child process. Nothing happens before the first use.

    Args:
        name: what the threads' names begin with.
        clocks: the time, and the jitter.
        timeout_s: the longest that a fetch may take.
        history: the record of a process that has fetched nothing yet.
    """

    def __init__(self, *, name: str, clocks: Clocks, timeout_s: float, history: H) -> None:
        self._name = name
        self._clocks = clocks
        self.timeout_s: Final[float] = timeout_s
        self._no_history = history
        self._history = history
        self._failure: E | None = None
        self._lock = new_lock()
        self._in_flight: F | None = None
        self._begun = 0  # the number of the last fetch that began
        self._kept = 0  # the number of the last fetch whose result was kept
        self._void = 0  # the results of fetches up to this number are not wanted any more

    def decide(self, rule: Callable[[float, H], tuple[T, F | None]]) -> tuple[T, F | None]:
        """Decide under the lock, and begin the fetch that the decision asks for.

        Args:
            rule: is given the time on the clock for ages, and the history; returns a decision, and the fetch to begin or None. It
                must be quick, and must not call back.

        Returns:
            The decision, and the fetch in flight after it, or None.
        """
        self._give_up_overdue()
        with self._lock:
            decision, begins = rule(self._clocks.ages(), self._history)
            if begins is not None:
                self._begin(begins)
            in_flight = self._in_flight
        if begins is not None:
            self._start(begins)
        return decision, in_flight

    def waiter_timed_out(self, fetch: F) -> None:
        """Record that a waiter timed out on a fetch."""
        with self._lock:
            if self._in_flight is fetch:
                self._history = self._history.waiter_timed_out()

    def after_fork(self) -> None:
        """The child has none of the parent's threads: a fresh lock, no fetch in flight, no history. What was kept is still good."""
        self._lock = new_lock()
        self._in_flight = None
        self._history = self._no_history
        self._failure = None

    def is_void(self, fetch: F) -> bool:
        """Tell whether the result of a fetch is not wanted any more."""
        return fetch.number <= self._void

    # --- what a subclass supplies ---

    @abstractmethod
    def _fetch(self, fetch: F) -> R | None:
        """Make the fetch, on its own thread. None if it is not needed any more. Raises `FetchError` if it failed."""

    @abstractmethod
    def _keep(self, fetch: F, result: R) -> Callable[[], None]:
        """Keep a result. Called under the lock: assignments only. Returns what reports it, which is called after the lock is released."""

    @abstractmethod
    def _ended_early(self, problem: EarlyEnd) -> E:
        """The failure of a fetch that ended without a result or an error."""

    @abstractmethod
    def _backoff(self, failure: E, failures: int) -> tuple[float, float]:
        """Seconds: the back-off after a failure that so many others came before, and what its `Retry-After` asks for, or 0."""

    @abstractmethod
    def _report_failure(self, fetch: F, failure: E, history: H) -> None:
        """Report a failure."""

    def _count_failure(self, fetch: F, *, is_overdue: bool) -> None:
        """Add to the history what else a failure means. Called under the lock."""

    # --- the machine ---

    def _begin(self, fetch: F) -> None:
        self._begun += 1
        fetch.number = self._begun
        fetch.dropped = False
        fetch.stamp(self._clocks)
        fetch.flight = Flight(lambda: self._run(fetch), name=f"{self._name}-{fetch.number}")
        self._history = self._history.started(fetch.began_at)
        self._in_flight = fetch

    def _start(self, fetch: F) -> None:
        try:
            fetch.flight.start()
        except CannotStart:
            self._failed(fetch, self._ended_early("not_started"))

    def _run(self, fetch: F) -> None:
        failure: E | None = self._ended_early("other")
        try:
            result = self._fetch(fetch)
            if result is None:
                self._drop(fetch)
            else:
                self._succeeded(fetch, result)
            failure = None
        except FetchError as error:
            failure = error.failure
        finally:
            if failure is not None:
                self._failed(fetch, failure)

    def _end(self, fetch: F) -> bool:
        if self._in_flight is not fetch:
            return False
        self._in_flight = None
        self._history = self._history.finished()
        return True

    def _succeeded(self, fetch: F, result: R) -> None:
        report = None
        with self._lock:
            self._end(fetch)
            if fetch.number > max(self._kept, self._void):
                self._kept = fetch.number
                self._failure = None
                self._history = self._history.succeeded()
                report = self._keep(fetch, result)
        fetch.flight.finish()
        if report is not None:
            report()

    def _failed(self, fetch: F, failure: E, *, overdue_since: float | None = None) -> None:
        with self._lock:
            counts = self._end(fetch)
            if counts:
                at = self._clocks.ages() if overdue_since is None else overdue_since
                backoff_s, retry_after_s = self._backoff(failure, self._history.failures)
                self._history = self._history.failed(at, backoff_s=backoff_s, retry_after_s=retry_after_s)
                self._failure = failure
                self._count_failure(fetch, is_overdue=overdue_since is not None)
            history = self._history
        fetch.flight.finish()
        if counts:
            self._report_failure(fetch, failure, history)

    def _drop(self, fetch: F) -> None:
        """End a fetch that neither brought anything nor failed. Those who wait look again."""
        with self._lock:
            fetch.dropped = True
            self._end(fetch)
        fetch.flight.finish()

    def _give_up_overdue(self) -> None:
        """Give up a fetch past its age limit. Takes no lock while none is.

        It counts as failed at the end of its time-out, not now: the last call may be hours ago, and a back-off that begins now would
        make the next caller wait for nothing. A fetch that is overdue only because the machine was suspended is no failure, but its
        connection is most likely dead: the next one begins at once.
        """
        fetch = self._in_flight
        if fetch is None or self._clocks.ages() < fetch.began_at + self.timeout_s + GRACE_S:
            return
        if self._clocks.monotonic() >= fetch.began_monotonic + self.timeout_s + GRACE_S:
            self._failed(fetch, self._ended_early("overdue"), overdue_since=fetch.began_at + self.timeout_s)
            return
        self._drop(fetch)
