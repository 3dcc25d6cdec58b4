"""`make bench`: measures everything side by side and writes `docs/explanation/benchmarks.md` with its plots. Takes some six minutes.

FREE_THREADED names an interpreter without the lock, for the threads: see `benchmarks/threads.py`.
"""

from __future__ import annotations

import logging
import time
import warnings
from pathlib import Path

from benchmarks.footprint import import_times, memory
from benchmarks.growth import curves
from benchmarks.plots import draw
from benchmarks.report import Results, report
from benchmarks.requests_in_process import asgi_times, fastapi_times, flask_times, wsgi_times
from benchmarks.servers import gthread_rates, served_rates
from benchmarks.test_kit import WITHOUT_HTTP, fixture_times
from benchmarks.threads import free_threaded_rates, thread_rates
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
    print("requests, in process", flush=True)
    asgi, fastapi, flask, wsgi = asgi_times(), fastapi_times(), flask_times(), wsgi_times()
    print("requests, under uvicorn and gunicorn", flush=True)
    served, gthread = served_rates(), gthread_rates()
    fixtures = fixture_times()
    print(f"test kit: {WITHOUT_HTTP}: {fixtures[WITHOUT_HTTP].median_s * 1e3:.2f} ms", flush=True)
    print("growth, threads, memory, import", flush=True)
    results = Results(
        tokens=tokens,
        full_cache=full_cache_times(),
        asgi=asgi,
        fastapi=fastapi,
        flask=flask,
        wsgi=wsgi,
        served=served,
        gthread=gthread,
        memory=memory(),
        imports=import_times(),
        curves=curves(),
        threads=thread_rates(),
        free_threaded=free_threaded_rates(),
        fixtures=fixtures,
    )
    draw(results, DOCS / "images")
    (DOCS / "explanation" / "benchmarks.md").write_text(report(results), encoding="utf-8")
    print(f"docs/explanation/benchmarks.md is written, after {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
