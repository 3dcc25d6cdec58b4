"""Run every drill and the soak, and write docs/explanation/drills.md. `--soak SECONDS` shortens the soak, which takes ten minutes."""

import argparse
import datetime as dt
import logging
import platform
from pathlib import Path

from benchmarks.drills.faults import DRILLS, Run
from benchmarks.drills.soak import CACHING, Soak, soak
from benchmarks.drills.subjects import SUBJECTS
from benchmarks.report import table
from m2mguard.testing import LocalIssuer

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "drills.md"


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.drills", description=__doc__)
    arguments.add_argument("--soak", type=float, default=600, metavar="SECONDS")
    seconds = arguments.parse_args().soak
    logging.disable(logging.CRITICAL)
    rows = [_row(*drill) for drill in DRILLS]
    print(f"soak: {seconds:g} s", flush=True)
    PAGE.write_text(_page(rows, soak(seconds)), encoding="utf-8")


def _row(fault: str, promise: str, run: Run) -> list[str]:
    cells = []
    for subject in SUBJECTS:
        with LocalIssuer(algorithm="ES256") as issuer:
            cells.append(run(issuer, subject.asking(issuer)))
            issuer.behave()
        print(f"{fault} | {subject.name}: {cells[-1]}", flush=True)
    return [fault, promise, *cells]


def _page(rows: list[list[str]], result: Soak) -> str:
    total = result.verdicts.total()
    counts = ((outcome, f"{count:,}") for outcome, count in result.verdicts.most_common())
    return (Path(__file__).with_name("page.md").read_text(encoding="utf-8")).format(
        date=f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        python=f"{platform.python_implementation()} {platform.python_version()}, {platform.system()}",
        table=table(("fault", "m2mguard promises", *(subject.name for subject in SUBJECTS)), rows, numbers=False),
        result=result,
        minutes=result.seconds / 60,
        ttl=CACHING.ttl,
        total=total,
        speed=total / result.seconds,
        wrong=len(result.wrong),
        most=max(result.rss_mib),
        verdicts=table(("verdict", "times"), counts),
    )


if __name__ == "__main__":
    main()
