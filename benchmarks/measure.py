"""Measures cases side by side: interleaved, pinned to one core, many short rounds each.

Time is the CPU time of this process, so that what else the machine does counts as little as can be; what slows the CPU itself falls on
every case alike.
"""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice, repeat
from time import process_time
from typing import Any

ROUND_S = 0.024  # some seventy verifications of ES384, so that what the case before left in the caches hardly counts
ROUNDS = 31

Batch = Callable[[int], float]
"""Does its work that many times, and returns the seconds of CPU that it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Seconds for one operation: the median of the rounds, and the quartiles as its spread."""

    median_s: float
    low_s: float
    high_s: float

    @property
    def spread(self) -> float:
        """Half the distance of the quartiles, as a share of the median."""
        return (self.high_s - self.low_s) / 2 / self.median_s


def calls(function: Callable[[], object]) -> Batch:
    """A batch of plain calls."""

    def batch(times: int) -> float:
        again = repeat(None, times)
        began = process_time()
        for _ in again:
            function()
        return process_time() - began

    return batch


def calls_over(function: Callable[[Any], object], arguments: Sequence[Any]) -> Batch:
    """A batch of calls that go round a list of arguments, on from where the last batch ended."""
    turn = cycle(arguments)

    def batch(times: int) -> float:
        chosen = list(islice(turn, times))
        began = process_time()
        for argument in chosen:
            function(argument)
        return process_time() - began

    return batch


def awaits_over(
    function: Callable[[str], Awaitable[object]], arguments: Sequence[str], loop: asyncio.AbstractEventLoop
) -> Batch:
    """As `calls_over`, awaited on an event loop that is entered once a batch."""
    turn = cycle(arguments)

    async def repeated(chosen: list[str]) -> float:
        began = process_time()
        for argument in chosen:
            await function(argument)
        return process_time() - began

    return lambda times: loop.run_until_complete(repeated(list(islice(turn, times))))


def awaits(function: Callable[[], Awaitable[object]], loop: asyncio.AbstractEventLoop) -> Batch:
    """As `calls`, awaited on an event loop that is entered once a batch."""

    async def repeated(times: int) -> float:
        again = repeat(None, times)
        began = process_time()
        for _ in again:
            await function()
        return process_time() - began

    return lambda times: loop.run_until_complete(repeated(times))


def interleaved(cases: Mapping[str, Batch], *, rounds: int = ROUNDS, round_s: float = ROUND_S) -> dict[str, Measured]:
    """Measure cases side by side: every round runs each of them once, starting with another one each time."""
    sizes = {name: _size_of_round(batch, round_s) for name, batch in cases.items()}
    taken: dict[str, list[float]] = {name: [] for name in cases}
    names = list(cases)
    with _undisturbed():
        for number in range(rounds):
            shift = number % len(names)
            for name in names[shift:] + names[:shift]:
                taken[name].append(cases[name](sizes[name]) / sizes[name])
    return {name: summary(samples) for name, samples in taken.items()}


def summary(samples: Sequence[float]) -> Measured:
    """Median and quartiles."""
    if len(samples) == 1:
        return Measured(median_s=samples[0], low_s=samples[0], high_s=samples[0])
    low, median, high = statistics.quantiles(samples, n=4)
    return Measured(median_s=median, low_s=low, high_s=high)


def _size_of_round(batch: Batch, round_s: float) -> int:
    batch(1)  # fetches keys, fills caches
    times = 1
    while (taken := batch(times)) < round_s / 4:
        times *= 4
    return max(1, round(times * round_s / taken))


@contextmanager
def _undisturbed() -> Iterator[None]:
    """One core, and no garbage collection in the midst of a round."""
    pinnable = hasattr(os, "sched_setaffinity")
    allowed = os.sched_getaffinity(0) if pinnable else set()
    gc.collect()
    gc.disable()
    if pinnable:
        os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        gc.enable()
        if pinnable:
            os.sched_setaffinity(0, allowed)
