"""Advice about the sample token that web pages about JWTs show. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice_types import Advice, Cure
from m2mguard._cli.advice.issuer_terms import describe_token_request
from m2mguard._cli.context import ExplainContext

_SUBJECT = "1234567890"


def is_sample_token(context: ExplainContext) -> bool:
    """Whether this is a sample token: signed with a shared secret, and with the subject of the sample."""
    header = context.token.header
    return header is not None and header.alg.startswith("HS") and context.token.claim("sub") == _SUBJECT


def advise_on_sample_token(context: ExplainContext) -> Advice:
    """Advise on the sample token."""
    return Advice(
        code="sample",
        wrong="token",
        cause="This is the sample token of a web page about JWTs, signed with a shared secret (HS256). No issuer made it.",
        cures=(Cure.by_caller(f"Get a real token from the issuer, {describe_token_request(context)}."),),
    )
