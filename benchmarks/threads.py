"""Operations per second of several threads: whether one of them waits for another inside the library.

`FREE_THREADED=…/python make bench` asks another interpreter, too, one that runs threads at once. It needs m2mguard's dependencies and
nothing else; `python -m benchmarks.threads SECONDS ROUNDS` is what it runs, and its answer is JSON. Where a dependency switches the lock
on again, a script that sets PYTHON_GIL=0 can stand for the interpreter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryptography.hazmat.backends.openssl.backend import backend

from benchmarks.tokens import FIRST_SEEN, FLOOR, LOOK_UP, REMEMBERED, resource_server, signature_arguments
from m2mguard.testing import LocalIssuer

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT_VARIABLE = "FREE_THREADED"
THREADS, SECONDS, ROUNDS = (1, 2, 4), 0.1, 12
TOKENS_PER_THREAD = 100
ROOM = 64  # in the cache: less than the tokens of one thread, so that each look-up misses

Work = Callable[[], int]
"""Does a little, and tells how many operations that was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRates:
    """Operations per second by case and number of threads; and by which interpreter."""

    interpreter: str
    gil: bool
    rates: Mapping[str, Mapping[int, float]]


def thread_rates(*, threads: Sequence[int] = THREADS, seconds: float = SECONDS, rounds: int = ROUNDS) -> ThreadRates:
    """Let threads do the same at once, in short interleaved rounds; the best round counts, since other programs need the cores, too."""
    with ExitStack() as stack:
        cases = {LOOK_UP: _looks_up, REMEMBERED: _remembers}
        issuers = {name: stack.enter_context(LocalIssuer(algorithm="ES256")) for name in cases}
        for algorithm in ("RS256", "ES384"):
            issuer = stack.enter_context(LocalIssuer(algorithm=algorithm))
            for name, build in ((FLOOR, _checks_signatures), (FIRST_SEEN, _sees_first)):
                cases[f"{name}, {algorithm}"], issuers[f"{name}, {algorithm}"] = build, issuer
        works = {name: cases[name](issuers[name], max(threads)) for name in cases}
        best = {name: dict.fromkeys(threads, 0.0) for name in cases}
        for _ in range(rounds):
            for name, work in works.items():
                for count in threads:
                    best[name][count] = max(best[name][count], _rate(work[:count], seconds))
    interpreter = f"Python {sys.version.partition(' (')[0]}, cryptography {version('cryptography')}, {backend.openssl_version_text()}"
    return ThreadRates(interpreter=interpreter, gil=has_gil(), rates=best)


def free_threaded_rates(*, seconds: float = SECONDS, rounds: int = ROUNDS) -> ThreadRates | None:
    """The same by the interpreter that FREE_THREADED names; None where it names none."""
    interpreter = os.environ.get(ENVIRONMENT_VARIABLE)
    if not interpreter:
        return None
    done = subprocess.run(
        [interpreter, "-W", "ignore", "-m", "benchmarks.threads", f"{seconds}", f"{rounds}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    rates = {name: {int(count): rate for count, rate in row.items()} for name, row in answer["rates"].items()}
    return ThreadRates(interpreter=answer["interpreter"], gil=answer["gil"], rates=rates)


def has_gil() -> bool:
    """Whether this interpreter runs one thread at a time."""
    return getattr(sys, "_is_gil_enabled", lambda: True)()


def _looks_up(issuer: LocalIssuer, threads: int) -> list[Work]:
    tokens = [issuer.mint() for _ in range(threads)]
    known = {sha256(token.encode()).digest(): object() for token in tokens}
    return [_repeats(lambda token: known[sha256(token.encode()).digest()], [token] * 100) for token in tokens]


def _remembers(issuer: LocalIssuer, threads: int) -> list[Work]:
    server, tokens = resource_server(issuer), [issuer.mint() for _ in range(threads)]
    for token in tokens:
        server.verify(token)
    return [_repeats(server.verify, [token] * 100) for token in tokens]


def _checks_signatures(issuer: LocalIssuer, threads: int) -> list[Work]:
    key = issuer.current_key.private_key.public_key()
    prepared = [signature_arguments(issuer, [issuer.mint() for _ in range(10)]) for _ in range(threads)]
    return [_repeats(lambda arguments: key.verify(*arguments), part) for part in prepared]


def _sees_first(issuer: LocalIssuer, threads: int) -> list[Work]:
    server = resource_server(issuer, verdict_cache_size=ROOM)
    return [_repeats(server.verify, [issuer.mint() for _ in range(TOKENS_PER_THREAD)]) for _ in range(threads)]


def _repeats(function: Callable[[Any], object], arguments: Sequence[Any]) -> Work:
    def work() -> int:
        for argument in arguments:
            function(argument)
        return len(arguments)

    return work


def _rate(works: Sequence[Work], seconds: float) -> float:
    done = [0] * len(works)
    start = threading.Barrier(len(works))

    def repeat(number: int, work: Work) -> None:
        count = 0
        start.wait()
        ends_at = time.perf_counter() + seconds
        while time.perf_counter() < ends_at:
            count += work()
        done[number] = count

    workers = [threading.Thread(target=repeat, args=(number, work)) for number, work in enumerate(works)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done) / (time.perf_counter() - began)


if __name__ == "__main__":
    json.dump(asdict(thread_rates(seconds=float(sys.argv[1]), rounds=int(sys.argv[2]))), sys.stdout)
