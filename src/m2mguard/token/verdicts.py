"""The verified-token cache: a token is remembered by its hash, and forgotten with its key, its time, or the keys' own end.

Only good verdicts enter. A look never waits: recency is noted once a second per token, and changes are made under a lock that is
given from outside, since nothing in this room starts or locks threads of its own.
"""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from typing import NamedTuple

from cachetools import Cache, LRUCache

from m2mguard.token.claims import Verdict

RECENCY_STEP_S = 1.0
_ENTRY_OVERHEAD_BYTES = 1_500  # a Caller, its containers and the cache's own two entries, as measured


class Remembered(NamedTuple):
    """A good verdict with what it depends on: the issuer, and the identity of the key that signed; and what it takes to keep."""

    verdict: Verdict
    issuer_url: str
    thumbprint: str
    size_bytes: int


class _Entry:
    """A slot of the cache; `touched_s` is when its recency was last noted."""

    __slots__ = ("remembered", "touched_s")

    def __init__(self, remembered: Remembered, touched_s: float) -> None:
        self.remembered = remembered
        self.touched_s = touched_s


def _size_of(entry: _Entry) -> int:
    return entry.remembered.size_bytes


class VerdictCache:
    """Good verdicts by the SHA-256 of the whole token, least recently used out first.

    Safe to share between threads and tasks; `find` takes no lock except to note recency, once a second per token.

    Args:
        max_entries: how many tokens at the most; 0 remembers nothing.
        max_bytes: how much memory at the most, estimated.
        lock: guards changes; never held across I/O.
    """

    __slots__ = ("_entries", "_lock", "_max_entries")

    def __init__(self, *, max_entries: int, max_bytes: int, lock: AbstractContextManager[object]) -> None:
        self._max_entries = max_entries
        self._lock = lock
        self._entries: LRUCache[bytes, _Entry] = LRUCache(max_bytes, getsizeof=_size_of)

    @staticmethod
    def digest(token: bytes) -> bytes:
        """The name under which a token is remembered; the token itself is not kept."""
        return hashlib.sha256(token).digest()

    def find(self, digest: bytes, now_s: float) -> Remembered | None:
        """Look a token up. The caller must still check time and key; `now_s` is on the monotonic clock."""
        try:
            entry = Cache.__getitem__(self._entries, digest)  # the plain look-up, which changes no order
        except KeyError:
            return None
        if now_s - entry.touched_s >= RECENCY_STEP_S:
            entry.touched_s = now_s
            with self._lock:
                self._entries.get(digest)
        return entry.remembered

    def remember(self, digest: bytes, remembered: Remembered, now_s: float) -> None:
        """Keep a good verdict; what was used least recently makes room."""
        if remembered.size_bytes > self._entries.maxsize:
            return
        with self._lock:
            while len(self._entries) >= self._max_entries and digest not in self._entries:
                self._entries.popitem()
            self._entries[digest] = _Entry(remembered, now_s)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


def size_of(token_characters: int) -> int:
    """Estimate what remembering a token takes in memory: as Python objects, its claims take some times their length."""
    return _ENTRY_OVERHEAD_BYTES + 4 * token_characters
