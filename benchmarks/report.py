"""The report of one run, `docs/explanation/benchmarks.md`: what was measured as tables, and whether it reaches the bars."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from cryptography.hazmat.backends.openssl.backend import backend

from benchmarks.footprint import import_ratio
from benchmarks.formatting import ratio, spread, table, us
from benchmarks.growth import Curve
from benchmarks.http_load import CONNECTIONS
from benchmarks.measure import Measured
from benchmarks.servers import BARE, Served
from benchmarks.threads import ENVIRONMENT_VARIABLE, ThreadRates
from benchmarks.tokens import FIRST_SEEN, FLOOR, LOOK_UP, REMEMBERED, TokenTimes

OURS = "m2mguard"
RS256_FLOOR_S = 23e-6  # of the machine whose 20 µs the bar for first-seen tokens is
PACKAGES = (
    "m2mguard", "cryptography", "pyjwt", "joserfc", "authlib", "fastmcp", "mcpauth", "guardpost", "fastapi-azure-auth", "ryjwt",
    "starlette", "fastapi", "flask", "uvicorn", "gunicorn",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything one run has measured."""

    tokens: Mapping[str, TokenTimes]
    full_cache: Mapping[str, Measured]
    asgi: Mapping[str, Measured]
    fastapi: Mapping[str, Measured]
    flask: Mapping[str, Measured]
    wsgi: Mapping[str, Measured]
    served: Served
    gthread: Mapping[int, Served]
    memory: Mapping[str, float]
    imports: Mapping[str, Measured]
    curves: Mapping[str, Curve]
    threads: ThreadRates
    free_threaded: ThreadRates | None
    fixtures: Mapping[str, Measured]


def report(results: Results) -> str:
    """The whole page as Markdown."""
    return "\n\n".join([
        _HEAD.format(machine=_machine()),
        "## What it should reach\n\n" + _bars(results),
        "## One token\n\n![Time for one token](../images/tokens.svg)\n\n" + _tokens(results.tokens) + "\n\n" + _TOKENS_NOTE,
        "## One request, in process\n\n![Time for one request](../images/requests.svg)\n\n" + _requests(results),
        "## Requests per second\n\n![Requests per second](../images/served.svg)\n\n" + _served(results),
        "## Growth\n\n![Time of a remembered token](../images/growth.svg)\n\n" + _growth(results.curves),
        "## Threads at once\n\n" + _threads(results),
        "## Memory and import\n\n" + _footprint(results),
        "## The test kit\n\n" + _fixtures(results.fixtures),
        _TAIL,
    ]) + "\n"  # fmt: skip


def _fixtures(fixtures: Mapping[str, Measured]) -> str:
    rows = [[name, f"{one.median_s * 1e3:.2f} ms"] for name, one in fixtures.items()]
    return table(["what a test costs", "median"], rows)


def _bars(results: Results) -> str:
    es384 = results.tokens["ES384"].times
    rows: list[tuple[str, str, str, bool]] = []

    def at_most(what: str, bar: float, reached: float) -> None:
        rows.append((what, f"≤ {bar:.2f} ×", f"{reached:.2f} ×", reached <= bar))

    at_most("remembered token, `server.verify`, beside SHA-256 + dict", 3, ratio(es384[REMEMBERED], es384[LOOK_UP]))
    at_most(
        "remembered token, ASGI middleware, beside the bare app", 1.45, ratio(results.asgi[OURS], results.asgi[BARE])
    )
    at_most(
        "remembered token, FastAPI dependency, beside the bare route",
        1.35,
        ratio(results.fastapi[OURS], results.fastapi[BARE]),
    )
    for algorithm, bar in (("RS256", 1.9), ("ES256", 1.26), ("ES384", 1.06)):
        times = results.tokens[algorithm].times
        at_most(
            f"first-seen token, {algorithm}, beside its signature alone", bar, ratio(times[FIRST_SEEN], times[FLOOR])
        )
    allowed = 20e-6 * results.tokens["RS256"].times[FLOOR].median_s / RS256_FLOOR_S
    for algorithm in ("RS256", "ES256", "ES384"):
        times = results.tokens[algorithm].times
        extra = times[FIRST_SEEN].median_s - times[FLOOR].median_s
        rows.append((
            f"the same for {algorithm}, as time on top of the signature",
            f"≤ {us(allowed)}, which is 20 µs on a machine whose RS256 takes 23 µs",
            us(extra),
            extra <= allowed,
        ))  # fmt: skip
    share = results.served.cpu_share(OURS)
    rows.append(("uvicorn, ES384, beside no authentication", "≥ 0.85 ×", f"{share:.2f} × (by CPU)", share >= 0.85))
    fitting, crowded = (measured.median_s for measured in results.full_cache.values())
    extra = crowded - fitting
    rows.append(
        ("10,000 live tokens, a cache of 1,024, beside first seen", "≤ + 5 µs", f"{extra * 1e6:+.1f} µs", extra <= 5e-6)
    )
    at_most("import of m2mguard with every public name, beside its dependencies", 1.3, import_ratio(results.imports))
    return table(
        ("", "bar", "this run", ""),
        [(what, bar, got, "reached" if good else "**missed**") for what, bar, got, good in rows],
    )


