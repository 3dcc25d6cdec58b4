"""Requests per second of a real server: uvicorn, one worker, loaded by wrk (or by our own load where wrk is not installed).

`python -m benchmarks.served NAME ISSUER JWKS_URI ALGORITHM FD` is what a measured process runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from urllib.request import Request, urlopen

from benchmarks.apps import ASGI, PATH, SCOPE
from m2mguard.testing import LocalIssuer

CONNECTIONS = 16
SERVED = ("no authentication", "m2mguard", "PyJWT in Starlette's middleware", "fastmcp's middleware")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Requests per second of each application and the CPU seconds its process took for one, by round; and what loaded it."""

    rates: dict[str, list[float]]
    cpu_s: dict[str, list[float]]
    load: str

    def share(self, name: str) -> float:
        """The median, over the rounds, of the rate as a share of the same round's rate without authentication."""
        return _median_ratio(self.rates[name], self.rates["no authentication"])

    def cpu_share(self, name: str) -> float:
        """The same told by CPU time, which does not depend on what else the machine does."""
        return _median_ratio(self.cpu_s["no authentication"], self.cpu_s[name])


def served_rates(*, rounds: int = 5, seconds: float = 2.0, names: tuple[str, ...] = SERVED) -> Served:
    """Load each application in turn, round after round. ES384, one remembered token."""
    wrk = shutil.which("wrk")
    rates: dict[str, list[float]] = {name: [] for name in names}
    cpu_s: dict[str, list[float]] = {name: [] for name in names}
    with LocalIssuer(algorithm="ES384") as issuer, contextlib.ExitStack() as stack:
        headers = {"Authorization": f"Bearer {issuer.mint(scopes=[SCOPE])}"}
        serving = {name: stack.enter_context(_serving(name, issuer)) for name in names}
        for url, _ in serving.values():
            _wait_for(url, headers)
        for _ in range(rounds):
            for name, (url, pid) in serving.items():
                before = _cpu_s(pid)
                requests, took_s = (_wrk if wrk else _own_load)(url, headers, seconds)
                rates[name].append(requests / took_s)
                cpu_s[name].append((_cpu_s(pid) - before) / requests)
    load = f"wrk with {CONNECTIONS} connections" if wrk else f"{CONNECTIONS} connections of our own"
    return Served(rates=rates, cpu_s=cpu_s, load=load)


@contextlib.contextmanager
def _serving(name: str, issuer: LocalIssuer) -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.set_inheritable(True)
        host, port = listening.getsockname()
        arguments = [name, issuer.url, issuer.jwks_uri, issuer.current_key.algorithm, str(listening.fileno())]
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.served", *arguments],
            pass_fds=[listening.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    try:
        yield f"http://{host}:{port}{PATH}", process.pid
    finally:
        process.terminate()
        process.wait(timeout=10)


def _median_ratio(numbers: list[float], others: list[float]) -> float:
    return statistics.median(number / other for number, other in zip(numbers, others, strict=True))


def _cpu_s(pid: int) -> float:
    """CPU seconds of a process's main thread so far. Linux only."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _wait_for(url: str, headers: dict[str, str]) -> None:
    with urlopen(Request(url, headers=headers), timeout=60) as answer:
        if answer.status != 200:
            raise RuntimeError(f"{url} answers {answer.status}")


def _wrk(url: str, headers: dict[str, str], seconds: float) -> tuple[int, float]:
    fields = [argument for name, value in headers.items() for argument in ("-H", f"{name}: {value}")]
    duration = f"{max(1, round(seconds))}s"
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{duration}", *fields, url], capture_output=True, text=True, check=True
    )
    if "Non-2xx" in done.stdout:
        raise RuntimeError(done.stdout)
    found = re.search(r"(\d+) requests in ([0-9.]+)s", done.stdout)
    if found is None:
        raise RuntimeError(done.stdout)
    return int(found[1]), float(found[2])


def _own_load(url: str, headers: dict[str, str], seconds: float) -> tuple[int, float]:
    address = url.removeprefix("http://").removesuffix(PATH)
    host, _, port = address.partition(":")
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET {PATH} HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n".encode()
    answered = 0

    async def client(ends_at: float) -> None:
        nonlocal answered
        reader, writer = await asyncio.open_connection(host, int(port))
        while time.perf_counter() < ends_at:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.partition(b"\r\n")[0].decode())
            length = re.search(rb"content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            answered += 1
        writer.close()

    async def clients() -> tuple[int, float]:
        began = time.perf_counter()
        await asyncio.gather(*(client(began + seconds) for _ in range(CONNECTIONS)))
        return answered, time.perf_counter() - began

    return asyncio.run(clients())


def main() -> None:
    """Serve one application on an inherited socket until this process is ended."""
    import uvicorn

    name, issuer, jwks_uri, algorithm, listening = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the load has the other cores
    trusted = SimpleNamespace(url=issuer, jwks_uri=jwks_uri, current_key=SimpleNamespace(algorithm=algorithm))
    app = ASGI[name](trusted)  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, ws="none"))
    server.run(sockets=[socket.socket(fileno=int(listening))])


if __name__ == "__main__":
    main()
