"""The sample token that pages about JWTs show. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice import Advice, caller
from m2mguard._cli.advice.asking import how_to_ask
from m2mguard._cli.context import ExplainContext

_SUBJECT = "1234567890"


def is_sample(context: ExplainContext) -> bool:
    """Whether this is a sample token: signed with a shared secret, and about no real subject."""
    header = context.token.header
    return header is not None and header.alg.startswith("HS") and context.token.claim("sub") == _SUBJECT


def sample(context: ExplainContext) -> Advice:
    """Say so."""
    return Advice(
        code="sample",
        wrong="token",
        cause="This is the sample token of a page about JWTs, signed with a shared secret (HS256). No issuer made it.",
        cures=(caller(f"Get a real token from the issuer, {how_to_ask(context)}."),),
    )