def _tokens(by_algorithm: Mapping[str, TokenTimes]) -> str:
    names = list(dict.fromkeys(name for one in by_algorithm.values() for name in (*one.times, *one.missing)))
    rows = []
    for name in names:
        cells = []
        for one in by_algorithm.values():
            if name not in one.times:
                cells.append("–")
                continue
            floor = one.times[LOOK_UP if name in (LOOK_UP, REMEMBERED) else FLOOR]
            cells.append(f"{spread(one.times[name])} ({ratio(one.times[name], floor):.2f} ×)")
        rows.append((name, *cells))
    return table(("", *by_algorithm), rows) + "\n\n" + _missing(by_algorithm)


def _missing(by_algorithm: Mapping[str, TokenTimes]) -> str:
    reasons: dict[tuple[str, str], list[str]] = {}
    for algorithm, one in by_algorithm.items():
        for name, reason in one.missing.items():
            reasons.setdefault((name, reason), []).append(algorithm)
    lines = [f"- {name}, {', '.join(algorithms)}: {reason}." for (name, reason), algorithms in reasons.items()]
    return "Not measured:\n\n" + "\n".join(lines)


def _requests(results: Results) -> str:
    parts = []
    for title, times in (
        ("Starlette with a middleware, ES384", results.asgi),
        ("FastAPI with a dependency, RS256", results.fastapi),
        ("Flask with a decorator, ES256", results.flask),
        ("A bare WSGI application with a middleware, ES384", results.wsgi),
    ):
        rows = [(name, spread(one), f"{ratio(one, times[BARE]):.2f} ×") for name, one in times.items()]
        parts.append(table((title, "one request", "beside no authentication"), rows))
    return "\n\n".join(parts)


def _served(results: Results) -> str:
    head = ("requests/s", "share", "core busy", "CPU for one", "share by CPU")
    uvicorn = table(
        ("Starlette under uvicorn, one worker, ES384", *head),
        [(name, *_served_by(results.served, name)) for name in results.served.rates],
    )
    gunicorn = table(
        ("A bare WSGI application under gunicorn, one gthread worker, ES384", "threads", *head),
        [
            (name, f"{threads}", *_served_by(served, name))
            for threads, served in results.gthread.items()
            for name in served.rates
        ],
    )
    return f"{uvicorn}\n\n{gunicorn}\n\n" + _SERVED_NOTE.format(connections=CONNECTIONS, loop=_event_loop())


def _served_by(served: Served, name: str) -> tuple[str, ...]:
    return (
        f"{statistics.median(served.rates[name]):,.0f}",
        f"{served.share(name):.2f} ×",
        f"{served.busy(name):.0%}",
        us(statistics.median(served.cpu_s[name])),
        f"{served.cpu_share(name):.2f} ×",
    )


def _event_loop() -> str:
    """What uvicorn chooses by itself: the faster parts, where they are installed."""
    loop = "uvloop" if find_spec("uvloop") else "asyncio"
    return f"{loop} and {'httptools' if find_spec('httptools') else 'h11'}"


