"""A block list that all processes of a fleet share."""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import time
from typing import Final, NamedTuple

from m2mguard._validation import number, text
from m2mguard.blocklist._items import Items, blocks_of, has_all, merge
from m2mguard.blocklist._sealed import checked_key
from m2mguard.blocklist._shared_list import SharedDocument, SharedList, Unusable
from m2mguard.blocklist._watched import Blocklist, Reading, Unreadable
from m2mguard.net._batches import NoAnswer
from m2mguard.net._flight import after_fork_in_child
from m2mguard.net._valkey import ValkeyServer

PREFIX: Final = "m2mguard:block:"


class _Known(NamedTuple):
    """What a process knows: what is in force, the greatest version of it, and the mark of the server's list if that is the same."""

    items: Items
    version: int
    mark: bytes | None


class ValkeyBlocklist(Blocklist):
    """A block list in a Valkey server, for all processes of a fleet. Needs the extra `valkey`.

    A change is known everywhere within milliseconds by a message, and within `interval` without it. The list is sealed by `key`, so that
    write access to the server is not the power to block or to unblock. What the server has lost, the processes write back. A server that is
    down, slow, emptied or set back changes no verdict and delays no request.

    Each process leaves a notice of the version that it holds, for `m2mguard block status`.

    Args:
        url: "valkeys://user:password@valkey.internal:6379/0" (TLS), "valkey://..." or "unix:///path?db=0". The repr leaves the
            password out.
        key: at least 32 secret bytes, the same in each process and for `m2mguard block`. The repr leaves it out.
        interval: seconds between two looks at the server, 0.1 to 60, default 1.
        required: answer 503 to readiness probes until the list was read once, default False.
        timeout: of a look, 0.01 to 10 seconds, default 0.5. No request waits for it, but the first of a process.
        prefix: what the names of our keys in the server begin with, default "m2mguard:block:". Fleets that share a server need their own.

    Raises:
        ConfigurationError: an invalid value, or `valkey` is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        key: bytes,
        interval: float = 1,
        required: bool = False,
        timeout: float = 0.5,
        prefix: str = PREFIX,
    ) -> None:
        number("timeout", timeout, least=0.01, most=10)
        server = ValkeyServer(url, timeout_s=timeout)
        self._shared = SharedList(server, checked_key(key), text("prefix", prefix))
        self._known: _Known | None = None
        self._new_process()
        after_fork_in_child(self._new_process)
        super().__init__(interval=interval, required=required, name="blocked-valkey")

    def _new_process(self) -> None:
        """A child may be forked between the moment in which a list is known and that in which it is in force: it reads it again."""
        self._process = secrets.token_hex(8)
        if self._known is not None:
            self._known = self._known._replace(mark=None)

    def _read(self) -> Reading:
        try:
            return self._read_shared()
        except NoAnswer as error:
            raise Unreadable("blocklist_unreadable", str(error)) from None

    def _read_shared(self) -> Reading:
        known = self._known
        mark = self._shared.look(self._notice())
        if known is not None and mark is not None and mark == known.mark:
            return Reading(None, [])
        try:
            found = self._shared.read()
        except Unusable as error:
            raise Unreadable("blocklist_unusable", str(error)) from None
        if known is None or (found is not None and has_all(found.items, known.items, time.time())):
            return self._know(found)
        return self._write_back(known, found)

    def _know(self, document: SharedDocument | None) -> Reading:
        """Go by the list of the server."""
        if document is None:
            return Reading([], [])  # nobody has ever blocked anything
        self._known = _Known(document.items, document.version, document.mark)
        with contextlib.suppress(NoAnswer):  # the next look tells it
            self._shared.look(self._notice())
        return Reading(blocks_of(document.items), [], document.version)

    def _write_back(self, known: _Known, found: SharedDocument | None) -> Reading:
        """Give the server what it has lost, and take what it has. Of many processes that do so at once, one succeeds."""
        items = merge(known.items, {} if found is None else found.items, time.time())
        version = max(known.version, 0 if found is None else found.version) + 1
        self._known = _Known(items, known.version, None)  # in force from now on, whatever becomes of the server
        with contextlib.suppress(NoAnswer):
            written = self._shared.write(items, version, over=found)
            if written is not None:
                self._know(written)
        lost = "has lost the list" if found is None else "has another list that lacks entries"
        problem = Unreadable("blocklist_set_back", f"the server {lost}; what this process holds is written back")
        return Reading(blocks_of(items), [], self._known.version, problem)

    def _notice(self) -> dict[str, object]:
        failure = self._failure
        return {
            "process": self._process,
            "host": platform.node(),
            "pid": os.getpid(),
            "version": None if self._known is None else self._known.version,
            "error": None if failure is None else str(failure),
        }

    def _pause(self, seconds: float) -> bool:
        """Wait for a message that the list has changed; without a server as long as without a message."""
        until = time.monotonic() + seconds
        try:
            return self._shared.server.wait_for_message(self._shared.channel, seconds)
        except NoAnswer:
            return super()._pause(max(0.0, until - time.monotonic()))

    def __repr__(self) -> str:
        return f"ValkeyBlocklist({self._shared.server.shown!r})"


def shared_list_of(blocklist: ValkeyBlocklist) -> SharedList:
    """The list itself, for commands that change it."""
    return blocklist._shared  # noqa: SLF001 - of this module
