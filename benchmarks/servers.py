"""Requests per second of real servers, one worker each: uvicorn, and gunicorn with threads, loaded by aiohttp's client. Linux only."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import aiohttp
import urllib3

from benchmarks.apps import APPLICATION, BARE, PATH, SCOPE, STARLETTE, WSGI, installed
from benchmarks.measure import Effort
from m2mguard.testing import LocalIssuer

CONNECTIONS = 16
UVICORN = "Starlette under uvicorn, one worker, ES384"


class Served(NamedTuple):
    """Medians over the rounds. A share is beside the same round without authentication."""

    rate: float
    """Requests per second."""
    share: float
    busy: float
    """The share of its core's time in which the server worked: near 1, no load could have got more out of it."""
    cpu_s: float
    """CPU seconds for one request."""
    cpu_share: float
    """The share told by CPU time, which does not depend on what else the machine does."""


def served(effort: Effort) -> dict[str, Mapping[str, Served]]:
    """One remembered token, ES384: by server and application."""
    uvicorn = ["uvicorn", "--factory", "benchmarks.apps:application", "--no-access-log", "--ws=none"]
    results = {UVICORN: _served(STARLETTE, [*uvicorn, "--log-level=critical", "--port={port}"], effort)}
    gunicorn = ["gunicorn", "benchmarks.apps:application()", "--no-control-socket", "--worker-class=gthread"]
    for threads in effort.gunicorn_threads:
        options = ["--log-level=critical", "--bind=127.0.0.1:{port}", f"--threads={threads}"]
        title = f"WSGI under gunicorn, one gthread worker, ES384, threads: {threads}"
        results[title] = _served(WSGI, [*gunicorn, *options], effort)
    return results


def _served(framework: str, command: Sequence[str], effort: Effort) -> dict[str, Served]:
    """Load each application in turn, round after round."""
    with LocalIssuer(algorithm="ES384") as issuer, ExitStack() as stack:
        headers = {"Authorization": f"Bearer {issuer.mint(scopes=[SCOPE])}"}
        names = list(installed(framework, issuer))
        serving = {name: stack.enter_context(_serving(framework, name, command, issuer)) for name in names}
        for url, _ in serving.values():
            _wait_for(url, headers)
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for _ in range(effort.long_rounds):
            for name, (url, pid) in serving.items():
                before = _cpu_s(pid)
                requests, took_s = asyncio.run(load(url, headers, effort.load_s))
                rounds[name].append((requests / took_s, (_cpu_s(pid) - before) / requests))
    return {name: _summary(rounds[name], rounds[BARE]) for name in names}


def _summary(own: Sequence[tuple[float, float]], bare: Sequence[tuple[float, float]]) -> Served:
    both = list(zip(own, bare, strict=True))
    return Served(
        rate=median(rate for rate, _ in own),
        share=median(rate / bare_rate for (rate, _), (bare_rate, _) in both),
        busy=median(rate * cpu_s for rate, cpu_s in own),
        cpu_s=median(cpu_s for _, cpu_s in own),
        cpu_share=median(bare_cpu_s / cpu_s for (_, cpu_s), (_, bare_cpu_s) in both),
    )


@contextmanager
def _serving(framework: str, name: str, command: Sequence[str], issuer: LocalIssuer) -> Iterator[tuple[str, int]]:
    """The URL of an application in a process of its own, and the id of that process. The load has the other cores."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    named = json.dumps([framework, name, issuer.url, issuer.jwks_uri, issuer.current_key.algorithm])
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", *(part.format(port=port) for part in command)],
        env={**os.environ, APPLICATION: named},
    ) as process:
        try:
            os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
            yield f"http://127.0.0.1:{port}{PATH}", process.pid
        finally:
            process.send_signal(signal.SIGINT)  # gunicorn takes its time over a SIGTERM
            process.wait(timeout=10)


def _wait_for(url: str, headers: Mapping[str, str]) -> None:
    retries = urllib3.Retry(300, backoff_factor=0.1, backoff_max=0.1)
    answer = urllib3.request("GET", url, headers=headers, retries=retries)
    if answer.status != 200:
        raise RuntimeError(f"{url} answers {answer.status}")


def _cpu_s(pid: int) -> float:
    """CPU seconds of the threads of a process and of its children so far."""
    tasks = list(Path(f"/proc/{pid}/task").iterdir())
    own = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    return own + sum(_cpu_s(int(child)) for task in tasks for child in (task / "children").read_text().split())


async def load(url: str, headers: Mapping[str, str], seconds: float) -> tuple[int, float]:
    """How many requests were answered, each with a 2xx, and in how many seconds.

    Raises:
        aiohttp.ClientError: another status, or no answer.
    """
    answered, began = 0, time.perf_counter()

    async def client() -> None:
        nonlocal answered
        while time.perf_counter() < began + seconds:
            async with session.get(url) as answer:
                await answer.read()
            answered += 1

    # It keeps no cookies and decodes nothing: what the load costs, the server may lack.
    async with aiohttp.ClientSession(
        headers=headers, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, raise_for_status=True
    ) as session:
        await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return answered, time.perf_counter() - began