def _growth(curves: Mapping[str, Curve]) -> str:
    sizes = sorted({size for curve in curves.values() for size in curve})
    rows = [
        (name, *(us(curve[size].median_s) if size in curve else "–" for size in sizes))
        for name, curve in curves.items()
    ]
    return table(("a remembered token, by how many", *(f"{size:,}" for size in sizes)), rows)


def _threads(results: Results) -> str:
    parts = [_THREADS_NOTE, _thread_rates(results.threads)]
    if results.free_threaded is None:
        parts.append(
            f"No free-threaded interpreter was given to this run (`{ENVIRONMENT_VARIABLE}=…/python make bench`)."
        )
    else:
        parts.append(_thread_rates(results.free_threaded))
    return "\n\n".join(parts)


def _thread_rates(measured: ThreadRates) -> str:
    lock = "one thread runs Python at a time" if measured.gil else "threads run at once"
    counts = list(next(iter(measured.rates.values())))
    rows = [
        (name, *(f"{rates[count]:,.0f}/s ({rates[count] / rates[counts[0]]:.2f} ×)" for count in counts))
        for name, rates in measured.rates.items()
    ]
    head = ("operations", *(f"{count} thread{'s' if count > 1 else ''}" for count in counts))
    return f"{measured.interpreter}; {lock}:\n\n{table(head, rows)}"


def _footprint(results: Results) -> str:
    memory = table(("memory", "bytes"), [(name, f"{size:,.0f}") for name, size in results.memory.items()])
    imports = [
        (name, f"{one.median_s * 1e3:.0f} ms", f"{one.low_s * 1e3:.0f} ms") for name, one in results.imports.items()
    ]
    return memory + "\n\n" + table(("a fresh process that imports", "median", "lower quartile"), imports)


def _machine() -> str:
    installed = []
    for package in PACKAGES:
        try:
            installed.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return (
        f"{datetime.now(UTC):%d %B %Y}, Python {platform.python_version()} on {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, {backend.openssl_version_text()}, {', '.join(installed)}"
    )


_HEAD = """# Benchmarks

Made by `make bench` in one run; do not edit. {machine}.

Every comparison runs interleaved, in many short rounds on one core, without garbage collection in the midst of a round. Times are
CPU times of the process, so that other work on the machine counts as little as can be; the number is the median of the rounds,
± half the distance of the quartiles. Only ratios mean something on another machine."""

_TOKENS_NOTE = """In brackets: beside the floor, which is `cryptography`'s verification of the same signatures, or SHA-256 of the token and
one look-up for a remembered one. The floor is given everything ready-made: the signed bytes, padding, hash and signature, which for
ECDSA it takes in DER, while a token has it otherwise. Each way verifies the same 500 tokens in turn; a token is *first seen* when the
cache does not hold it: ours, with the headers it knows, is emptied outside the stop-watch before a token comes round again. No peer
remembers what it has verified, so its number holds for every request. Peers are used as their documentation says; mcpauth's number
is without the audience and the issuer, which its middleware checks."""

_SERVED_NOTE = """Loaded by aiohttp's client with {connections} connections, the server on one core and the load on the others. The share by
CPU is what one core can serve; the rate also depends on the load and on what else the machine does, the more so the less busy the
server's core was. uvicorn runs {loop}."""

_THREADS_NOTE = """Threads do the same in a loop, one server for all of them; in brackets, beside one thread. Here it is the wall
clock's time, and the best round of twelve counts. A thread that checks a signature lets others run, whatever the interpreter.
First-seen tokens enter a cache that is full, so that each puts another one out."""

_TAIL = """## What to make of it

A machine sends one token for as long as it lives, so the remembered token is the one that counts: what is left of it is mostly
SHA-256 and the interpreter. The table of FastAPI has three dependencies that check no token: one does nothing at all, one
finds the field and hashes it, which is where every look-up begins, and one is FastAPI's own. What they take is FastAPI's work for
any dependency, and it leaves next to nothing below the bar.

For a first-seen token we stay with `cryptography`, and ryjwt, where it can be installed, is ahead: its Rust does on the way what
takes us Python. The [decision on signature backends](adr/0004-signature-backend.md) says why. The ratio 1.26 for ES256 goes with a
P-256 that takes 77 µs (20 µs ÷ 0.26); where it takes half of that, the same microseconds weigh twice."""
