"""Gives each token the keys of one issuer: decides, starts fetches, waits for them, and reports what happened.

What is decided is in `freshness`, the state in `ledger`. Readers of a fresh known key take no lock and do not come here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from m2mguard._clocks import Clocks
from m2mguard._keys.changes import diff_events
from m2mguard._keys.fetch import Fetched, FetchFailed, FetchFailure, KeyFetcher
from m2mguard._keys.fetch_history import FetchHistory, Waiter
from m2mguard._keys.key_caching import KeyCaching
from m2mguard._keys.key_set import KeySet
from m2mguard._keys.key_state import KeyState
from m2mguard._keys.policy import KeyAction, KeyDecision
from m2mguard._keys.rulings import Attempt, KeyStatus, Resolution
from m2mguard._keys.snapshot import KeyRequest, Snapshot, servable
from m2mguard._reasons import FETCH_PROBLEMS
from m2mguard._reporting.reporter import Reporter
from m2mguard.errors import InvalidToken, KeysUnavailable
from m2mguard.events import RefreshFailed, StaleServed, UnknownKeyThrottled
from m2mguard.net._flight import CannotStart, Flight, Resumable, Wait

if TYPE_CHECKING:
    from m2mguard._keys.archive import KeyFilePersistence
    from m2mguard._keys.key_file import KeyFile

_OVERDUE = FetchFailure(problem="overdue", detail=FETCH_PROBLEMS["overdue"].sentence)


class KeySource:
    """One issuer's keys, kept fresh. Safe to share between threads, event loops and greenlets, and across `fork`.

    Nothing happens before the first use.

    Args:
        fetcher: makes one fetch; None for a source whose keys never change.
        issuer: the issuer's URL, for events.
        caching: the numbers.
        clocks: what the time is, and the jitter.
        reporter: told what happens, on the flight's thread or the caller's.
        static: the keys of a source without a fetcher.
        key_file: where good keys are kept on disk, or None.
    """

    def __init__(
        self,
        *,
        fetcher: KeyFetcher | None,
        issuer: str,
        caching: KeyCaching,
        clocks: Clocks,
        reporter: Reporter,
        static: KeySet | None = None,
        key_file: KeyFile | None = None,
    ) -> None:
        self._issuer = issuer
        self._clocks = clocks
        self._reporter = reporter
        self._ledger: Final = KeyState(
            fly=None if fetcher is None else lambda attempt: self._fly(attempt, fetcher),
            caching=caching,
            clocks=clocks,
            static=static,
        )
        self._archive: KeyFilePersistence | None = None
        if key_file is not None:
            from m2mguard._keys.archive import KeyFilePersistence

            self._archive = KeyFilePersistence(
                file=key_file, ledger=self._ledger, issuer=issuer, clocks=clocks, reporter=reporter
            )

    def fresh_keys(self, now: float) -> KeySet | None:
        """The key set, where nothing needs to be decided; None otherwise. Takes no lock."""
        snapshot = self._ledger.snapshot
        return snapshot.keys if snapshot is not None and now < snapshot.refresh_at else None

    def key_set_for(self, request: KeyRequest, since: float | None = None, *, again: bool = False) -> Resumable[KeySet]:
        """Resumable that end with a key set that may be served and has a key for the token.

        Args:
            request: what the token says about its key.
            since: when its sender came, on the clock for ages: all waits share one bound from then on. Default: now.
            again: whether it has asked since then, so that a fetch that began later has answered it already. Default False.

        Raises:
            InvalidToken: `unknown_key`: the issuer has no such key.
            KeysUnavailable: the issuer cannot be asked, and we cannot tell.
        """
        since = self._clocks.ages() if since is None else since
        ruling = self._rule(request, Waiter(since=since, timed_out=False) if again else None)
        while ruling.wait_for is not None:
            attempt = ruling.wait_for
            landed = yield Wait(attempt.flight, max(0.0, ruling.decision.wait_until - self._clocks.ages()))
            if not landed:
                self._ledger.waiter_timed_out(attempt)
            ruling = self._rule(request, None if attempt.recalled else Waiter(since=since, timed_out=not landed))
        return self._outcome(ruling)

    def warm_up(self) -> Flight | None:
        """Start a fetch, or join the one under way, and return its flight; None where the keys are fresh or never change."""
        self._give_up_overdue()
        attempt, begun = self._ledger.join_or_demand()
        if begun:
            self._launch(attempt)
        return None if attempt is None else attempt.flight

    def refresh(self) -> Flight | None:
        """Start a fetch that sees whatever the issuer has changed before, and return its flight; None for keys that never change."""
        attempt = self._ledger.demand()
        self._launch(attempt)
        return None if attempt is None else attempt.flight

    def fetch_if_unusable(self) -> None:
        """Start a fetch in the background if tokens cannot be checked now and the issuer may be asked. Never waits."""
        self._give_up_overdue()
        self._launch(self._ledger.fetch_if_unusable())

    def purge(self) -> None:
        """Forget the keys now, on disk as well, and whatever an attempt under way may bring. Keys that were configured by hand stay."""
        in_flight = self._ledger.purge()  # first: what an attempt in flight saves from now on, it removes itself
        if in_flight is not None:
            in_flight.flight.land()
        if self._archive is not None:
            self._archive.purge()

    def status(self) -> KeyStatus:
        """A look at the source. No I/O."""
        return self._ledger.status()

    def _rule(self, request: KeyRequest, asked: Waiter | None) -> Resolution:
        self._give_up_overdue()
        ruling = self._ledger.rule(request, asked)
        self._launch(ruling.begun)
        return ruling

    def _outcome(self, ruling: Resolution) -> KeySet:
        decision, snapshot = ruling.decision, ruling.snapshot
        if decision.throttled:
            self._reporter.emit(UnknownKeyThrottled(issuer=self._issuer))
        if decision.action is KeyAction.REFUSE:
            raise InvalidToken("unknown_key", claim="kid")
        if snapshot is None or decision.action is KeyAction.UNAVAILABLE:
            raise self._unavailable(decision, snapshot)
        self._report_stale(snapshot)
        return snapshot.keys

    def _unavailable(self, decision: KeyDecision, snapshot: Snapshot | None) -> KeysUnavailable:
        have_keys = snapshot is not None and servable(snapshot, self._clocks.ages())
        failure = self._ledger.status().last_failure
        problem = "throttled" if have_keys and decision.throttled else None if failure is None else failure.problem
        error = KeysUnavailable(
            "key_not_fetched" if have_keys else "keys_unavailable", retry_after=decision.retry_after, problem=problem
        )
        error.issuer = self._issuer
        return error

    def _report_stale(self, snapshot: Snapshot) -> None:
        now = self._clocks.ages()
        if now >= snapshot.expires_at:
            self._reporter.emit(
                StaleServed(
                    issuer=self._issuer,
                    age_s=now - snapshot.fetched_at,
                    remaining_s=max(0.0, snapshot.stale_until - now),
                )
            )

    def _launch(self, attempt: Attempt | None) -> None:
        if attempt is None:
            return
        try:
            attempt.flight.launch()
        except CannotStart as error:
            self._land_failed(attempt, FetchFailure(problem="not_started", detail=str(error)))

    def _fly(self, attempt: Attempt, fetcher: KeyFetcher) -> None:
        """Make the fetch, on the flight's thread, unless the key-set file has what callers wait for."""
        if self._archive is not None:
            self._archive.recall(attempt)
            if attempt.recalled:
                attempt.flight.land()
                return
        known, failed_since = self._ledger.last_fetched
        failure: FetchFailure | None = FetchFailure(problem="other", detail="the fetch broke off")
        try:
            fetched = fetcher.fetch(
                known,
                failed_since=failed_since,
                wanted=attempt.request,
                on_request=attempt.count_request,
            )
            self._land_good(attempt, fetched)
            failure = None
        except FetchFailed as error:
            failure = error.failure
        finally:
            if failure is not None:
                self._land_failed(attempt, failure)

    def _land_good(self, attempt: Attempt, fetched: Fetched) -> None:
        wanted, before = self._ledger.land_good(attempt, fetched)
        attempt.flight.land()
        if wanted:
            for event in diff_events(
                issuer=self._issuer,
                cause=attempt.cause,
                before=before,
                after=fetched.keys,
                not_modified=fetched.not_modified,
            ):
                self._reporter.emit(event)
            if self._archive is not None:
                self._archive.save(attempt, fetched)

    def _land_failed(self, attempt: Attempt, failure: FetchFailure) -> None:
        attempts = self._ledger.land_failed(attempt, failure)
        attempt.flight.land()
        if attempts is not None:
            self._report_failed(attempt, attempts, failure)

    def _give_up_overdue(self) -> None:
        given_up = self._ledger.give_up_overdue(_OVERDUE)
        if given_up is not None:
            attempt, attempts = given_up
            attempt.flight.land()
            self._report_failed(attempt, attempts, _OVERDUE)

    def _report_failed(self, attempt: Attempt, attempts: FetchHistory, failure: FetchFailure) -> None:
        self._reporter.emit(
            RefreshFailed(
                issuer=self._issuer,
                cause=attempt.cause,
                problem=failure.problem,
                error=failure.detail,
                failures=attempts.failures,
                retry_in_s=max(0.0, attempts.retry_at - self._clocks.ages()),
            )
        )
