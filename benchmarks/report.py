"""Fills `page.md` with the tables of one run, and says whether m2mguard reaches its bars."""

import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cryptography.hazmat.backends.openssl.backend import backend

from benchmarks.apps import BARE, FASTAPI, OURS, STARLETTE
from benchmarks.footprint import DEPENDENCIES, EMPTY, EVERY_NAME
from benchmarks.http_requests import CONNECTIONS, UVICORN, Served
from benchmarks.measure import Measured, us
from benchmarks.threads import ENVIRONMENT_VARIABLE, THREADS, ThreadRates
from benchmarks.tokens import FIRST_SEEN, FLOOR, LOOK_UP, REMEMBERED

TEMPLATE = Path(__file__).with_name("page.md")
RS256_FLOOR_S = 23e-6  # of the machine whose 20 µs the bar for first-seen tokens is
PACKAGES = (
    "m2mguard", "cryptography", "pyjwt", "joserfc", "authlib", "fastmcp", "mcpauth", "guardpost", "fastapi-azure-auth", "ryjwt",
    "starlette", "fastapi", "flask", "uvicorn", "gunicorn", "grpcio",
)  # fmt: skip


def report(results: Mapping[str, Any]) -> str:
    """The page as Markdown; `results` has what each part of `benchmarks.__main__` measured."""
    imports = ((name, *(f"{s * 1e3:.0f} ms" for s in (m.median_s, m.low_s))) for name, m in results["imports"].items())
    return TEMPLATE.read_text(encoding="utf-8").format(
        machine=_machine(),
        bars=table(("", "bar", "this run", ""), _bars(results)),
        tokens=_tokens(results["tokens"]),
        ml_dsa=_tokens(results["ml_dsa"]),
        requests="\n\n".join(_requests(title, times) for title, times in results["requests"].items()),
        served="\n\n".join(_served(title, rates) for title, rates in results["served"].items()),
        mcp="\n\n".join(_requests(title, times) for title, times in results["mcp"].items()),
        grpc="\n\n".join(_requests(title, times) for title, times in results["grpc"].items()),
        connections=CONNECTIONS,
        loop=f"{'uvloop' if find_spec('uvloop') else 'asyncio'} and {'httptools' if find_spec('httptools') else 'h11'}",
        growth=_growth(results["curves"]),
        threads=f"{_threads(results['threads'])}\n\n{_threads(results['free_threaded'])}",
        fixtures=table(
            ("what a test costs", "median"),
            ((name, f"{one.median_s * 1e3:.2f} ms") for name, one in results["fixtures"].items()),
        ),
        memory=table(("memory", "bytes"), ((name, f"{size:,.0f}") for name, size in results["memory"].items())),
        imports=table(("a fresh process that imports", "median", "lower quartile"), imports),
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = True) -> str:
    """A Markdown table. Its first column is of text, the others are of numbers or of text."""
    lines = [head, ["---", *("---:" if numbers else "---" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _bars(results: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    def row(what: str, bar: str, reached: str, good: bool) -> tuple[str, ...]:  # noqa: FBT001
        return what, bar, reached, "reached" if good else "**missed**"

    def at_most(what: str, bar: float, reached: float) -> tuple[str, ...]:
        return row(what, f"≤ {bar:.2f} ×", f"{reached:.2f} ×", reached <= bar)

    tokens, es384 = results["tokens"], results["tokens"]["ES384"]
    starlette, fastapi = (results["requests"][name] for name in (STARLETTE, FASTAPI))
    remembered = es384[REMEMBERED].beside(es384[LOOK_UP])
    yield at_most("remembered token, `server.verify`, beside SHA-256 + dict", 3, remembered)
    asgi, dependency = starlette[OURS].beside(starlette[BARE]), fastapi[OURS].beside(fastapi[BARE])
    yield at_most("remembered token, ASGI middleware, beside the bare app", 1.45, asgi)
    yield at_most("remembered token, FastAPI dependency, beside the bare route", 1.35, dependency)
    for algorithm, bar in (("RS256", 1.9), ("ES256", 1.26), ("ES384", 1.06)):
        first_seen = tokens[algorithm][FIRST_SEEN].beside(tokens[algorithm][FLOOR])
        yield at_most(f"first-seen token, {algorithm}, beside its signature alone", bar, first_seen)
    allowed = 20e-6 * tokens["RS256"][FLOOR].median_s / RS256_FLOOR_S
    for algorithm in ("RS256", "ES256", "ES384"):
        extra = tokens[algorithm][FIRST_SEEN].median_s - tokens[algorithm][FLOOR].median_s
        bar = f"≤ {us(allowed)}, which is 20 µs on a machine whose RS256 takes 23 µs"
        yield row(f"the same for {algorithm}, as time on top of the signature", bar, us(extra), extra <= allowed)
    share = results["served"][UVICORN][OURS].cpu_share
    yield row("uvicorn, ES384, beside no authentication", "≥ 0.85 ×", f"{share:.2f} × (by CPU)", share >= 0.85)
    fitting, crowded = results["full_cache"].values()
    extra = crowded.median_s - fitting.median_s
    what = "10,000 live tokens, a cache of 1,024, beside first seen"
    yield row(what, "≤ + 5 µs", f"{extra * 1e6:+.1f} µs", extra <= 5e-6)
    empty, dependencies, ours = (results["imports"][name].median_s for name in (EMPTY, DEPENDENCIES, EVERY_NAME))
    what = "import of m2mguard with every public name, beside its dependencies"
    yield at_most(what, 1.3, (ours - empty) / (dependencies - empty))


def _tokens(by_algorithm: Mapping[str, Mapping[str, Measured | str]]) -> str:
    def cell(times: Mapping[str, Any], name: str) -> str:
        if isinstance(times[name], str):
            return times[name]
        floor = times[LOOK_UP if name in (LOOK_UP, REMEMBERED) else FLOOR]
        return f"{times[name]} ({times[name].beside(floor):.2f} ×)"

    names = dict.fromkeys(name for times in by_algorithm.values() for name in times)
    return table(("", *by_algorithm), ((name, *(cell(one, name) for one in by_algorithm.values())) for name in names))


def _requests(title: str, times: Mapping[str, Measured]) -> str:
    rows = ((name, str(one), f"{one.beside(times[BARE]):.2f} ×") for name, one in times.items())
    return table((title, "one", "beside no authentication"), rows)


def _served(title: str, rates: Mapping[str, Served]) -> str:
    rows = (
        (name, f"{one.rate:,.0f}", f"{one.share:.2f} ×", f"{one.busy:.0%}", us(one.cpu_s), f"{one.cpu_share:.2f} ×")
        for name, one in rates.items()
    )
    return table((title, "requests/s", "share", "core busy", "CPU for one", "share by CPU"), rows)


def _growth(curves: Mapping[str, Mapping[int, Measured]]) -> str:
    sizes = sorted({size for curve in curves.values() for size in curve})
    rows = ((name, *(us(one[n].median_s) if n in one else "–" for n in sizes)) for name, one in curves.items())
    return table(("a remembered token, by how many", *(f"{size:,}" for size in sizes)), rows)


def _threads(measured: ThreadRates | None) -> str:
    if measured is None:
        return f"No free-threaded interpreter was given to this run (`{ENVIRONMENT_VARIABLE}=…/python make bench`)."
    rows = (
        (name, *(f"{rate:,.0f}/s ({rate / rates[0]:.2f} ×)" for rate in rates))
        for name, rates in measured.rates.items()
    )
    return f"{measured.interpreter}:\n\n" + table(("operations", *(f"threads: {n}" for n in THREADS)), rows)


def _machine() -> str:
    installed = {one.name.lower(): one.version for one in distributions()}
    versions = ", ".join(f"{package} {installed[package]}" for package in PACKAGES if package in installed)
    return (
        f"{datetime.now(UTC):%d %B %Y}, Python {platform.python_version()} on {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, {backend.openssl_version_text()}, {versions}"
    )
