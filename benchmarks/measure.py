"""Measures cases side by side: each round runs every case once, on one core, and counts the CPU time of this process."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import statistics
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from time import process_time
from typing import Any, NamedTuple, TypeVar

ROUND_S = 0.024  # about seventy verifications of ES384, so that what the case before left in the caches hardly counts
Name = TypeVar("Name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much one run measures."""

    rounds: int = 31
    long_rounds: int = 12  # of what takes a tenth of a second or more: processes, servers, threads
    seconds: float = 0.3  # of load, or of threads at once, in one long round
    live_tokens: int = 10_000
    sizes: Sequence[int] = (1, 10, 100, 1_000, 10_000)
    gunicorn_threads: Sequence[int] = (1, 4, 16)


QUICK = Effort(rounds=2, long_rounds=2, seconds=0.05, live_tokens=1_000, sizes=(1, 10), gunicorn_threads=(2,))


def us(seconds: float) -> str:
    """Microseconds, three digits."""
    return f"{seconds * 1e6:.{2 if seconds < 10e-6 else 1}f} µs"


class Measured(NamedTuple):
    """Seconds for one operation: the median of the rounds, and the quartiles."""

    low_s: float
    median_s: float
    high_s: float

    def __str__(self) -> str:
        """The median, and half the distance of the quartiles as a share of it."""
        return f"{us(self.median_s)} ± {(self.high_s - self.low_s) / 2 / self.median_s:.0%}".replace("%", " %")

    def beside(self, base: Measured) -> float:
        """How many times as long as the other."""
        return self.median_s / base.median_s


def summary(samples: Sequence[float]) -> Measured:
    """The median and the quartiles of two samples or more."""
    return Measured(*statistics.quantiles(samples, n=4))


@dataclass(slots=True)
class Case:
    """A function, plain or async, and the arguments that it takes in turn.

    `renew` is called at the start of a round and before the arguments come round again; its time does not count.
    """

    function: Callable[[Any], object]
    arguments: Sequence[Any]
    renew: Callable[[], object] | None = None
    _turn: Iterator[Any] = field(init=False)

    def __post_init__(self) -> None:
        self._turn = cycle(self.arguments)

    def cpu_s(self, times: int, runner: asyncio.Runner) -> float:
        """The CPU seconds of so many calls; the next call goes on with the next argument."""
        taken, step = 0.0, len(self.arguments) if self.renew else times
        for done in range(0, times, step):
            if self.renew:
                self.renew()
            arguments = list(islice(self._turn, min(step, times - done)))
            if inspect.iscoroutinefunction(self.function):
                taken += runner.run(_awaited_s(self.function, arguments))
            else:
                taken += _called_s(self.function, arguments)
        return taken


def _called_s(function: Callable[[Any], object], arguments: Sequence[Any]) -> float:
    began = process_time()
    for argument in arguments:
        function(argument)
    return process_time() - began


async def _awaited_s(function: Callable[[Any], Awaitable[object]], arguments: Sequence[Any]) -> float:
    began = process_time()
    for argument in arguments:
        await function(argument)
    return process_time() - began


def interleaved(cases: Mapping[Name, Case], *, rounds: int, round_s: float = ROUND_S) -> dict[Name, Measured]:
    """Measure cases side by side: every round runs each of them once, starting with another one each time."""
    taken: dict[Name, list[float]] = {name: [] for name in cases}
    names = list(cases)
    with asyncio.Runner() as runner:
        sizes = {name: _calls_per_round(case, round_s, runner) for name, case in cases.items()}
        with _one_core_without_gc():
            for number in range(rounds):
                shift = number % len(names)
                for name in names[shift:] + names[:shift]:
                    taken[name].append(cases[name].cpu_s(sizes[name], runner) / sizes[name])
    return {name: summary(samples) for name, samples in taken.items()}


def _calls_per_round(case: Case, round_s: float, runner: asyncio.Runner) -> int:
    case.cpu_s(1, runner)  # fetches keys, fills caches
    times = 1
    while (taken := case.cpu_s(times, runner)) < round_s / 4:
        times *= 4
    return max(1, round(times * round_s / taken))


@contextmanager
def _one_core_without_gc() -> Iterator[None]:
    allowed = os.sched_getaffinity(0)
    gc.collect()
    gc.disable()
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        gc.enable()
        os.sched_setaffinity(0, allowed)
