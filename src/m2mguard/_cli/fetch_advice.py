"""Why keys are not available, and what to do about it, as the table of reasons says."""

from __future__ import annotations

import codecs

from m2mguard._cli.output import Output
from m2mguard._cli.recording_transport import Exchange
from m2mguard._formatting import quoted
from m2mguard._reasons import FETCH_PROBLEMS
from m2mguard._reasons.codes import FetchProblem
from m2mguard._token.strict_json import parse_object

NO_ANSWER = "the issuer took too long, and has not answered yet"


def show_problem(output: Output, problem: FetchProblem | None, detail: str | None, exchanges: list[Exchange]) -> None:
    """Add what went wrong, what was asked, and what to do."""
    output.line(f"    problem     {detail or NO_ANSWER}")
    for exchange in exchanges:
        output.line(f"    asked       {exchange.url}: {exchange.outcome}")
    if problem == "other_issuer" and exchanges:
        body = (exchanges[-1].body or b"{}").removeprefix(codecs.BOM_UTF8)
        metadata = parse_object(body)  # the library has read it, too
        output.line(f"    it says     that its name is {quoted(metadata.get('issuer'))}")
    for cure in FETCH_PROBLEMS[problem or "timeout"].cures:
        output.line(f"    what to do  {cure}")
