"""Advice about an invalid Authorization field, and about text that is not a signed token. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice_types import Advice, Cure
from m2mguard._cli.advice.issuer_terms import describe_token_request
from m2mguard._cli.advice.keys import advise_on_removed_signature
from m2mguard._cli.context import ExplainContext
from m2mguard.errors import AnswerableError

_ENCRYPTED_SEGMENTS = 5
_SIGNED_SEGMENTS = 3


def advise_on_authorization_field(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on an Authorization field that is not one bearer credential."""
    del context
    return Advice(
        code="other_scheme" if error.reason == "other_scheme" else "not_one_credential",
        wrong="token",
        cause="The Authorization field must contain the word Bearer, a space and one token, and nothing else.",
        cures=(
            Cure.by_caller(
                "Send one field 'Authorization: Bearer TOKEN', with only the token: no quotes, no line breaks, no second word."
            ),
        ),
    )


def advise_on_malformed_token(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on a text that cannot be parsed as a signed token."""
    token = context.token
    if token.signature_removed:
        return advise_on_removed_signature()
    if error.problem == "too_long":
        return Advice(
            code="too_long",
            wrong="token",
            cause="The token is longer than 16 KiB, which no server accepts.",
            cures=(Cure.by_issuer("Write fewer claims into the token, especially groups and roles."),),
        )
    if error.problem == "header":
        return Advice(
            code="bad_header",
            wrong="token",
            cause=f"The token's header is not valid: its {error.claim or 'members'}. An extension that must be "
            "understood (crit) is not supported.",
            cures=(
                Cure.by_caller(f"Get a new token, {describe_token_request(context)}."),
                Cure.by_issuer("Issue access tokens without crit."),
            ),
        )
    if token.segments == 1:
        return Advice(
            code="opaque",
            wrong="token",
            cause="This is an opaque token, which only the issuer can read. Issuers issue one if the request names no API.",
            cures=(Cure.by_caller(f"Get a token for this API, {describe_token_request(context)}."),),
        )
    if token.segments == _ENCRYPTED_SEGMENTS:
        return Advice(
            code="encrypted",
            wrong="issuer",
            cause="This is an encrypted token (JWE: five parts). Only signed ones are read.",
            cures=(Cure.by_issuer("Switch encryption of access tokens off for this API."),),
        )
    if token.segments == _SIGNED_SEGMENTS:
        return Advice(
            code="changed",
            wrong="token",
            cause="The token has three parts, and one of them cannot be read: it was changed or cut off in transit.",
            cures=(Cure.by_caller("Copy it whole, from the token endpoint's answer."),),
        )
    return Advice(
        code="not_a_jwt",
        wrong="token",
        cause="This is not a signed token: it does not have three parts separated by dots.",
        cures=(Cure.by_caller(f"Get a token for this API, {describe_token_request(context)}, and send it whole."),),
    )
