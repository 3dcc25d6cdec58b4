"""`m2mguard explain`: have the library verify one token, and say step by step why it was accepted or refused.

The verdict is `ResourceServer.authenticate`'s. Claims are shown, since the operator brought the token; the signature never is.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from m2mguard.access import Requirement
from m2mguard.caller import Caller
from m2mguard.challenge import Answer
from m2mguard.cli.evidence import Evidence, read
from m2mguard.cli.exchanges import Exchange
from m2mguard.cli.hints import hint
from m2mguard.cli.options import Setup
from m2mguard.cli.page import Page
from m2mguard.cli.problems import tell_problem
from m2mguard.cli.steps import show_steps
from m2mguard.cli.words import listed, quoted
from m2mguard.errors import KeysUnavailable, Refusal

_FIELD_NAME = re.compile(r"authorization:[ \t]*", re.IGNORECASE)
_SHOWN_HEADERS = ("WWW-Authenticate", "Retry-After")
_SCHEME = re.compile(r"bearer[ \t]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the library said of a token, the answer its sender would get, and what there is to explain it."""

    caller: Caller | None
    error: Refusal | None
    answer: Answer | None
    evidence: Evidence
    exchanges: list[Exchange]


def judge(text: str, setup: Setup, requirement: Requirement, *, at: float | None) -> Verdict:
    """Verify a token, as it would be if a request brought it now or at another time. Blocks while keys are fetched.

    Args:
        text: the token, alone, with its scheme, or as the whole Authorization field.
        setup: the settings.
        requirement: what the route asks for.
        at: seconds since the epoch, or None for now.
    """
    now = time.time() if at is None else at
    field_value = _FIELD_NAME.sub("", text, count=1) if _FIELD_NAME.match(text) else text
    field_value = field_value if _SCHEME.match(field_value) else f"Bearer {field_value}"
    server, transport = setup.server(clock=lambda: now)
    caller: Caller | None = None
    error: Refusal | None = None
    try:
        caller = server.authenticate([field_value], requirement)
    except Refusal as refused:
        error = refused
    reading = read(field_value)
    issuer = next((one for one in setup.issuers if one.url == reading.claim("iss")), None)
    health = {one.issuer: one for one in server.health().issuers}
    given = issuer is not None and issuer.jwks is not None
    evidence = Evidence(
        reading=reading,
        issuers=setup.issuers,
        issuer=issuer,
        keys=None if issuer is None else health[issuer.url],
        keys_from="given by hand" if given or not transport.exchanges else f"found at {transport.exchanges[-1].url}",
        audiences=setup.audiences,
        leeway=setup.arguments["leeway"],
        machine_only=setup.arguments["machine_only"],
        requirement=requirement,
        now=now,
    )
    answer = None if error is None else server.answer(error)
    return Verdict(caller=caller, error=error, answer=answer, evidence=evidence, exchanges=transport.exchanges)


def show(page: Page, verdict: Verdict) -> None:
    """Show the steps, the verdict, the answer, and what to change."""
    show_steps(page, verdict.evidence, verdict.error)
    page.line()
    if verdict.caller is not None:
        scopes = listed(sorted(verdict.caller.scopes))
        page.line(f"Accepted: the caller is {quoted(verdict.caller.app_id)}, its scopes: {scopes}.")
        return
    error, answer = verdict.error, verdict.answer
    if error is None or answer is None:
        raise TypeError("a verdict is a caller, or an error with its answer")
    if isinstance(error, KeysUnavailable):
        page.line(f"Could not tell: {error.detail}.")
        keys = verdict.evidence.keys
        tell_problem(
            page,
            None if keys is None else keys.last_problem,
            None if keys is None else keys.last_error,
            verdict.exchanges,
        )
    else:
        page.line(f"Refused, {error.reason}: {error.detail}.")
    page.line()
    page.line("The caller is answered, and told no more than this:")
    page.line(f"    {answer.status}")
    for name in _SHOWN_HEADERS:
        if name in answer.headers:
            page.line(f"    {name}: {answer.headers[name]}")
    page.line(f"    {answer.body.decode()}")
    advice = hint(error, verdict.evidence)
    if advice is not None:
        page.line()
        page.line(f"Hint: {advice}")
