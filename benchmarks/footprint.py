"""What m2mguard takes besides time on a request: memory, and time to import."""

import gc
import os
import resource
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Mapping

from benchmarks.measure import Effort, Measured, summary
from benchmarks.peers import SCOPE
from benchmarks.tokens import CACHE_SIZE, resource_server
from m2mguard import ResourceServer
from m2mguard.testing import SHOPPING_API, LocalIssuer

EMPTY, DEPENDENCIES, EVERY_NAME = (
    "an empty program",
    "pyjwt, cryptography and urllib3",
    "m2mguard, with every public name",
)
MODULES = (
    "m2mguard.asgi", "m2mguard.starlette", "fastapi", "m2mguard.fastapi", "m2mguard.wsgi", "flask", "m2mguard.flask", "m2mguard.client",
)  # fmt: skip
IMPORTS = {
    EMPTY: "pass",
    DEPENDENCIES: "import jwt, cryptography, urllib3",
    EVERY_NAME: "from m2mguard import *",  # `import m2mguard` alone loads each name at its first use only
    "m2mguard, and a ResourceServer built": "from m2mguard import *; ResourceServer('https://issuer.example', audience='api')",
    "starlette": "import starlette.middleware, starlette.requests",
} | {name: f"import {name}" for name in MODULES}
SERVERS, FEW = 50, 1_000


def memory(effort: Effort) -> dict[str, float]:
    """Bytes: of one remembered token, of one ResourceServer, and of a full cache early and late in a flood of live tokens."""
    with LocalIssuer(algorithm="ES256") as issuer:
        tokens = [issuer.mint(f"app-{number}", scopes=[SCOPE]) for number in range(effort.live_tokens)]

        def servers() -> object:
            return [ResourceServer(issuer.url, audience=SHOPPING_API) for _ in range(SERVERS)]

        def server_after(count: int) -> object:
            server = resource_server(issuer, verdict_cache_size=CACHE_SIZE)
            for token in tokens[:count]:
                server.verify(token)
            return server

        return {
            "one remembered token": _held_by(server_after, FEW) / FEW,
            "one ResourceServer, before its first use": _held_by(servers) / SERVERS,
            f"a cache of {CACHE_SIZE:,} after {2 * CACHE_SIZE:,} live tokens": _held_by(server_after, 2 * CACHE_SIZE),
            f"a cache of {CACHE_SIZE:,} after {len(tokens):,} live tokens": _held_by(server_after, len(tokens)),
        }


def import_times(effort: Effort) -> dict[str, Measured]:
    """CPU seconds to start Python and import, each in a fresh process, interleaved.

    Byte code is at hand for all of them, as pip leaves it: else a checkout would be compiled each time, and its dependencies not.
    """
    taken: dict[str, list[float]] = {name: [] for name in IMPORTS}
    with tempfile.TemporaryDirectory() as byte_code:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": byte_code, "PYTHONDONTWRITEBYTECODE": ""}
        for _ in range(1 + effort.long_rounds):
            for name, program in IMPORTS.items():
                taken[name].append(_cpu_s(program, environment))
    return {name: summary(samples[1:]) for name, samples in taken.items()}


def _cpu_s(program: str, environment: Mapping[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _held_by(build: Callable[..., object], *arguments: object) -> float:
    build(*arguments)  # what is made once is not counted
    gc.collect()
    tracemalloc.start()
    try:
        held = build(*arguments)
        gc.collect()
        size, _ = tracemalloc.get_traced_memory()
        del held
    finally:
        tracemalloc.stop()
    return float(size)
