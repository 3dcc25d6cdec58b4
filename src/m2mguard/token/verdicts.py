"""The verified-token cache: a good verdict, remembered by its token's hash, and forgotten with its key, its time, or the keys' own end.

Only good verdicts enter. A look takes no lock and never waits: it leaves a note of the use, and whoever adds a verdict reads the
notes first. Locks are given from outside, since nothing in this room starts or locks threads of its own.
"""

from __future__ import annotations

import hashlib
from collections import deque
from contextlib import AbstractContextManager
from typing import NamedTuple

from cachetools import Cache, LRUCache

from m2mguard.token.claims import Verdict

_ENTRY_BYTES = 850  # all but the claims: a Caller, its tuples, the cache's own books; as measured
_VALUE_BYTES = 85  # a string or number without its characters, and its place in a dict
_CONTAINER_BYTES = 75  # what an object or array takes more than that, without its members
_TEXT = bytes(set(range(256)) - set(b",:{["))  # what is left without it marks each value, name and container


class Remembered(NamedTuple):
    """A good verdict and what it depends on: the issuer, the key id it was found by, and the identity of the key that signed."""

    verdict: Verdict
    issuer_url: str
    kid: str
    thumbprint: str


class _Entry:
    """A slot of the cache: when it was used last, and whether a note of that already waits to be read."""

    __slots__ = ("noted", "remembered", "size_bytes", "used_s")

    def __init__(self, remembered: Remembered, size_bytes: int, used_s: float) -> None:
        self.remembered = remembered
        self.size_bytes = size_bytes
        self.used_s = used_s
        self.noted = False


class _Slots(LRUCache[bytes, _Entry | None]):
    """The entries in order of use. A missing one is None: a first-seen token should not pay for an exception."""

    def __missing__(self, digest: bytes) -> None:
        return None


def _size_of(entry: _Entry | None) -> int:
    return 0 if entry is None else entry.size_bytes


class VerdictCache:
    """Good verdicts by the SHA-256 of the whole token, least recently used out first.

    Safe to share between threads and tasks; `find` takes no lock.

    Args:
        max_entries: how many tokens at the most; 0 remembers nothing.
        max_bytes: how much memory at the most.
        lock: guards changes; never held across I/O.
    """

    __slots__ = ("_entries", "_lock", "_max_entries", "_used")

    def __init__(self, *, max_entries: int, max_bytes: int, lock: AbstractContextManager[object]) -> None:
        self._max_entries = max_entries
        self._lock = lock
        self._entries = _Slots(max_bytes, getsizeof=_size_of)
        self._used: deque[tuple[bytes, _Entry]] = deque()  # at most one note per entry; appending needs no lock

    @staticmethod
    def digest(token: bytes) -> bytes:
        """The name under which a token is remembered; the token itself is not kept."""
        return hashlib.sha256(token).digest()

    def find(self, digest: bytes, now_s: float) -> Remembered | None:
        """Look a token up. The caller must still check time and key; `now_s` is on the monotonic clock."""
        entry = Cache.__getitem__(self._entries, digest)  # a plain dict's look-up, which changes no order
        if entry is None:
            return None
        entry.used_s = now_s
        if not entry.noted:
            entry.noted = True
            self._used.append((digest, entry))
        return entry.remembered

    def remember(self, digest: bytes, remembered: Remembered, *, size_bytes: int, now_s: float) -> None:
        """Keep a good verdict of that size; what was used least recently makes room."""
        if not self._max_entries or size_bytes > self._entries.maxsize:
            return
        entry = _Entry(remembered, size_bytes, now_s)
        with self._lock:
            if self._used:
                self._read_notes()
            while len(self._entries) >= self._max_entries and digest not in self._entries:
                self._entries.popitem()
            self._entries[digest] = entry

    def _read_notes(self) -> None:
        """Bring the order of use up to date. The lock is held; readers may go on leaving notes."""
        used = []
        while self._used:
            used.append(self._used.popleft())
            used[-1][1].noted = False
        for digest, _ in sorted(used, key=_last_used):
            self._entries.get(digest)

    def __len__(self) -> int:
        return len(self._entries)


def _last_used(note: tuple[bytes, _Entry]) -> float:
    return note[1].used_s


def size_of(payload: bytes) -> int:
    """What remembering the Caller of a token takes in memory, in bytes, told from the shape of its JSON: rather more than less.

    A character takes one byte, or four where any of them is outside ASCII; every name, value and container has its price.
    """
    width = 1 if payload.isascii() and b"\\u" not in payload else 4
    shape = payload.translate(None, delete=_TEXT)
    containers = shape.count(b"{") + shape.count(b"[")
    return _ENTRY_BYTES + width * len(payload) + _VALUE_BYTES * len(shape) + _CONTAINER_BYTES * containers
