"""Run every drill and the soak, and write docs/explanation/drills.md. `--soak SECONDS` shortens the soak, which takes ten minutes."""

from __future__ import annotations

import argparse
import datetime as dt
import logging
import platform
from pathlib import Path

from benchmarks.drills.faults import DRILLS, Drill
from benchmarks.drills.soak import CACHING, Soak, soak
from benchmarks.drills.subjects import SUBJECTS
from m2mguard.testing import LocalIssuer

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "drills.md"


PAGE_TEMPLATE = """\
# Drills

What becomes of tokens while an issuer fails. Written by `make drills` on {date}, {python}; every cell is from that one run,
each against a local issuer of its own over real HTTP. A verifier that has a setting for it gets a ttl of three seconds and a
time-out of five, and otherwise its defaults; fastmcp keeps keys for an hour whatever one sets. An outcome that looks like a
class name is an exception that the verifier lets through; "no verdict" came to nothing within eight seconds. The floods
come when the ttl is over, so that the refresh which is then due is counted with them.

{table}

What no peer can be put through (fork with a lock held, greenlets, cancelled waiters, several event loops, discovery that lies)
is in the tests: `tests/keys`, `tests/net` and `tests/concurrency`.

## Soak

{minutes:.1f} minutes at full speed, {result.rotations} rotations, {result.faults} faults at random, ttl {ttl:g} s:
{total:,} verdicts ({speed:,.0f} a second), **{wrong} wrong**, {result.fetches} fetches, {result.threads} threads left over.
Memory (RSS): {at_first:.0f} MiB at the start, {settled:.0f} MiB after a quarter of the time, {at_last:.0f} MiB at the end,
at most {most:.0f} MiB.

| verdict | times |
|---|---|
{verdicts}

"Could not tell" is a 503: for a key we do not hold, asked for while the issuer failed or took its time. The tokens are of the last six
keys, most of which are withdrawn: hence the many that are refused for an unknown key.
"""


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.drills", description=__doc__)
    arguments.add_argument("--soak", type=float, default=600, metavar="SECONDS")
    seconds = arguments.parse_args().soak
    logging.disable(logging.CRITICAL)
    rows = [_row(drill) for drill in DRILLS]
    print(f"soak: {seconds:g} s", flush=True)
    PAGE.write_text(_page(rows, soak(seconds)), encoding="utf-8")


def _row(drill: Drill) -> list[str]:
    cells = []
    for subject in SUBJECTS:
        with LocalIssuer(algorithm="ES256") as issuer:
            cells.append(drill.run(issuer, made := subject(issuer)))
            issuer.behave()
        print(f"{drill.fault} | {made.name}: {cells[-1]}", flush=True)
    return [drill.fault, drill.promise, *cells]


def _page(rows: list[list[str]], result: Soak) -> str:
    names = [subject.name for subject in SUBJECTS]
    table = [["fault", "m2mguard promises", *names], ["---"] * (len(names) + 2), *rows]
    total = sum(result.verdicts.values())
    memory = result.rss_mib
    return PAGE_TEMPLATE.format(
        date=f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        python=f"{platform.python_implementation()} {platform.python_version()}, {platform.system()}",
        table="\n".join("| " + " | ".join(row) + " |" for row in table),
        result=result,
        minutes=result.seconds / 60,
        ttl=CACHING.ttl,
        total=total,
        speed=total / result.seconds,
        wrong=len(result.wrong),
        at_first=memory[0],
        settled=memory[len(memory) // 4],
        at_last=memory[-1],
        most=max(memory),
        verdicts="\n".join(f"| {outcome} | {count:,} |" for outcome, count in result.verdicts.most_common()),
    )


if __name__ == "__main__":
    main()
