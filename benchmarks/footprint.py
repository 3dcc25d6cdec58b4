"""What m2mguard takes besides time on a request: memory, and time to import."""

from __future__ import annotations

import gc
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Collection, Mapping

from benchmarks.measure import Measured, summary
from benchmarks.tokens import CACHE_SIZE, resource_server
from m2mguard import ResourceServer
from m2mguard.testing import SHOPPING_API, LocalIssuer

EMPTY, DEPENDENCIES, OURS = "an empty program", "pyjwt, cryptography and urllib3", "m2mguard, with every public name"
IMPORTS = {
    EMPTY: "pass",
    DEPENDENCIES: "import jwt, cryptography, urllib3",
    OURS: "from m2mguard import *",  # `import m2mguard` alone loads each name at its first use only
    "m2mguard, and a ResourceServer built": "from m2mguard import *; ResourceServer('https://issuer.example', audience='api')",
    "m2mguard.asgi": "import m2mguard.asgi",
    "starlette": "import starlette.middleware, starlette.requests",
    "m2mguard.starlette": "import m2mguard.starlette",
    "fastapi": "import fastapi",
    "m2mguard.fastapi": "import m2mguard.fastapi",
    "m2mguard.wsgi": "import m2mguard.wsgi",
    "flask": "import flask",
    "m2mguard.flask": "import m2mguard.flask",
    "m2mguard.client": "import m2mguard.client",
}


def memory(*, tokens: int = 10_000, servers: int = 50) -> dict[str, float]:
    """Bytes: of one remembered token, of one ResourceServer, and of a full cache early and late in a flood of live tokens."""
    with LocalIssuer(algorithm="ES256") as issuer:
        minted = [issuer.mint(f"app-{number}", scopes=["read:orders"]) for number in range(tokens)]
        few = minted[:1_000]
        remembered = _held_by(lambda: _having_verified(resource_server(issuer), few)) / len(few)
        idle = _held_by(lambda: [ResourceServer(issuer.url, audience=SHOPPING_API) for _ in range(servers)])
        crowded = resource_server(issuer)
        gc.collect()
        tracemalloc.start()
        try:
            early = _after(crowded, minted[: 2 * CACHE_SIZE])
            late = _after(crowded, minted[2 * CACHE_SIZE :])
        finally:
            tracemalloc.stop()
    return {
        "one remembered token": remembered,
        "one ResourceServer, before its first use": idle / servers,
        f"a cache of {CACHE_SIZE:,} after {2 * CACHE_SIZE:,} live tokens": early,
        f"a cache of {CACHE_SIZE:,} after {tokens:,} live tokens": late,
    }


def import_times(*, rounds: int = 15, names: Collection[str] = IMPORTS) -> dict[str, Measured]:
    """CPU seconds to start Python and import, each in a fresh process, interleaved.

    Byte code is at hand for all of them, as pip leaves it: else a checkout would be compiled each time, and its dependencies not.
    """
    taken: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as byte_code:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": byte_code, "PYTHONDONTWRITEBYTECODE": ""}
        for name in names:
            _cpu_of_importing(name, environment)
        for _ in range(rounds):
            for name in names:
                taken[name].append(_cpu_of_importing(name, environment))
    return {name: summary(samples) for name, samples in taken.items()}


def import_ratio(times: Mapping[str, Measured]) -> float:
    """The time to import all of m2mguard's names beside that of its dependencies, without that of starting Python."""
    empty = times[EMPTY].median_s
    return (times[OURS].median_s - empty) / (times[DEPENDENCIES].median_s - empty)


def _cpu_of_importing(name: str, environment: Mapping[str, str]) -> float:
    before = _cpu_of_children()
    subprocess.run([sys.executable, "-c", IMPORTS[name]], env=environment, check=True)
    return _cpu_of_children() - before


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _held_by(build: Callable[[], object]) -> float:
    build()  # what is made once is not counted
    samples = []
    for _ in range(3):
        gc.collect()
        tracemalloc.start()
        try:
            held = build()
            gc.collect()
            samples.append(float(tracemalloc.get_traced_memory()[0]))
            del held
        finally:
            tracemalloc.stop()
    return statistics.median(samples)


def _having_verified(server: ResourceServer, tokens: list[str]) -> ResourceServer:
    for token in tokens:
        server.verify(token)
    return server


def _after(server: ResourceServer, tokens: list[str]) -> float:
    _having_verified(server, tokens)
    gc.collect()
    return float(tracemalloc.get_traced_memory()[0])
