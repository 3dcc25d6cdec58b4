"""One shared piece of I/O for any number of callers: one daemon thread does it, sync and async callers wait for it with a bound.

The owner decides what is fetched and kept. A waiter that gives up or is cancelled ends its own wait only.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Generator
from types import GeneratorType
from typing import Any, NamedTuple, TypeVar, overload

from m2mguard.net._event_loops import Waiters, current_event_loop, waiters_on

T = TypeVar("T")


class CannotStart(Exception):
    """No thread can be started: the process is at its limit, or shutting down."""


class Flight:
    """One piece of I/O in flight. Safe to share between threads, asyncio and trio loops, and greenlets.

    Args:
        work: does the I/O and keeps what it brought; it must not raise. Runs once, on a daemon thread of its own.
        name: the thread's name.
    """

    __slots__ = ("__weakref__", "_finished", "_lock", "_name", "_waiters", "_work")

    def __init__(self, work: Callable[[], None], *, name: str) -> None:
        self._work = work
        self._name = name
        self._lock = threading.Lock()
        self._finished = threading.Event()
        self._waiters: dict[Any, Waiters] = {}  # by event loop

    def start(self) -> None:
        """Start the thread.

        Raises:
            CannotStart: no thread can be started. The work is not done, since here it might block an event loop; all waiters are woken.
        """
        try:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError:
            self.finish()
            raise CannotStart("no thread can be started for the fetch") from None

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self.finish()

    def finish(self) -> None:
        """End it, and wake all waiters. The work may call this before it returns. Idempotent."""
        with self._lock:
            self._finished.set()
            waiters, self._waiters = self._waiters, {}
        for waiting in waiters.values():
            waiting.wake()

    def wait(self, timeout_s: float) -> bool:
        """Block until it has finished, at most `timeout_s` seconds. Tells whether it has."""
        return self._finished.wait(timeout_s)

    async def wait_async(self, timeout_s: float) -> bool:
        """Await its end on asyncio or trio, at most `timeout_s` seconds, without a thread. Tells whether it has finished.

        Nothing is imported on the event loop. Waiters of one loop share one call into it; each may time out or be cancelled alone.
        """
        loop = current_event_loop()
        with self._lock:
            if self._finished.is_set():
                return True
            waiters = self._waiters.get(loop)
            if waiters is None:
                waiters = self._waiters[loop] = waiters_on(loop)
        await waiters.wait(timeout_s)
        return self._finished.is_set()


class Wait(NamedTuple):
    """A wait of resumable work: until a flight has finished, or `timeout_s` seconds are over."""

    flight: Flight
    timeout_s: float


Resumable = Generator[Wait, bool, T]
"""Work that is pure CPU except for its waits: it yields each `Wait`, is sent whether the flight finished, and returns its result."""


@overload
def run_sync(work: Resumable[T]) -> T: ...
@overload
def run_sync(work: T | Resumable[T]) -> T: ...
def run_sync(work: object) -> object:
    """The result of resumable work, blocking the thread at each wait; a ready result is returned as it is."""
    if not isinstance(work, GeneratorType):
        return work
    try:
        wait = next(work)
        while True:
            wait = work.send(wait.flight.wait(wait.timeout_s))
    except StopIteration as end:
        return end.value


@overload
async def run_async(work: Resumable[T]) -> T: ...
@overload
async def run_async(work: T | Resumable[T]) -> T: ...
async def run_async(work: object) -> object:
    """The result of resumable work, awaiting at each wait; a ready result is returned as it is."""
    if not isinstance(work, GeneratorType):
        return work
    try:
        wait = next(work)
        while True:
            wait = work.send(await wait.flight.wait_async(wait.timeout_s))
    except StopIteration as end:
        return end.value


def new_lock() -> threading.Lock:
    """Create a lock. Only `net` may import `threading`."""
    return threading.Lock()


def after_fork_in_child(method: Callable[[], None]) -> None:
    """Call a bound method in every child process after `fork`, while its object exists.

    `os.register_at_fork` cannot be undone, so some hundred bytes stay for each dead object. Such objects are few in a process.
    """
    reference = weakref.WeakMethod(method)

    def reset() -> None:
        live = reference()
        if live is not None:
            live()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=reset)
