"""Keeps one ledger's keys in its key-set file: when it is read, written and removed. What goes wrong with it is reported, never raised.

All of it is done on a flight's thread: a request or an event loop never waits for a disk.
"""

from __future__ import annotations

from m2mguard._clocks import Clocks
from m2mguard._keys.fetch import Fetched
from m2mguard._keys.key_file import KeyFile, KeyFileUnusable
from m2mguard._keys.key_state import KeyState
from m2mguard._keys.rulings import Attempt
from m2mguard._reporting.reporter import Reporter
from m2mguard.events import KeyFileRejected, KeysLoadedFromFile
from m2mguard.net._flight import CannotStart, Flight


class KeyFilePersistence:
    """The key-set file of one key source. Safe to share as the source is.

    Args:
        file: where the keys are kept.
        ledger: whose keys they are.
        issuer: the issuer's URL, for events.
        clocks: what the time is.
        reporter: told what was read, and what went wrong.
    """

    def __init__(self, *, file: KeyFile, ledger: KeyState, issuer: str, clocks: Clocks, reporter: Reporter) -> None:
        self._file = file
        self._ledger = ledger
        self._issuer = issuer
        self._clocks = clocks
        self._reporter = reporter
        self._purged = False  # once keys were withdrawn by hand, none are taken from the file any more

    def recall(self, attempt: Attempt) -> None:
        """Take keys from the file where there are none. An attempt that callers wait for has then ended. Blocks on the disk."""
        if self._purged or self._ledger.snapshot is not None:
            return
        try:
            found = self._file.load()
        except KeyFileUnusable as error:
            self._ignore(error)
            return
        if found is not None:
            keys, age_s = found
            if self._ledger.recall(attempt, keys, age_s=age_s):
                self._reporter.emit(
                    KeysLoadedFromFile(
                        issuer=self._issuer, key_ids=tuple(key.kid or "" for key in keys.keys), age_s=age_s
                    )
                )

    def save(self, attempt: Attempt, fetched: Fetched) -> None:
        """Keep what an attempt has brought, unless a purge came in between. Blocks on the disk.

        A purge first makes attempts void and then removes the file. So either we see here that ours is void, or the file
        that we have written is removed after us.
        """
        try:
            if self._ledger.is_void(attempt):
                return
            self._file.save(fetched.document, age_s=self._clocks.ages() - attempt.began_at)
            if self._ledger.is_void(attempt):
                self._file.forget()
        except KeyFileUnusable as error:
            self._ignore(error)

    def purge(self) -> None:
        """Remove the file, in the background. The ledger must be purged already."""
        self._purged = True
        try:
            Flight(self._forget, name="m2mguard-keys-purge").launch()
        except CannotStart as error:
            self._ignore(error)

    def _forget(self) -> None:
        try:
            self._file.forget()
        except KeyFileUnusable as error:
            self._ignore(error)

    def _ignore(self, error: Exception) -> None:
        self._reporter.emit(KeyFileRejected(issuer=self._issuer, error=str(error)))
