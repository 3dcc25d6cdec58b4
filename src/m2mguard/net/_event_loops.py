"""Awaits what a thread finishes: on asyncio (uvloop included) and on trio, each with its own primitives.

Neither is imported at module level: code that awaits here has loaded its event loop, and an import on an event loop blocks it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio


class Waiters(Protocol):
    """All waiters of one event loop. `wait` is called on that loop, `wake` on any thread, once."""

    async def wait(self, timeout_s: float) -> None:
        """Return when woken, or after `timeout_s` seconds. A cancelled waiter ends its own wait only."""
        ...

    def wake(self) -> None:
        """End every wait. Does nothing if the event loop has ended."""
        ...


def current_event_loop() -> Any:
    """The asyncio loop or trio token that runs the caller; a key for a dict.

    Trio is asked first: as a guest it runs inside callbacks of an asyncio loop, and says which tasks are its own.

    Raises:
        RuntimeError: neither runs the caller.
    """
    trio = sys.modules.get("trio.lowlevel")
    # no such name in it: another thread is importing trio just now
    if trio is not None and getattr(trio, "in_trio_task", bool)():
        return trio.current_trio_token()
    import asyncio

    return asyncio.get_running_loop()


def waiters_on(loop: Any) -> Waiters:
    """An empty group of waiters for this event loop (`current_event_loop`)."""
    return AsyncioWaiters(loop) if hasattr(loop, "call_soon_threadsafe") else TrioWaiters(loop)


class AsyncioWaiters:
    """One future and one timer per waiter, and no task. Futures are touched on the loop's own thread only."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._futures: set[asyncio.Future[None]] = set()

    async def wait(self, timeout_s: float) -> None:
        """As `Waiters.wait`."""
        future = self._loop.create_future()
        self._futures.add(future)
        timer = self._loop.call_later(timeout_s, _finish, future)
        try:
            await future
        finally:
            timer.cancel()
            self._futures.discard(future)

    def wake(self) -> None:
        """As `Waiters.wake`."""
        try:
            self._loop.call_soon_threadsafe(self._finish_all)
        except RuntimeError:  # the loop is closed
            return

    def _finish_all(self) -> None:
        for future in self._futures:
            _finish(future)


class TrioWaiters:
    """One event for all waiters."""

    def __init__(self, token: Any) -> None:
        self._token = token
        self._trio: Any = sys.modules["trio"]
        self._woken = self._trio.Event()

    async def wait(self, timeout_s: float) -> None:
        """As `Waiters.wait`."""
        with self._trio.move_on_at(self._trio.current_time() + timeout_s):
            await self._woken.wait()

    def wake(self) -> None:
        """As `Waiters.wake`."""
        try:
            self._token.run_sync_soon(self._woken.set)
        except RuntimeError:  # trio.RunFinishedError
            return


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
