"""Looks at something again and again, on a daemon thread of its own: what must be known before a request asks for it."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import Final

from m2mguard.net._flight import CannotStart, Flight, after_fork_in_child

LONGEST_PIECE_S: Final = 1.0


class Watcher:
    """Calls `look` again and again, with pauses. The thread ends when it is closed, or when the owner of `look` is gone.

    Safe to share between threads. In a forked process it is not running, until it is started there.

    Args:
        look: a bound method, called on the thread. It must not raise.
        pause: a bound method of the same owner that waits for as many seconds, and tells whether there is reason to look earlier.
        pause_s: seconds from one call to the next.
        name: of the thread.

    Attributes:
        has_looked: whether it has looked once, in this process.
        first_look: finished as soon as it has.
    """

    def __init__(
        self,
        look: Callable[[], object],
        *,
        pause: Callable[[float], bool],
        pause_s: float,
        name: str,
    ) -> None:
        self._look = weakref.WeakMethod(look)
        self._pause = weakref.WeakMethod(pause)
        self._pause_s = pause_s
        self._name = name
        self._reset()
        after_fork_in_child(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._runs = False
        self.has_looked: bool = False
        self.first_look: Flight = Flight(lambda: None, name="never started: the watching thread finishes it")

    def start(self) -> bool:
        """Start the thread, unless it is running. Tells whether it runs now; where none can be started, the next call tries again."""
        with self._lock:
            if self._runs or self._closing.is_set():
                return self._runs
            self._runs = True
        try:
            Flight(self._run, name=self._name).start()
        except CannotStart:
            self._runs = False
        return self._runs

    def close(self) -> None:
        """End the thread. It may still be looking, or in its pause, when this returns."""
        self._closing.set()

    def rest(self, seconds: float) -> None:
        """Wait until it is closed, and no longer than that."""
        self._closing.wait(seconds)

    def _run(self) -> None:
        while not self._closing.is_set() and (look := self._look()) is not None:
            look()
            del look  # or its owner would stay as long as the pause
            self.has_looked = True
            self.first_look.finish()
            self._wait()
        self._runs = False
        self.first_look.finish()

    def _wait(self) -> None:
        """Wait for the pause, in pieces, so that the end of the owner is noticed."""
        until = time.monotonic() + self._pause_s
        while not self._closing.is_set() and (left_s := until - time.monotonic()) > 0:
            pause = self._pause()
            if pause is None or pause(min(left_s, LONGEST_PIECE_S)):
                return
            del pause  # as above
