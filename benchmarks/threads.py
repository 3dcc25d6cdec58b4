"""Operations per second of several threads: whether one of them waits for another inside the library."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.backends.openssl.backend import backend

from benchmarks.measure import Case, Effort
from benchmarks.tokens import FIRST_SEEN, FLOOR, LOOK_UP, REMEMBERED, ours
from m2mguard.testing import LocalIssuer

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT_VARIABLE = "FREE_THREADED"
THREADS = (1, 2, 4)
TOKENS_PER_THREAD = 100
ROOM = 64  # in the cache: less than the tokens of one thread, so that none of them is remembered


class ThreadRates(NamedTuple):
    """Operations per second by case, for each number of `THREADS`; and by which interpreter."""

    interpreter: str
    rates: Mapping[str, Sequence[float]]


def thread_rates(effort: Effort) -> ThreadRates:
    """Let threads do the same at once, in interleaved rounds; the best round counts, since other programs need the cores, too."""
    cases: dict[str, Case] = {}
    with ExitStack() as stack:
        for algorithm in ("RS256", "ES384"):
            issuer = stack.enter_context(LocalIssuer(algorithm=algorithm))
            tokens = [issuer.mint() for _ in range(TOKENS_PER_THREAD * max(THREADS))]
            own = ours(issuer, tokens, remembered=max(THREADS), verdict_cache_size=ROOM)
            cases |= {LOOK_UP: own[LOOK_UP], REMEMBERED: own[REMEMBERED]}
            cases |= {f"{name}, {algorithm}": own[name] for name in (FLOOR, FIRST_SEEN)}
        best = {name: [0.0] * len(THREADS) for name in cases}
        for _ in range(effort.long_rounds):
            for name, case in cases.items():
                rates = [_rate(case, count, effort.seconds) for count in THREADS]
                best[name] = [max(pair) for pair in zip(best[name], rates, strict=True)]
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    lock = "one thread runs Python at a time" if has_gil else "threads run at once"
    versions = f"cryptography {version('cryptography')}, {backend.openssl_version_text()}"
    return ThreadRates(f"Python {sys.version.partition(' (')[0]}, {versions}; {lock}", best)


def free_threaded_rates(effort: Effort) -> ThreadRates | None:
    """The same by the interpreter that FREE_THREADED names, which needs m2mguard's dependencies only; None where it names none.

    Where a dependency switches the lock on again, a script that sets PYTHON_GIL=0 can be named in its place.
    """
    interpreter = os.environ.get(ENVIRONMENT_VARIABLE)
    if not interpreter:
        return None
    done = subprocess.run(
        [interpreter, "-W", "ignore", "-m", "benchmarks.threads", str(effort.long_rounds), str(effort.seconds)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        check=True,
    )
    return ThreadRates(*json.loads(done.stdout))


def _rate(case: Case, count: int, seconds: float) -> float:
    start = threading.Barrier(count)

    def repeat(thread: int) -> int:
        function, done = case.function, 0
        arguments = list(islice(cycle(case.arguments[thread :: max(THREADS)]), TOKENS_PER_THREAD))  # its own tokens
        start.wait()
        ends_at = time.perf_counter() + seconds
        while time.perf_counter() < ends_at:
            for argument in arguments:
                function(argument)
            done += len(arguments)
        return done

    with ThreadPoolExecutor(count) as pool:
        began = time.perf_counter()
        return sum(pool.map(repeat, range(count))) / (time.perf_counter() - began)


if __name__ == "__main__":
    json.dump(thread_rates(Effort(long_rounds=int(sys.argv[1]), seconds=float(sys.argv[2]))), sys.stdout)
