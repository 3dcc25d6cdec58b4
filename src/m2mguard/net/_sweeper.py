"""Looks at things on a thread of its own, twice a second, until they are removed: what is open longer than a request and cannot wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

EVERY_S: Final = 0.5
T = TypeVar("T")


class Sweeper(Generic[T]):
    """Calls `look` with each thing that was added. The thread begins with the first thing, and ends after the last.

    Args:
        name: of the thread.
        look: called on the thread. It must not raise.
    """

    def __init__(self, name: str, look: Callable[[T], object]) -> None:
        self._name = name
        self._look = look
        self._lock = threading.Lock()
        self._things: dict[int, T] = {}
        self._thread: threading.Thread | None = None
        self._is_empty = threading.Event()

    def add(self, thing: T) -> None:
        """Look at a thing from now on."""
        with self._lock:
            self._things[id(thing)] = thing
            self._is_empty.clear()
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                thread.start()  # under the lock: until it has begun, another call would start a second one
                self._thread = thread

    def remove(self, thing: T) -> None:
        """Look at a thing no more. Does nothing if that is so already."""
        with self._lock:
            self._things.pop(id(thing), None)
            if not self._things:
                self._is_empty.set()

    def _run(self) -> None:
        while True:
            self._is_empty.wait(EVERY_S)
            with self._lock:
                if not self._things:
                    self._thread = None
                    return
                things = list(self._things.values())
            for thing in things:
                self._look(thing)
