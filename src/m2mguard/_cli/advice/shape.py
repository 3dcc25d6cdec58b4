"""Causes before anything can be read: the Authorization field, and text that is no signed token. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice import Advice, caller, issuer
from m2mguard._cli.advice.asking import how_to_ask
from m2mguard._cli.advice.keys import removed_by_google
from m2mguard._cli.context import ExplainContext
from m2mguard.errors import AnswerableError

_ENCRYPTED_SEGMENTS = 5
_SIGNED_SEGMENTS = 3


def field(error: AnswerableError, context: ExplainContext) -> Advice:
    """What was sent is not one bearer credential."""
    del context
    return Advice(
        code="other_scheme" if error.reason == "other_scheme" else "not_one_credential",
        wrong="token",
        cause="The Authorization field must hold the word Bearer, a space and one token, and nothing else.",
        cures=(
            caller(
                "Send one field 'Authorization: Bearer TOKEN', with the token alone: no quotes, no line breaks, no second word."
            ),
        ),
    )


def malformed(error: AnswerableError, context: ExplainContext) -> Advice:
    """What was sent cannot be read as a signed token."""
    token = context.token
    if token.signature_removed:
        return removed_by_google()
    if error.problem == "too_long":
        return Advice(
            code="too_long",
            wrong="token",
            cause="The token is longer than 16 KiB, which no server accepts.",
            cures=(issuer("Write fewer claims into the token: groups and roles, above all."),),
        )
    if error.problem == "header":
        return Advice(
            code="bad_header",
            wrong="token",
            cause=f"The token's header is not valid: its {error.claim or 'members'}. An extension that must be understood "
            f"(crit) is not supported.",
            cures=(caller(f"Get a new token, {how_to_ask(context)}."), issuer("Issue access tokens without crit.")),
        )
    if token.segments == 1:
        return Advice(
            code="opaque",
            wrong="token",
            cause="This is an opaque token, which only the issuer can read. Issuers give one where no API was asked for.",
            cures=(caller(f"Get a token for this API, {how_to_ask(context)}."),),
        )
    if token.segments == _ENCRYPTED_SEGMENTS:
        return Advice(
            code="encrypted",
            wrong="issuer",
            cause="This is an encrypted token (JWE: five parts). Only signed ones are read.",
            cures=(issuer("Switch encryption of access tokens off for this API."),),
        )
    if token.segments == _SIGNED_SEGMENTS:
        return Advice(
            code="changed",
            wrong="token",
            cause="The token has three parts, and one of them cannot be read: it was changed or cut off on its way.",
            cures=(caller("Copy it whole, from the token endpoint's answer."),),
        )
    return Advice(
        code="not_a_jwt",
        wrong="token",
        cause="This is no signed token: it does not have three parts with dots between.",
        cures=(caller(f"Get a token for this API, {how_to_ask(context)}, and send it whole."),),
    )
