"""A block list in Valkey: one sealed document, and a short notice of each process that holds it.

Anyone who can write to the store can neither block nor unblock with that: a document that is not sealed by our key is not used, and what
one lacks that a process holds is written back by the process. Blocks; for the list's thread and for commands.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from m2mguard._token.strict_json import NotStrictJson, parse_object
from m2mguard.blocklist._block import Block, UnusableBlock
from m2mguard.blocklist._items import Items, blocks_of, changed, items_document, items_from
from m2mguard.blocklist._sealed import MAC_CHARACTERS, NotSealed, seal, unseal
from m2mguard.net._batches import NoAnswer
from m2mguard.net._valkey import ValkeyServer

NOTICE_LIFETIME_S: Final = 120
# Answers 1 if it has replaced what was there, which must be what was read.
_REPLACE: Final = """
local held = redis.call('HGET', KEYS[1], 'sealed')
if (held or '') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'mark', ARGV[2], 'sealed', ARGV[3])
redis.call('PUBLISH', KEYS[2], ARGV[2])
return 1
"""


class Unusable(Exception):
    """What is in the store is no list of ours. The text says why."""


class SharedDocument(NamedTuple):
    """A list as it is in the store.

    Attributes:
        version: grows with each change.
        sealed: the document with its MAC.
        items: what it says.
    """

    version: int
    sealed: bytes
    items: Items

    @property
    def mark(self) -> bytes:
        """What tells it from every other document."""
        return self.sealed[:MAC_CHARACTERS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one process says of itself.

    Attributes:
        process: a random id.
        host, pid: where it runs.
        version: of the list that it holds; None for none.
        error: why it could not read the list; None where it could.
        age_s: seconds since it said so, by the store's clock.
    """

    process: str
    host: str
    pid: int
    version: int | None
    error: str | None
    age_s: float


class SharedList:
    """The list of one name in one store. Safe to share between threads, and across `fork`.

    Args:
        server: the store.
        key: the secret key.
        prefix: what the names of our keys begin with.
    """

    def __init__(self, server: ValkeyServer, key: bytes, prefix: str) -> None:
        self.server: ValkeyServer = server
        self._key = key
        self._prefix = prefix
        self._list = f"{prefix}list"
        self.channel: str = f"{prefix}changed"
        self._purpose = f"block list {prefix}"

    def look(self, notice: dict[str, object]) -> bytes | None:
        """Leave a notice, and return the mark of the list in the store; None if it has none. Not authenticated: a hint.

        Raises:
            NoAnswer: the store gives none.
        """
        sealed = seal(self._key, f"{self._purpose} notice", json.dumps(notice).encode("ascii"))
        name = f"{self._prefix}process:{notice['process']}"
        mark, said = self.server.send([("HGET", self._list, "mark"), ("SET", name, sealed, "EX", NOTICE_LIFETIME_S)])
        for answer in (mark, said):
            if isinstance(answer, Exception) and not getattr(answer, "is_full", False):
                raise answer
        return mark if isinstance(mark, bytes) else None

    def read(self) -> SharedDocument | None:
        """The list; None if there is none.

        Raises:
            NoAnswer: the store gives none.
            Unusable: it is not sealed by our key, or no list.
        """
        (sealed,) = self.server.send([("HGET", self._list, "sealed")])
        if isinstance(sealed, Exception):
            raise sealed
        return None if sealed is None else self.opened(sealed)

    def opened(self, sealed: bytes) -> SharedDocument:
        """The list in a sealed document. Pure. Raises Unusable."""
        try:
            version, items = items_from(unseal(self._key, self._purpose, sealed))
        except NotSealed:
            raise Unusable("its seal is not that of our key: somebody else has written it, or keys differ") from None
        except UnusableBlock as error:
            raise Unusable(str(error)) from None
        return SharedDocument(version, sealed, items)

    def write(self, items: Items, version: int, *, over: SharedDocument | None) -> SharedDocument | None:
        """Replace the list by another one, if it still is what was read. Returns what was written, or None. Raises NoAnswer."""
        sealed = seal(self._key, self._purpose, items_document(items, version))
        document = SharedDocument(version, sealed, items)
        held = b"" if over is None else over.sealed
        (answer,) = self.server.send([("EVAL", _REPLACE, 2, self._list, self.channel, held, document.mark, sealed)])
        if isinstance(answer, Exception):
            raise answer
        return document if answer == 1 else None

    def change(
        self, make: Callable[[list[Block]], Iterable[Block]], *, now: Callable[[], float] = time.time
    ) -> SharedDocument:
        """Read the list, change it, and write it; again if somebody else has written meanwhile.

        Raises:
            NoAnswer: the store gives none, or somebody else writes all the time.
            Unusable: what is there is not ours.
        """
        for _ in range(20):
            found = self.read()
            items = {} if found is None else found.items
            items = changed(items, make(blocks_of(items)), now())
            newest = max((one.version or 0 for one in self.notices()[0]), default=0)
            version = max(newest + 1, 0 if found is None else found.version + 1, int(now() * 1000))
            written = self.write(items, version, over=found)
            if written is not None:
                return written
        raise NoAnswer("somebody else writes the list all the time")

    def notices(self) -> tuple[list[Notice], int]:
        """What processes say of themselves, and how many notices are not sealed by our key. Raises NoAnswer."""
        names = self.server.scan(f"{self._prefix}process:*")
        answers = self.server.send([command for name in names for command in (("GET", name), ("PTTL", name))])
        notices, forged = [], 0
        for sealed, left_ms in zip(answers[::2], answers[1::2], strict=True):
            if sealed is None:
                continue
            try:
                said: Any = parse_object(unseal(self._key, f"{self._purpose} notice", sealed))
                age_s = max(0.0, NOTICE_LIFETIME_S - left_ms / 1000)
                notices.append(Notice(**said, age_s=age_s))
            except (NotSealed, NotStrictJson, TypeError):
                forged += 1
        return notices, forged
