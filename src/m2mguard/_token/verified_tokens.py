"""The cache of verified tokens, by the SHA-256 of the whole token; bounded in entries and bytes. Only good verdicts enter.

`get` takes no lock and never waits: it only appends a note of the use. `put` applies the notes under the lock, which is given from
outside, since nothing in this package starts threads.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from m2mguard._token.claims import Verdict
from m2mguard._token.jws import Header

_ENTRY_BYTES = 850  # all but the claims: a Caller, its tuples, the cache's own lists; as measured
_VALUE_BYTES = 85  # a string or number without its characters, and its place in a dict
_CONTAINER_BYTES = 75  # what an object or array takes more than that, without its members
_BACKSLASH, _OPENING_BRACKET = b"\\["


class CachedVerdict:
    """A good verdict, and its place in the order of use.

    Attributes:
        verdict: the Caller, and from when until when it is valid.
        size_bytes: what it takes in memory.
        used_s: when it was used last.
        noted: whether that use is already noted.
    """

    __slots__ = ("digest", "noted", "size_bytes", "used_s", "verdict")

    def __init__(self, verdict: Verdict, digest: bytes, size_bytes: int) -> None:
        self.verdict: Verdict = verdict
        self.digest: bytes = digest
        self.size_bytes: int = size_bytes
        self.used_s: float = -math.inf
        self.noted: bool = False


class CacheEntry(CachedVerdict):
    """A good verdict about a JWT, and what it depends on.

    Attributes:
        header: the token's header, by which its key was found.
        key_identity: the identity of the key that signed the token, for the token's algorithm.
        key_ids: what an operator may name that key by.
    """

    __slots__ = ("header", "key_identity", "key_ids")

    def __init__(
        self,
        verdict: Verdict,
        header: Header,
        key_identity: str,
        digest: bytes,
        size_bytes: int,
        key_ids: tuple[str | None, ...] = (),
    ) -> None:
        super().__init__(verdict, digest, size_bytes)
        self.header: Header = header
        self.key_identity: str = key_identity
        self.key_ids: tuple[str | None, ...] = key_ids


E = TypeVar("E", bound=CachedVerdict)


class _Entries(OrderedDict[bytes, E]):
    """Verdicts by digest, least recently used first; a missing one is None.

    They are looked up as `entries[digest]`: where threads run at once, a dict's `get` may wait for those that look, too.
    """

    __slots__ = ()

    def __missing__(self, digest: bytes) -> None:
        return None


class VerifiedTokenCache(Generic[E]):
    """Good verdicts by the SHA-256 of the whole token, least recently used out first.

    Safe to share between threads and tasks; `get` takes no lock.

    Args:
        max_entries: the number of tokens; 0 keeps none.
        max_bytes: the memory that they may take.
        lock: guards changes; never held across I/O.
    """

    __slots__ = ("_entries", "_lock", "_max_bytes", "_max_entries", "_size_bytes", "_used")

    def __init__(self, *, max_entries: int, max_bytes: int, lock: AbstractContextManager[object]) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._lock = lock
        self._entries: _Entries[E] = _Entries()
        self._size_bytes = 0
        self._used: deque[E] = deque()  # at most one note per entry; appending needs no lock

    def get(self, digest: bytes, now_s: float) -> E | None:
        """Look a token up. The caller must still check time and key; `now_s` is on the monotonic clock."""
        found: E | None = self._entries[digest]
        if found is not None:
            found.used_s = now_s
            if not found.noted:
                found.noted = True
                self._used.append(found)
        return found

    def put(self, entry: E) -> None:
        """Keep a good verdict. The least recently used ones make room."""
        if not self._max_entries or entry.size_bytes > self._max_bytes:
            return
        with self._lock:
            if self._used:
                self._apply_notes()
            entries = self._entries
            replaced = entries.pop(entry.digest, None)
            if replaced is not None:
                self._size_bytes -= replaced.size_bytes
            room_bytes = self._max_bytes - entry.size_bytes
            while len(entries) >= self._max_entries or self._size_bytes > room_bytes:  # first: readers take no lock
                self._size_bytes -= entries.popitem(last=False)[1].size_bytes
            entries[entry.digest] = entry
            self._size_bytes += entry.size_bytes

    def _apply_notes(self) -> None:
        """Bring the order of use up to date. The lock is held; readers may still append notes."""
        used = []
        while self._used:
            used.append(self._used.popleft())
            used[-1].noted = False
        for entry in sorted(used, key=_last_used):
            if self._entries[entry.digest] is entry:
                self._entries.move_to_end(entry.digest)

    def __len__(self) -> int:
        return len(self._entries)


def _last_used(entry: CachedVerdict) -> float:
    return entry.used_s


def size_of(payload: bytes) -> int:
    """An upper estimate of the memory that a token's Caller takes, in bytes, from the shape of its JSON.

    One byte per character, or four if any is outside ASCII, plus a fixed cost per name, value and container.
    """
    width = 1 if payload.isascii() and _BACKSLASH not in payload else 4  # "\\u2603" is such a character, too
    commas = payload.count(b",")
    if payload.rfind(b"{") or _OPENING_BRACKET in payload:
        containers = payload.count(b"{") + payload.count(b"[")
        values = commas + payload.count(b":") + containers
    else:  # as nearly always: one object with nothing in it but names and plain values
        containers, values = 1, 2 * commas + 2
    return _ENTRY_BYTES + width * len(payload) + _VALUE_BYTES * values + _CONTAINER_BYTES * containers
