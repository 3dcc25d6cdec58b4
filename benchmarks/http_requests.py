"""Requests with a remembered token: called in process, as a server calls an application, and sent to uvicorn and gunicorn. Linux only."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from wsgiref.util import setup_testing_defaults

import aiohttp
import urllib3

from benchmarks.apps import APPLICATION, APPS, BARE, FASTAPI, PATH, SCOPE, STARLETTE, WSGI, installed
from benchmarks.measure import Case, Effort, Measured, interleaved
from benchmarks.peers import minted
from m2mguard.testing import LocalIssuer

CONNECTIONS = 16
START = urllib3.Retry(300, backoff_factor=0.1, backoff_max=0.1)  # how long a server may take to start
UVICORN = "Starlette under uvicorn, one worker, ES384"
UVICORN_COMMAND = (
    "uvicorn --factory benchmarks.apps:application --log-level=critical --no-access-log --ws=none --port={port}"
)
GUNICORN_COMMAND = (
    "gunicorn benchmarks.apps:application() --worker-class=gthread --log-level=critical --bind=127.0.0.1:{port}"
)


def request_times(effort: Effort) -> dict[str, Mapping[str, Measured]]:
    """The time of one request with a remembered token, by framework and application."""
    times = {}
    for framework in APPS:
        case = _asgi_case if framework in (STARLETTE, FASTAPI) else _wsgi_case
        with LocalIssuer(algorithm=framework.rpartition(" ")[2]) as issuer:
            [token] = minted(issuer, 1)
            cases = {name: case(app, token) for name, app in installed(framework, issuer).items()}
            times[framework] = interleaved(cases, rounds=effort.rounds)
    return times


def _asgi_case(app: Any, token: str) -> Case:
    headers = {"host": "api.example", "accept": "*/*", "user-agent": "benchmark", "authorization": f"Bearer {token}"}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": PATH, "raw_path": PATH.encode(), "query_string": b"", "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def call(scope: Mapping[str, Any]) -> None:
        await app(dict(scope), receive, send)
        assert statuses.pop() == 200

    return Case(call, [scope])


def _wsgi_case(app: Any, token: str) -> Case:
    environ: dict[str, Any] = {"PATH_INFO": PATH, "HTTP_AUTHORIZATION": f"Bearer {token}"}
    setup_testing_defaults(environ)
    statuses: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
        statuses.append(status)
        return bytes

    def call(environ: Mapping[str, Any]) -> None:
        answer = app(dict(environ), start_response)
        b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
        assert statuses.pop() == "200 OK"

    return Case(call, [environ])


class Served(NamedTuple):
    """Medians over the rounds: requests per second, the core's time in which the server worked, and its CPU seconds for one request.

    A share is beside the same round without authentication. Near a `busy` of 1, no load could have got more out of the server.
    """

    rate: float
    share: float
    busy: float
    cpu_s: float
    cpu_share: float


def served(effort: Effort) -> dict[str, Mapping[str, Served]]:
    """One remembered token, ES384: by server and application."""
    results = {UVICORN: _served(STARLETTE, UVICORN_COMMAND, effort)}
    for threads in effort.gunicorn_threads:
        title = f"WSGI under gunicorn, one gthread worker, ES384, threads: {threads}"
        results[title] = _served(WSGI, f"{GUNICORN_COMMAND} --no-control-socket --threads={threads}", effort)
    return results


def _served(framework: str, command: str, effort: Effort) -> dict[str, Served]:
    """Load each application in turn, round after round."""
    with LocalIssuer(algorithm="ES384") as issuer, ExitStack() as stack:
        headers = {"Authorization": f"Bearer {issuer.mint(scopes=[SCOPE])}"}
        names = list(installed(framework, issuer))
        serving = {name: stack.enter_context(_serving(framework, name, command, issuer)) for name in names}
        for url, _ in serving.values():
            assert urllib3.request("GET", url, headers=headers, retries=START).status == 200
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for _ in range(effort.long_rounds):
            for name, (url, pid) in serving.items():
                before = _cpu_s(pid)
                requests, took_s = asyncio.run(load(url, headers, effort.seconds))
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
def _serving(framework: str, name: str, command: str, issuer: LocalIssuer) -> Iterator[tuple[str, int]]:
    """The URL of an application in a process of its own, and the id of that process. The load has the other cores."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    named = json.dumps([framework, name, issuer.url, issuer.jwks_uri, issuer.current_key.algorithm])
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", *command.format(port=port).split()],
        env={**os.environ, APPLICATION: named},
    ) as process:
        try:
            os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
            yield f"http://127.0.0.1:{port}{PATH}", process.pid
        finally:
            process.send_signal(signal.SIGINT)  # gunicorn takes its time over a SIGTERM
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:  # a worker that was just starting does not hear it
                process.kill()


def _cpu_s(pid: int) -> float:
    """CPU seconds of the threads of a process and of its children so far."""
    tasks = list(Path(f"/proc/{pid}/task").iterdir())
    own = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    return own + sum(_cpu_s(int(child)) for task in tasks for child in (task / "children").read_text().split())


async def load(url: str, headers: Mapping[str, str], seconds: float) -> tuple[int, float]:
    """How many requests were answered, each with a 2xx, and in how many seconds; aiohttp.ClientError for another status."""
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
