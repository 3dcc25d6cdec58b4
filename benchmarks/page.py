"""Writes `docs/benchmarks.md`: what was measured as tables, and whether it reaches what it should. No number is made up here."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from cryptography.hazmat.backends.openssl.backend import backend

from benchmarks.footprint import import_ratio
from benchmarks.measuring import Measured
from benchmarks.scaling import Curve
from benchmarks.served import Served
from benchmarks.tokens import FIRST_SEEN, FLOOR, LOOK_UP, REMEMBERED, TokenTimes

BARE, NOTHING, OURS = "no authentication", "a dependency that does nothing", "m2mguard"
RS256_FLOOR_S = 23e-6  # of the machine whose 20 µs the bar for first-seen tokens is
PACKAGES = (
    "m2mguard", "cryptography", "pyjwt", "joserfc", "authlib", "fastmcp", "mcpauth", "guardpost", "fastapi-azure-auth", "ryjwt",
    "starlette", "fastapi", "flask", "uvicorn",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything one run has measured."""

    tokens: Mapping[str, TokenTimes]
    full_cache: Mapping[str, Measured]
    asgi: Mapping[str, Measured]
    fastapi: Mapping[str, Measured]
    flask: Mapping[str, Measured]
    served: Served
    memory: Mapping[str, float]
    imports: Mapping[str, Measured]
    curves: Mapping[str, Curve]
    threads: Mapping[int, float]
    gil: bool


def page(results: Results) -> str:
    """The whole page as Markdown."""
    return "\n\n".join([
        _HEAD.format(machine=_machine()),
        "## What it should reach\n\n" + _bars(results),
        "## One token\n\n![Time for one token](images/tokens.svg)\n\n" + _tokens(results.tokens) + "\n\n" + _TOKENS_NOTE,
        "## One request, in process\n\n![Time for one request](images/requests.svg)\n\n" + _requests(results),
        "## Requests per second\n\n![Requests per second](images/served.svg)\n\n" + _served(results.served),
        "## Growth\n\n![Time of a remembered token](images/growth.svg)\n\n" + _growth(results),
        "## Memory and import\n\n" + _footprint(results),
        _TAIL,
    ]) + "\n"  # fmt: skip


def _bars(results: Results) -> str:
    es384 = results.tokens["ES384"].times
    rows: list[tuple[str, str, str, bool]] = []

    def at_most(what: str, bar: float, reached: float) -> None:
        rows.append((what, f"≤ {bar:.2f} ×", f"{reached:.2f} ×", reached <= bar))

    at_most("remembered token, `server.verify`, beside SHA-256 + dict", 3, _ratio(es384[REMEMBERED], es384[LOOK_UP]))
    at_most(
        "remembered token, ASGI middleware, beside the bare app", 1.45, _ratio(results.asgi[OURS], results.asgi[BARE])
    )
    at_most(
        "remembered token, FastAPI dependency, beside the bare route",
        1.35,
        _ratio(results.fastapi[OURS], results.fastapi[BARE]),
    )
    for algorithm, bar in (("RS256", 1.9), ("ES256", 1.26), ("ES384", 1.06)):
        times = results.tokens[algorithm].times
        at_most(
            f"first-seen token, {algorithm}, beside its signature alone", bar, _ratio(times[FIRST_SEEN], times[FLOOR])
        )
    allowed = 20e-6 * results.tokens["RS256"].times[FLOOR].median_s / RS256_FLOOR_S
    for algorithm in ("RS256", "ES256", "ES384"):
        times = results.tokens[algorithm].times
        extra = times[FIRST_SEEN].median_s - times[FLOOR].median_s
        rows.append((
            f"the same for {algorithm}, as time on top of the signature",
            f"≤ {_us(allowed)}, which is 20 µs on a machine whose RS256 takes 23 µs",
            _us(extra),
            extra <= allowed,
        ))  # fmt: skip
    share = results.served.cpu_share(OURS)
    rows.append(("uvicorn, ES384, beside no authentication", "≥ 0.85 ×", f"{share:.2f} × (by CPU)", share >= 0.85))
    fitting, crowded = (measured.median_s for measured in results.full_cache.values())
    extra = crowded - fitting
    rows.append(
        ("10,000 live tokens, a cache of 1,024, beside first seen", "≤ + 5 µs", f"{extra * 1e6:+.1f} µs", extra <= 5e-6)
    )
    at_most("`import m2mguard`, beside its dependencies", 1.3, import_ratio(results.imports))
    return _table(
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
            cells.append(f"{_spread(one.times[name])} ({_ratio(one.times[name], floor):.2f} ×)")
        rows.append((name, *cells))
    return _table(("", *by_algorithm), rows) + "\n\n" + _missing(by_algorithm)


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
    ):
        rows = [(name, _spread(one), f"{_ratio(one, times[BARE]):.2f} ×") for name, one in times.items()]
        parts.append(_table((title, "one request", "beside no authentication"), rows))
    return "\n\n".join(parts)


