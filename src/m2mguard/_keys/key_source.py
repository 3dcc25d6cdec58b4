"""Resolves each token's key id to a key set of one issuer: asks the key cache, waits for its fetches, and reports what happened.

What is decided is in `policy`, the state in `key_state`. Readers of a fresh known key take no lock and do not come here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from m2mguard._keys.fetch import Fetched, FetchFailure, KeyFetcher
from m2mguard._keys.key_caching import KeyCaching
from m2mguard._keys.key_fetch_history import KeyFetchHistory, Waiter
from m2mguard._keys.key_set import KeySet
from m2mguard._keys.key_state import KeyFetch, KeyState, KeyStatus, Resolution
from m2mguard._keys.policy import KeyAction, KeyDecision
from m2mguard._keys.snapshot import KeyRequest, Snapshot, servable
from m2mguard.errors import InvalidToken, KeysUnavailable
from m2mguard.events import Event, KeysRefreshed, KeyWithdrawn, RefreshFailed, StaleServed, UnknownKeyThrottled
from m2mguard.net._flight import Flight, Resumable, Wait, after_fork_in_child
from m2mguard.net._runtime import Runtime

if TYPE_CHECKING:
    from m2mguard._keys.key_file import KeyFile, KeyFilePersistence
    from m2mguard._reasons.codes import FetchCause


class KeySource:
    """One issuer's keys, kept fresh. Safe to share between threads, event loops and greenlets, and across `fork`.

    Nothing happens before the first use.

    Args:
        fetcher: makes one fetch.
        issuer: the issuer's URL, for events.
        caching: the numbers.
        runtime: the clocks, and the reporter, which is told what happens on the fetch's thread or the caller's.
        static: keys that never change, so that nothing is ever fetched; default None.
        key_file: where good keys are kept on disk, or None.
    """

    def __init__(
        self,
        *,
        fetcher: KeyFetcher,
        issuer: str,
        caching: KeyCaching,
        runtime: Runtime,
        static: KeySet | None = None,
        key_file: KeyFile | None = None,
    ) -> None:
        self._fetcher = fetcher
        self._issuer = issuer
        self._clocks = runtime.clocks
        self._reporter = runtime.reporter
        self._state: Final = KeyState(
            fetch=self._fetch,
            caching=caching,
            clocks=runtime.clocks,
            on_kept=self._on_kept,
            on_failure=self._on_failure,
            static=static,
        )
        after_fork_in_child(self._state.after_fork)
        self._file: KeyFilePersistence | None = None
        if key_file is not None:
            from m2mguard._keys.key_file import KeyFilePersistence

            self._file = KeyFilePersistence(key_file, self._state, issuer=issuer, runtime=runtime)

    def fresh_keys(self, now: float) -> KeySet | None:
        """The key set if nothing needs to be decided, else None. Takes no lock."""
        snapshot = self._state.snapshot
        return snapshot.keys if snapshot is not None and now < snapshot.refresh_at else None

    def key_set_for(self, request: KeyRequest, since: float | None = None, *, again: bool = False) -> Resumable[KeySet]:
        """Resumable work that ends with a servable key set that has a key for the token.

        Args:
            request: what the token says about its key.
            since: when its sender came, on the clock for ages: all waits share one bound from then on. Default: now.
            again: whether it has asked since then, so that a fetch that began later has answered it already. Default False.

        Raises:
            InvalidToken: `unknown_key`: the issuer has no such key.
            KeysUnavailable: the issuer cannot be asked, and we cannot tell.
        """
        since = self._clocks.ages() if since is None else since
        resolution = self._state.resolve(request, Waiter(since=since, timed_out=False) if again else None)
        while resolution.wait_for is not None:
            fetch = resolution.wait_for
            finished = yield Wait(fetch.flight, max(0.0, resolution.decision.wait_until - self._clocks.ages()))
            if not finished:
                self._state.waiter_timed_out(fetch)
            waiter = None if fetch.dropped else Waiter(since=since, timed_out=not finished)
            resolution = self._state.resolve(request, waiter)
        return self._outcome(resolution)

    def warm_up(self) -> Flight | None:
        """Start a fetch, or join the one in flight, and return its flight; None if the keys are fresh or never change."""
        fetch = self._state.join_or_start_fetch()
        return None if fetch is None else fetch.flight

    def refresh(self) -> Flight | None:
        """Start a fetch that sees whatever the issuer has changed before, and return its flight; None for keys that never change."""
        fetch = self._state.start_fetch()
        return None if fetch is None else fetch.flight

    def fetch_if_unusable(self) -> None:
        """Start a fetch in the background if tokens cannot be checked now and the issuer may be asked. Never waits."""
        self._state.fetch_if_unusable()

    def purge(self) -> None:
        """Forget the keys now, on disk as well, and whatever a fetch in flight may bring. Configured keys stay."""
        self._state.purge()  # first: what a fetch in flight saves from now on, it removes itself
        if self._file is not None:
            self._file.purge()

    def status(self) -> KeyStatus:
        """The state at this moment. No I/O."""
        return self._state.status()

    def _outcome(self, resolution: Resolution) -> KeySet:
        decision, snapshot = resolution.decision, resolution.snapshot
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
        failure = self._state.status().last_failure
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

    def _fetch(self, fetch: KeyFetch) -> Fetched | None:
        """Make a fetch, on its own thread; None if the key file has what callers wait for."""
        if self._file is not None and self._file.load(fetch):
            return None
        known, failed_since = self._state.last_fetched
        return self._fetcher.fetch(
            known, failed_since=failed_since, wanted=fetch.request, on_request=fetch.count_request
        )

    def _on_kept(self, fetch: KeyFetch, fetched: Fetched, before: KeySet | None) -> None:
        for event in diff_events(self._issuer, fetch.cause, before, fetched):
            self._reporter.emit(event)
        if self._file is not None:
            self._file.save(fetch, fetched)

    def _on_failure(self, fetch: KeyFetch, failure: FetchFailure, history: KeyFetchHistory) -> None:
        snapshot, now = self._state.status().snapshot, self._clocks.ages()
        self._reporter.emit(
            RefreshFailed(
                issuer=self._issuer,
                cause=fetch.cause,
                problem=failure.problem,
                error=failure.detail,
                failures=history.failures,
                retry_in_s=max(0.0, history.retry_at - now),
                remaining_s=0.0 if snapshot is None else max(0.0, snapshot.stale_until - now),
            )
        )


def diff_events(issuer: str, cause: FetchCause, before: KeySet | None, fetched: Fetched) -> Iterator[Event]:
    """Tell that keys were fetched, which are new and which are gone, and each key that is not trusted any more.

    Keys are compared by thumbprint: the same key id with other key material is one key gone and one new.

    Args:
        issuer: the issuer's URL.
        cause: why they were fetched.
        before: the keys until now, or None.
        fetched: the keys from now on.
    """
    old = {} if before is None else _by_thumbprint(before)
    new = _by_thumbprint(fetched.keys)
    gone = {thumbprint: kid for thumbprint, kid in old.items() if thumbprint not in new}
    yield KeysRefreshed(
        issuer=issuer,
        cause=cause,
        key_ids=tuple(new.values()),
        added=tuple(kid for thumbprint, kid in new.items() if thumbprint not in old),
        removed=tuple(gone.values()),
        skipped=fetched.keys.skipped,
        not_modified=fetched.not_modified,
    )
    for thumbprint, kid in gone.items():
        yield KeyWithdrawn(issuer=issuer, key_id=kid, thumbprint=thumbprint)


def _by_thumbprint(keys: KeySet) -> dict[str, str]:
    return {key.thumbprint: key.kid or "" for key in keys.keys}
