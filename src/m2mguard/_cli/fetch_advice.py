"""Shows why keys are not available, and what to do, from the table of reasons."""

from __future__ import annotations

from m2mguard._cli.output import Output
from m2mguard._cli.recording_transport import Exchange
from m2mguard._formatting import format_value
from m2mguard._reasons import FETCH_PROBLEMS
from m2mguard._reasons.codes import FetchProblem

NO_ANSWER = "the issuer has not answered in time"


def show_fetch_problem(
    output: Output, problem: FetchProblem | None, detail: str | None, exchanges: list[Exchange]
) -> None:
    """Show the problem, the exchanges, and what to do."""
    output.line(f"    problem     {detail or NO_ANSWER}")
    for exchange in exchanges:
        output.line(f"    asked       {exchange.url}: {exchange.outcome}")
    if problem == "other_issuer" and exchanges:
        output.line(f"    issuer      {format_value(exchanges[-1].read_member('issuer'))}")
    for cure in FETCH_PROBLEMS[problem or "timeout"].cures:
        output.line(f"    what to do  {cure}")