def _served(served: Served) -> str:
    rows = [
        (
            name,
            f"{sorted(rates)[len(rates) // 2]:,.0f}",
            f"{served.share(name):.2f} ×",
            _us(sorted(served.cpu_s[name])[len(rates) // 2]),
            f"{served.cpu_share(name):.2f} ×",
        )
        for name, rates in served.rates.items()
    ]
    head = ("Starlette under uvicorn, one worker, ES384", "requests/s", "share", "CPU for one", "share by CPU")
    note = f"Loaded by {served.load}. The share by CPU is what one core can serve; the rate also depends on what else the machine does."
    return _table(head, rows) + "\n\n" + note


def _growth(results: Results) -> str:
    sizes = sorted({size for curve in results.curves.values() for size in curve})
    rows = [
        (name, *(_us(curve[size].median_s) if size in curve else "–" for size in sizes))
        for name, curve in results.curves.items()
    ]
    threads = "threads at once: " + ", ".join(f"{count}: {rate:,.0f}/s" for count, rate in results.threads.items())
    lock = "one thread runs at a time in this interpreter" if results.gil else "this interpreter is free-threaded"
    return (
        _table(("a remembered token, by how many", *(f"{size:,}" for size in sizes)), rows)
        + f"\n\nVerifications of one remembered token by {threads} ({lock})."
    )


def _footprint(results: Results) -> str:
    memory = _table(("memory", "bytes"), [(name, f"{size:,.0f}") for name, size in results.memory.items()])
    imports = [
        (name, f"{one.median_s * 1e3:.0f} ms", f"{one.low_s * 1e3:.0f} ms") for name, one in results.imports.items()
    ]
    return memory + "\n\n" + _table(("a fresh process that imports", "median", "lower quartile"), imports)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _ratio(measured: Measured, base: Measured) -> float:
    return measured.median_s / base.median_s


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:.2f} µs" if seconds < 10e-6 else f"{seconds * 1e6:.1f} µs"


def _spread(measured: Measured) -> str:
    return f"{_us(measured.median_s)} ± {measured.spread * 100:.0f} %"


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
one look-up for a remembered one. Each way verifies the same 500 tokens in turn; a token is *first seen* when the cache does not hold
it. No peer remembers what it has verified, so its number holds for every request. Peers are used as their documentation says;
mcpauth's number is without the audience and the issuer, which its middleware checks."""

_TAIL = """## What to make of it

A machine sends one token for as long as it lives, so the remembered token is the one that counts: what is left of it is mostly
SHA-256 and the interpreter. A dependency of FastAPI's that does nothing at all stands in its table, since a large part of what
ours adds is FastAPI's own work for any dependency. For a first-seen token we stay with `cryptography`, and ryjwt, where it can be
installed, is ahead: its Rust does on the way what takes us Python. The
[decision on signature backends](adr/0004-signature-backend.md) says why."""
