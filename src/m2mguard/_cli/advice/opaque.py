"""Advice about an opaque token that its issuer was asked about. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice_types import Advice, Cure, Who
from m2mguard._cli.context import ExplainContext
from m2mguard._reasons import REFUSALS
from m2mguard.errors import AnswerableError

_WHO: dict[str, Who] = {"Caller": "caller", "API": "api", "Issuer": "issuer", "Here": "api"}


def advise_on_introspected(error: AnswerableError, context: ExplainContext) -> Advice:
    """Only the issuer can read the token, so there is no more to say than the table of reasons does."""
    entry = REFUSALS[error.reason]
    issuer = "" if context.issuer is None else f" {context.issuer.url} was asked about it."
    return Advice(
        code="inactive" if error.reason == "inactive" else "introspected",
        wrong="token" if error.reason == "inactive" else "unclear",
        cause=f"This is an opaque token.{issuer} {entry.meaning}",
        cures=tuple(_cure(text) for text in entry.cures),
    )


def _cure(text: str) -> Cure:
    who, _, what = text.partition(": ")
    return Cure(who=_WHO[who], text=what[0].upper() + what[1:])
