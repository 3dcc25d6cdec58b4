"""`make bench`: measures every part and writes `docs/explanation/benchmarks.md` with its plots, in about eight minutes.
`--quick` measures little of everything: its page shows that all of it works, and is not one to keep."""

import argparse
import logging
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import footprint, grpc_calls, http_requests, mcp_calls, test_kit, threads, tokens
from benchmarks.measure import QUICK, Effort
from benchmarks.report import report

DOCS = Path(__file__).resolve().parent.parent / "docs"
PARTS: Mapping[str, Callable[[Effort], Any]] = {
    "tokens": tokens.token_times,
    "ml_dsa": tokens.ml_dsa_times,
    "full_cache": tokens.full_cache_times,
    "requests": http_requests.request_times,
    "served": http_requests.served,
    "mcp": mcp_calls.mcp_times,
    "grpc": grpc_calls.grpc_times,
    "fixtures": test_kit.fixture_times,
    "memory": footprint.memory,
    "imports": footprint.import_times,
    "curves": tokens.curves,
    "threads": threads.thread_rates,
    "free_threaded": threads.free_threaded_rates,
}
"""What a run measures. A new figure is a function here, and its table in `report.py` and `page.md`."""


def main() -> None:
    from benchmarks.plots import draw  # matplotlib, which no test needs

    arguments = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    arguments.add_argument("--quick", action="store_const", dest="effort", const=QUICK, default=Effort())
    effort = arguments.parse_args().effort
    warnings.simplefilter("ignore")  # what peers warn of is theirs to mend
    logging.disable(logging.WARNING)
    began, results = time.monotonic(), {}
    for name, part in PARTS.items():
        print(f"{time.monotonic() - began:5.0f} s  {name}", flush=True)
        results[name] = part(effort)
    print(f"test kit: {test_kit.summary_line(results['fixtures'])}", flush=True)
    draw(results, DOCS / "images")
    (DOCS / "explanation" / "benchmarks.md").write_text(report(results), encoding="utf-8")
    print(f"{time.monotonic() - began:5.0f} s  docs/explanation/benchmarks.md is written", flush=True)


if __name__ == "__main__":
    main()
