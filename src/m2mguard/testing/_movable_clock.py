"""`MovableClock`: one clock for issuer, API and client, which a test moves. No thread, no lock, and nothing of `time` is replaced."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import datetime, timedelta


class MovableClock:
    """The process's clock, and as far ahead of it or behind it as a test has moved it: `clock.advance(hours=1)`.

    Call it for the time, in seconds since the epoch: `ResourceServer(..., clock=clock)`. It goes on by itself, as any clock does; under
    freezegun and time-machine it stands still where they do. Only what was given this clock sees it move. Any thread may use it.
    """

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead_s  # looked up now: a test may have replaced it

    def advance(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Move the clock forward; a negative number moves it back.

        Raises:
            ValueError: the clock would not move: nothing was given, or the parts add up to zero.
        """
        moved_s = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
        if not moved_s:
            raise ValueError("advance() moves by nothing: give seconds, minutes, hours or days, as in advance(hours=1)")
        self._ahead_s += moved_s

    def move_to(self, moment: datetime | float) -> None:
        """Set the clock.

        Args:
            moment: a datetime with a time zone, or seconds since the epoch.

        Raises:
            ValueError: a datetime without a time zone, which means another moment on each machine.
        """
        if isinstance(moment, datetime):
            if moment.tzinfo is None:
                raise ValueError("the datetime has no time zone; give datetime(..., tzinfo=UTC)")
            moment = moment.timestamp()
        self._ahead_s = moment - time.time()

    @contextlib.contextmanager
    def moved(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0) -> Iterator[None]:
        """Move the clock inside the block only. Arguments and errors as `advance`."""
        before = self._ahead_s
        self.advance(seconds=seconds, minutes=minutes, hours=hours, days=days)
        try:
            yield
        finally:
            self._ahead_s = before
