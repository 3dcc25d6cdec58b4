"""What every block list does: a thread looks at its source, requests look into what was read last, and nobody waits for the source."""

from __future__ import annotations

import time
import weakref
from abc import ABC, abstractmethod
from typing import Final, NamedTuple, Self

from m2mguard._reasons.codes import BlocklistProblem
from m2mguard._reporting.reporter import Reporter
from m2mguard._validation import number
from m2mguard.blocklist._block import Block
from m2mguard.blocklist._index import BlockIndex
from m2mguard.errors import ConfigurationError
from m2mguard.events import BlocklistChanged, BlocklistFailed
from m2mguard.health import BlocklistHealth
from m2mguard.net._flight import Flight
from m2mguard.net._watcher import Watcher

FIRST_WAIT_S: Final = 0.5
"""How long the first requests of a process wait for the list at most."""


class Unreadable(Exception):
    """The source cannot be read, or holds no list. The text is in our own words.

    Attributes:
        problem: the code.
    """

    def __init__(self, problem: BlocklistProblem, description: str) -> None:
        super().__init__(description)
        self.problem: BlocklistProblem = problem


class Reading(NamedTuple):
    """What a look at the source has brought.

    Attributes:
        blocks: the entries; None if they are those that were read last.
        passed_over: why entries of the source are not among them.
        version: of the list, counted by the source; None where it counts none.
        problem: what is wrong with the source, although it was read.
    """

    blocks: list[Block] | None
    passed_over: list[str]
    version: int | None = None
    problem: Unreadable | None = None


class Blocklist(ABC):
    """Tokens, applications, keys and organizations that are refused although their tokens are good. Share one between servers.

    Its thread starts with the first request, and ends when the list is closed or nobody holds it. What was read last stays in force,
    however old it is: a source that cannot be read changes no verdict. Safe to share between threads and event loops, and across `fork`.
    """

    def __init__(self, *, interval: float, required: bool, name: str) -> None:
        number("interval", interval, least=0.1, most=60)
        if not isinstance(required, bool):
            raise ConfigurationError("required must be True or False.")
        self.required: bool = required
        self._index = BlockIndex()
        self._version: int | None = None
        self._read_at: float | None = None
        self._failure: Unreadable | None = None
        self._passed_over: list[str] = []
        self._reporters: weakref.WeakSet[Reporter] = weakref.WeakSet()
        self._watcher = Watcher(self._look, pause=self._pause, pause_s=interval, name=f"m2mguard-{name}")

    @property
    def index(self) -> BlockIndex:
        """What was read last; an empty one before."""
        return self._index

    def begin(self) -> Flight | None:
        """Start the thread, unless it runs in this process, and return what the first requests wait for; None if nobody needs to."""
        if self._watcher.has_looked or not self._watcher.start():
            return None
        return self._watcher.first_look

    def health(self) -> BlocklistHealth:
        """The state at this moment. No I/O."""
        failure = self._failure
        return BlocklistHealth(
            entries=len(self._index.blocks),
            passed_over=len(self._passed_over),
            version=self._version,
            age=None if self._read_at is None else max(0.0, time.monotonic() - self._read_at),
            ready=self._read_at is not None or not self.required,
            last_error=None if failure is None else str(failure),
            last_problem=None if failure is None else failure.problem,
        )

    def tell(self, reporter: Reporter) -> None:
        """Report changes and failures to this reporter, too, as long as somebody else holds it."""
        self._reporters.add(reporter)

    def close(self) -> None:
        """End the thread. What was read stays in force."""
        self._watcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def _read(self) -> Reading:
        """Look at the source. Blocks, on the list's thread only. Raises Unreadable."""

    def _pause(self, seconds: float) -> bool:
        """Wait, and tell whether there is reason to look before the interval is over."""
        self._watcher.rest(seconds)
        return False

    def _look(self) -> None:
        try:
            reading = self._read()
        except Unreadable as error:
            self._fail(error)
            return
        except Exception as error:  # noqa: BLE001 - the thread must go on, and say what is wrong
            self._fail(Unreadable("blocklist_unreadable", type(error).__name__))
            return
        is_first = self._read_at is None
        self._failure, self._read_at = None, time.monotonic()
        if reading.blocks is None:
            return
        if reading.problem is not None:
            self._emit_failure(reading.problem)
        before = set(self._index.blocks)
        blocks = reading.blocks
        if reading.passed_over:  # one of them may be what blocks somebody today
            blocks = [*blocks, *(before - set(blocks))]
        self._index, self._version, self._passed_over = BlockIndex(blocks), reading.version, reading.passed_over
        now = set(blocks)
        if is_first or now != before:
            self._emit_change(len(now - before), len(before - now))
        for text in reading.passed_over[:8]:
            self._emit_failure(Unreadable("blocklist_entry", text))

    def _fail(self, error: Unreadable) -> None:
        self._failure = error
        self._emit_failure(error)

    def _emit_change(self, added: int, removed: int) -> None:
        event = BlocklistChanged(added=added, removed=removed, entries=len(self._index.blocks), version=self._version)
        for reporter in list(self._reporters):
            reporter.emit(event)

    def _emit_failure(self, error: Unreadable) -> None:
        age_s = None if self._read_at is None else time.monotonic() - self._read_at
        event = BlocklistFailed(problem=error.problem, error=str(error), entries=len(self._index.blocks), age_s=age_s)
        for reporter in list(self._reporters):
            reporter.emit(event)
