"""Requests per second of real servers, one worker each: uvicorn, and gunicorn with threads."""

from __future__ import annotations

import contextlib
import signal
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from benchmarks.apps import PATH, SCOPE
from benchmarks.http_load import load
from m2mguard.testing import LocalIssuer

BARE = "no authentication"
UNDER_UVICORN = (BARE, "m2mguard", "PyJWT in Starlette's middleware", "fastmcp's middleware")
UNDER_GUNICORN = (BARE, "m2mguard", "PyJWT in a middleware")
THREADS = (1, 4, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Requests per second of each application and the CPU seconds its process took for one, by round."""

    rates: Mapping[str, Sequence[float]]
    cpu_s: Mapping[str, Sequence[float]]

    def share(self, name: str) -> float:
        """The median, over the rounds, of the rate as a share of the same round's rate without authentication."""
        return _median_ratio(self.rates[name], self.rates[BARE])

    def cpu_share(self, name: str) -> float:
        """The same told by CPU time, which does not depend on what else the machine does."""
        return _median_ratio(self.cpu_s[BARE], self.cpu_s[name])

    def busy(self, name: str) -> float:
        """The median share of its core's time in which the server worked: near 1, no load could have got more out of it."""
        return statistics.median(rate * cpu_s for rate, cpu_s in zip(self.rates[name], self.cpu_s[name], strict=True))


def served_rates(*, rounds: int = 5, seconds: float = 2.0, names: Sequence[str] = UNDER_UVICORN) -> Served:
    """Starlette under uvicorn. ES384, one remembered token."""
    return _served({name: ("uvicorn", name) for name in names}, rounds, seconds)


def gthread_rates(
    *, rounds: int = 5, seconds: float = 1.0, names: Sequence[str] = UNDER_GUNICORN, threads: Sequence[int] = THREADS
) -> dict[int, Served]:
    """A bare WSGI application under gunicorn's gthread worker, by how many threads it has. ES384, one remembered token."""
    return {count: _served({name: (f"gunicorn:{count}", name) for name in names}, rounds, seconds) for count in threads}


def _served(cases: Mapping[str, tuple[str, str]], rounds: int, seconds: float) -> Served:
    """Load each application in turn, round after round."""
    rates: dict[str, list[float]] = {name: [] for name in cases}
    cpu_s: dict[str, list[float]] = {name: [] for name in cases}
    with LocalIssuer(algorithm="ES384") as issuer, contextlib.ExitStack() as stack:
        headers = {"Authorization": f"Bearer {issuer.mint(scopes=[SCOPE])}"}
        serving = {name: stack.enter_context(_serving(*case, issuer)) for name, case in cases.items()}
        for url, _ in serving.values():
            _wait_for(url, headers)
        for _ in range(rounds):
            for name, (url, pid) in serving.items():
                before = _cpu_s(pid)
                requests, took_s = load(url, headers, seconds)
                rates[name].append(requests / took_s)
                cpu_s[name].append((_cpu_s(pid) - before) / requests)
    return Served(rates=rates, cpu_s=cpu_s)


@contextlib.contextmanager
def _serving(server: str, name: str, issuer: LocalIssuer) -> Iterator[tuple[str, int]]:
    """The URL of an application in a process of its own, and the id of the process that serves it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.set_inheritable(True)
        host, port = listening.getsockname()
        arguments = [server, name, issuer.url, issuer.jwks_uri, issuer.current_key.algorithm, str(listening.fileno())]
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.worker", *arguments],
            pass_fds=[listening.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    with process:
        try:
            assert process.stdout is not None
            yield f"http://{host}:{port}{PATH}", int(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGINT)  # gunicorn takes its time over a SIGTERM
            process.wait(timeout=10)


def _median_ratio(numbers: Sequence[float], others: Sequence[float]) -> float:
    return statistics.median(number / other for number, other in zip(numbers, others, strict=True))


def _cpu_s(pid: int) -> float:
    """CPU seconds of a process's threads so far. Linux only."""
    return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def _wait_for(url: str, headers: Mapping[str, str]) -> None:
    with urlopen(Request(url, headers=dict(headers)), timeout=60) as answer:
        if answer.status != 200:
            raise RuntimeError(f"{url} answers {answer.status}")
