"""Advice about a token that an entry of the block list names. The token itself is valid. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice_types import Advice, Cure
from m2mguard._cli.context import ExplainContext
from m2mguard.errors import AnswerableError


def advise_on_blocked(error: AnswerableError, context: ExplainContext) -> Advice:
    """Say which entry it is, with the operator's words."""
    del context
    detail = error.detail or "an operator has blocked it"
    return Advice(
        code="blocked",
        wrong="token",
        cause=f"The token is valid, and {detail}.",
        cures=(
            Cure.by_caller("If the secret of the application was replaced, use the new one, and get a new token."),
            Cure.by_api(
                "m2mguard block list shows the entry, and until when it counts; m2mguard block remove ends it.",
                opens="the API to what the entry names",
            ),
        ),
    )
