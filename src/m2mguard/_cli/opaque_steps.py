"""The steps of the verification of an opaque token: its form, what its issuer said, and the check that refused it, if one did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from m2mguard._cli.advice import Advice
from m2mguard._cli.advice.opaque import advise_on_introspected
from m2mguard._cli.context import ExplainContext
from m2mguard._cli.output import Status
from m2mguard._cli.recording_transport import Exchange
from m2mguard._cli.step_report import Step, find_refusing_step
from m2mguard._formatting import format_values
from m2mguard._server.settings import ServerSettings
from m2mguard.errors import AnswerableError, KeysUnavailable
from m2mguard.health import IssuerHealth
from m2mguard.issuer import Issuer


def introspecting_issuer(settings: ServerSettings) -> Issuer | None:
    """Return the issuer that is asked about opaque tokens, or None."""
    return next((issuer for issuer in settings.issuers if issuer.introspection is not None), None)


def health_of_introspection(health: Mapping[str, IssuerHealth], issuer: Issuer) -> IssuerHealth:
    """Return the state of an issuer, with the last problem of its introspection in place of that of its keys."""
    found = health[issuer.url]
    asked = found.introspection
    return found if asked is None else replace(found, last_problem=asked.last_problem, last_error=asked.last_error)


def list_opaque_steps(
    context: ExplainContext, error: AnswerableError | None, exchanges: Sequence[Exchange]
) -> list[Step]:
    """Return the steps, up to the one that refused."""
    token = context.token
    form = f"{token.characters:,} characters in {token.segments} segment(s): opaque, so its issuer is asked"
    steps = [Step("field", Status.PASSED, "Authorization: Bearer, and one token")]
    if error is not None and error.reason == "malformed":
        return [*steps, Step("form", Status.REFUSED, form)]
    steps.append(Step("form", Status.PASSED, form))
    endpoint = exchanges[-1].url if exchanges else "the introspection endpoint"
    if isinstance(error, KeysUnavailable):
        return [*steps, Step("introspection", Status.UNKNOWN, f"{endpoint} gave no answer that can be relied on")]
    if error is not None and error.reason == "inactive":
        return [*steps, Step("introspection", Status.REFUSED, f"{endpoint} says that it is not active")]
    steps.append(Step("introspection", Status.PASSED, f"{endpoint} says that it is active"))
    if error is None:
        return steps
    expected = f"; expected: {format_values(error.expected)}" if error.expected else ""
    got = error.detail if error.got is None else f"{error.claim or 'the answer'} is {format_values(error.got)}"
    return [*steps, Step(find_refusing_step(error, context), Status.REFUSED, f"{got}{expected}")]


def advise_on_opaque(error: AnswerableError | None, context: ExplainContext) -> Advice | None:
    """Return why an opaque token was refused and what to do; None if it was accepted or could not be checked."""
    if error is None or isinstance(error, KeysUnavailable):
        return None
    return advise_on_introspected(error, context)
