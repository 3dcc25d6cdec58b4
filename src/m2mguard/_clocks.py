"""The two clocks of a server or client: the wall clock for times in tokens, and one for ages, which a suspended machine does not stop.

No lock, no thread and no I/O. Neither clock is kept as a function of `time`: it is looked up at every call, so that a test may replace it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from m2mguard.errors import ConfigurationError

Clock = Callable[[], float]
JUMP_S = 1.0  # clocks that drift apart by less have not jumped


class AgeClock:
    """Seconds that only ever go forward: by the monotonic clock, and also by what the wall clock has jumped ahead of it.

    CLOCK_MONOTONIC stops while a machine is suspended or a container is frozen; the wall clock does not. A wall clock that steps back
    changes nothing here, nor do two clocks that step back together, as at the end of a test that had set them ahead. Safe to share
    between threads, without a lock.

    Args:
        monotonic: gives seconds on a clock that never steps.
        wall: gives seconds since the epoch.
    """

    __slots__ = ("_latest", "_monotonic", "_seen", "_wall")

    def __init__(self, monotonic: Clock, wall: Clock) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._seen = (wall() - monotonic(), 0.0)  # how far the clocks are apart, and the jumps so far
        self._latest = float("-inf")  # the latest time returned, except for threads that return one at the same moment

    def __call__(self) -> float:
        """The time now, in seconds since an arbitrary moment."""
        seen = self._seen
        monotonic = self._monotonic()
        now = monotonic + seen[1]
        if -JUMP_S <= self._wall() - monotonic - seen[0] <= JUMP_S and now >= self._latest - JUMP_S:
            self._latest = now
            return now
        return self._after_jump()

    def _after_jump(self) -> float:
        # before the clocks: a late thread then repeats what another has found, and adds nothing
        apart, jumps = self._seen
        before, wall, monotonic = self._monotonic(), self._wall(), self._monotonic()
        if wall - monotonic - apart > JUMP_S:  # so also if this thread had to wait between two readings
            jumps += wall - monotonic - apart
            self._seen = (wall - monotonic, jumps)
        elif wall - before - apart < -JUMP_S:
            self._seen = (wall - before, jumps)
        now, latest = monotonic + jumps, self._latest
        if now < latest:  # both clocks have gone back
            self._seen = (self._seen[0], jumps + latest - now)
            now = latest
        self._latest = now
        return now


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """The time, and chance. Immutable.

    Attributes:
        wall: seconds since the epoch, for times in tokens.
        ages: seconds for how old something is, see `AgeClock`.
        monotonic: seconds on a clock that never steps, for how long anybody waits.
        jitter: gives a number from 0 to 1.
    """

    wall: Clock
    ages: Clock
    monotonic: Clock
    jitter: Clock = random.random


def clocks_from(clock: Clock | None, monotonic: Clock | None) -> Clocks:
    """The clocks that a constructor was given; None means the process's own.

    Raises:
        ConfigurationError: something that cannot be called.
    """
    for name, function in (("clock", clock), ("monotonic", monotonic)):
        if function is not None and not callable(function):
            raise ConfigurationError(f"{name} must be callable.")
    wall, steady = clock or _wall, monotonic or _monotonic
    return Clocks(wall=wall, ages=AgeClock(steady, wall), monotonic=steady)


def _wall() -> float:
    return time.time()


def _monotonic() -> float:
    return time.monotonic()
