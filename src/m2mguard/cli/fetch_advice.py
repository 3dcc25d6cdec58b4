"""Why keys are not available, and what to do about it, as the table of reasons says."""

from __future__ import annotations

import codecs

from m2mguard.cli.exchanges import Exchange
from m2mguard.cli.page import Page
from m2mguard.cli.words import quoted
from m2mguard.reasons import FETCH_PROBLEMS
from m2mguard.reasons.codes import FetchProblem
from m2mguard.token.strict_json import parse_object

NO_ANSWER = "the issuer took too long, and has not answered yet"


def show_problem(page: Page, problem: FetchProblem | None, detail: str | None, exchanges: list[Exchange]) -> None:
    """Add what went wrong, what was asked, and what to do."""
    page.line(f"    problem     {detail or NO_ANSWER}")
    for exchange in exchanges:
        page.line(f"    asked       {exchange.url}: {exchange.outcome}")
    if problem == "other_issuer" and exchanges:
        body = (exchanges[-1].body or b"{}").removeprefix(codecs.BOM_UTF8)
        metadata = parse_object(body)  # the library has read it, too
        page.line(f"    it says     that its name is {quoted(metadata.get('issuer'))}")
    for cure in FETCH_PROBLEMS[problem or "timeout"].cures:
        page.line(f"    what to do  {cure}")
