"""Advice about the claims: one is missing, has a wrong type or value, or contradicts another. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice_types import Advice, Cure
from m2mguard._cli.advice.issuer_terms import describe_token_request, get_api_identifier, get_trusted_issuer
from m2mguard._cli.advice.token_type import SEND_THE_OTHER_ONE, advise_on_token_kind
from m2mguard._cli.context import ExplainContext
from m2mguard._formatting import format_value, format_values
from m2mguard.errors import AnswerableError

_ALWAYS_REQUIRED = frozenset(("iss", "exp", "sub"))


def advise_on_missing_audience(context: ExplainContext) -> Advice:
    """Advise on a token without aud, which is never accepted."""
    kind = context.recognised
    mapper = kind is not None and kind.issuer_kind == "keycloak"
    write = (
        "add an Audience mapper with it to a client scope, and give that scope to the calling client"
        if mapper
        else "write it into aud"
    )
    return Advice(
        code="no_audience",
        wrong="token",
        cause="The token names no API (aud), so it may be for any API.",
        cures=(
            Cure.by_caller(f"Get a token for this API, {describe_token_request(context)}."),
            Cure.by_issuer(f"Let the issuer name this API, {format_value(get_api_identifier(context))}: {write}."),
        ),
    )


def advise_on_claim(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on a claim that is missing or invalid."""
    match error.problem:
        case "bound":
            return Advice(
                code="bound",
                wrong="unclear",
                cause="The issuer bound the token to a key of the caller (cnf, by DPoP or mutual TLS). As a bearer "
                "token it proves nothing.",
                cures=(
                    Cure.by_api(
                        "For jkt, build the ResourceServer with dpop=. For x5t#S256, give the adapter certificate=; to see whether a "
                        "certificate fits, run m2mguard explain --certificate FILE."
                    ),
                    Cure.by_issuer("Or switch DPoP or certificate-bound tokens off for this application."),
                ),
            )
        case "contradiction":
            return Advice(
                code="two_organizations",
                wrong="token",
                cause="The token names two organizations: one in aud, another in the organization claim. A script "
                "that adds claims may have written the second.",
                cures=(
                    Cure.by_issuer("Look at the script that adds claims: it must not write the organization's claim."),
                    Cure.by_caller("Then get a new token."),
                ),
            )
        case "is_machine_failed":
            return Advice(
                code="own_function",
                wrong="setting",
                cause="The settings have their own function is_machine, which decides whether a machine or a person "
                "calls. It raised an error with these claims.",
                cures=(
                    Cure.by_api(
                        "Let is_machine return False if a claim is missing or has another type; it receives read-only mappings."
                    ),
                ),
            )
        case _:
            kind_advice = advise_on_token_kind(context)
    if kind_advice is not None:
        return kind_advice
    if error.problem == "missing":
        return _advise_on_missing_claim(error.claim or "", context)
    if error.problem == "wrong_value":
        return _advise_on_wrong_value(error, context)
    return _advise_on_wrong_type(error, context)


def advise_on_certificate(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on a token that is bound to another certificate."""
    del error, context
    return Advice(
        code="other_certificate",
        wrong="unclear",
        cause="The issuer bound the token to another certificate than this one. Either the certificate was replaced after the token was "
        "got, or another application sends it.",
        cures=(Cure.by_caller("Get a new token with the certificate with which it is then sent."),),
    )


def _advise_on_missing_claim(claims: str, context: ExplainContext) -> Advice:
    kind, missing = context.recognised, set(claims.split(", "))
    if "sub" in missing and kind is not None and kind.issuer_kind == "keycloak":
        return Advice(
            code="keycloak_basic",
            wrong="issuer",
            cause="Keycloak writes sub only for clients that have the client scope basic, and this one does not.",
            cures=(
                Cure.by_issuer(
                    "Add the client scope basic to the client (Clients, Client scopes, Add client scope, Default), and get a new token."
                ),
            ),
        )
    if "aud" in missing:
        return advise_on_missing_audience(context)
    if missing & _ALWAYS_REQUIRED:
        return Advice(
            code="missing_claim",
            wrong="token",
            cause=f"The token has no {' and no '.join(sorted(missing))}, so it is unknown who calls, or until when the token is valid.",
            cures=(
                Cure.by_caller("If you did not send the access token, send that."),
                Cure.by_issuer(f"Let the issuer write {' and '.join(sorted(missing))} into access tokens."),
            ),
        )
    is_unused = missing <= {"jti", "iat"}
    required = " ".join(sorted(set(get_trusted_issuer(context).required_claims) - missing))
    return Advice(
        code="missing_claim",
        wrong="unclear",
        cause=f"The token has no {' and no '.join(sorted(missing))}. RFC 9068 requires it, and this issuer does not write it.",
        cures=(
            Cure.by_issuer(
                f"Let the issuer write {' and '.join(sorted(missing))} into access tokens, or switch RFC 9068 tokens on."
            ),
            Cure.by_caller("If you did not send the access token, send that."),
            Cure.by_api(
                f'Or expect what the issuer writes: M2MGUARD_REQUIRED_CLAIMS="{required}" (required_claims=).',
                opens="tokens without it; no check uses it"
                if is_unused
                else "other kinds of tokens that lack it; distinguish the access tokens by another claim (M2MGUARD_CLAIM_VALUES)",
            ),
        ),
    )


def _advise_on_wrong_value(error: AnswerableError, context: ExplainContext) -> Advice:
    name = error.claim or "a claim"
    return Advice(
        code="other_kind",
        wrong="token",
        cause=f"The claim {name} is {format_value(context.token.claim(name))}; the issuer's access tokens have "
        f"{format_values(error.expected)}. This is another kind of token.",
        cures=(Cure.by_caller(SEND_THE_OTHER_ONE),),
    )


def _advise_on_wrong_type(error: AnswerableError, context: ExplainContext) -> Advice:
    name = error.claim or "a claim"
    if name == "scope" and isinstance(context.token.claim("scope"), list):
        return Advice(
            code="scope_as_list",
            wrong="setting",
            cause="The issuer writes scope as a list. RFC 9068 has it as one string with spaces.",
            cures=(
                Cure.by_api(
                    'Accept the list: M2MGUARD_SCOPE_LISTS=scope (scope_lists=["scope"]).',
                    opens="nothing: each member counts as one scope",
                ),
            ),
        )
    return Advice(
        code="wrong_type",
        wrong="issuer",
        cause=f"The claim {name} has a wrong type: it is {format_value(context.token.claim(name))}. A script that "
        "adds claims at the issuer may have written it.",
        cures=(Cure.by_issuer(f"Look at the script or mapper that writes {name}, and get a new token."),),
    )
