"""`make bench`: measures everything side by side and writes `docs/benchmarks.md` with its plots. Takes some five minutes."""

from __future__ import annotations

import logging
import time
import warnings
from pathlib import Path

from benchmarks.footprint import import_times, memory
from benchmarks.in_process import asgi_times, fastapi_times, flask_times
from benchmarks.page import Results, page
from benchmarks.plots import draw
from benchmarks.scaling import curves, has_gil, thread_rates
from benchmarks.served import served_rates
from benchmarks.tokens import ALGORITHMS, full_cache_times, token_times

DOCS = Path(__file__).resolve().parent.parent / "docs"


def main() -> None:
    """Measure, write, and say how long it took."""
    began = time.monotonic()
    warnings.simplefilter("ignore")  # what peers warn of is theirs to mend
    logging.disable(logging.WARNING)
    tokens = {}
    for algorithm in ALGORITHMS:
        print(f"tokens, {algorithm}", flush=True)
        tokens[algorithm] = token_times(algorithm)
    print("requests, in process and under uvicorn", flush=True)
    asgi, fastapi, flask, served = asgi_times(), fastapi_times(), flask_times(), served_rates()
    print("growth, threads, memory, import", flush=True)
    results = Results(
        tokens=tokens,
        full_cache=full_cache_times(),
        asgi=asgi,
        fastapi=fastapi,
        flask=flask,
        served=served,
        memory=memory(),
        imports=import_times(),
        curves=curves(),
        threads=thread_rates(),
        gil=has_gil(),
    )
    draw(results, DOCS / "images")
    (DOCS / "benchmarks.md").write_text(page(results), encoding="utf-8")
    print(f"docs/benchmarks.md is written, after {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
