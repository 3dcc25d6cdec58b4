"""The verified-token cache: a good verdict, remembered by its token's hash, and forgotten with its key, its time, or the keys' own end.

Only good verdicts enter. A look takes no lock and never waits: it leaves a note of the use, and whoever adds a verdict reads the
notes first. Locks are given from outside, since nothing in this room starts or locks threads of its own.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from contextlib import AbstractContextManager

from m2mguard._token.claims import Verdict
from m2mguard._token.jws import Header

_ENTRY_BYTES = 850  # all but the claims: a Caller, its tuples, the cache's own books; as measured
_VALUE_BYTES = 85  # a string or number without its characters, and its place in a dict
_CONTAINER_BYTES = 75  # what an object or array takes more than that, without its members
_BACKSLASH, _OPENING_BRACKET = b"\\["


class CacheEntry:
    """A good verdict, what it depends on, and its place in the cache's books.

    Attributes:
        verdict: the Caller, and from when until when it holds.
        header: the token's header, by which its key was found.
        key_identity: the identity of the key that signed the token, for the token's algorithm.
        size_bytes: what remembering it takes in memory.
        used_s: when it was used last.
        noted: whether a note of that use already waits to be read.
    """

    __slots__ = ("digest", "header", "key_identity", "noted", "size_bytes", "used_s", "verdict")

    def __init__(self, verdict: Verdict, header: Header, key_identity: str, digest: bytes, size_bytes: int) -> None:
        self.verdict: Verdict = verdict
        self.header: Header = header
        self.key_identity: str = key_identity
        self.digest: bytes = digest
        self.size_bytes: int = size_bytes
        self.used_s: float = -math.inf
        self.noted: bool = False


class _Entries(OrderedDict[bytes, CacheEntry]):
    """Verdicts by digest, least recently used first; a missing one is None.

    They are looked up as `entries[digest]`: where threads run at once, a dict's `get` may wait for those that look, too.
    """

    __slots__ = ()

    def __missing__(self, digest: bytes) -> None:
        return None


class VerifiedTokenCache:
    """Good verdicts by the SHA-256 of the whole token, least recently used out first.

    Safe to share between threads and tasks; `find` takes no lock.

    Args:
        max_entries: how many tokens at the most; 0 remembers nothing.
        max_bytes: how much memory at the most.
        lock: guards changes; never held across I/O.
    """

    __slots__ = ("_entries", "_lock", "_max_bytes", "_max_entries", "_size_bytes", "_used")

    def __init__(self, *, max_entries: int, max_bytes: int, lock: AbstractContextManager[object]) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._lock = lock
        self._entries = _Entries()
        self._size_bytes = 0
        self._used: deque[CacheEntry] = deque()  # at most one note per entry; appending needs no lock

    def find(self, digest: bytes, now_s: float) -> CacheEntry | None:
        """Look a token up. The caller must still check time and key; `now_s` is on the monotonic clock."""
        found: CacheEntry | None = self._entries[digest]
        if found is not None:
            found.used_s = now_s
            if not found.noted:
                found.noted = True
                self._used.append(found)
        return found

    def remember(self, remembered: CacheEntry) -> None:
        """Keep a good verdict; what was used least recently makes room."""
        if not self._max_entries or remembered.size_bytes > self._max_bytes:
            return
        with self._lock:
            if self._used:
                self._read_notes()
            entries = self._entries
            replaced = entries.pop(remembered.digest, None)
            if replaced is not None:
                self._size_bytes -= replaced.size_bytes
            room_bytes = self._max_bytes - remembered.size_bytes
            while len(entries) >= self._max_entries or self._size_bytes > room_bytes:  # first: readers take no lock
                self._size_bytes -= entries.popitem(last=False)[1].size_bytes
            entries[remembered.digest] = remembered
            self._size_bytes += remembered.size_bytes

    def _read_notes(self) -> None:
        """Bring the order of use up to date. The lock is held; readers may go on leaving notes."""
        used = []
        while self._used:
            used.append(self._used.popleft())
            used[-1].noted = False
        for remembered in sorted(used, key=_last_used):
            if self._entries[remembered.digest] is remembered:
                self._entries.move_to_end(remembered.digest)

    def __len__(self) -> int:
        return len(self._entries)


def _last_used(remembered: CacheEntry) -> float:
    return remembered.used_s


def size_of(payload: bytes) -> int:
    """What remembering the Caller of a token takes in memory, in bytes, told from the shape of its JSON: rather more than less.

    A character takes one byte, or four where any of them is outside ASCII; every name, value and container has its price.
    """
    width = 1 if payload.isascii() and _BACKSLASH not in payload else 4  # "\\u2603" is such a character, too
    commas = payload.count(b",")
    if payload.rfind(b"{") or _OPENING_BRACKET in payload:
        containers = payload.count(b"{") + payload.count(b"[")
        values = commas + payload.count(b":") + containers
    else:
        containers, values = (
            1,
            2 * commas + 2,
        )  # as nearly always: one object with nothing in it but names and plain values
    return _ENTRY_BYTES + width * len(payload) + _VALUE_BYTES * values + _CONTAINER_BYTES * containers
