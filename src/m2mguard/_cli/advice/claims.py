"""Causes around the claims: one is missing, has another type or value, or contradicts another. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice import Advice, api, caller, issuer
from m2mguard._cli.advice.asking import how_to_ask, this_api, trusted_issuer
from m2mguard._cli.advice.kinds import SEND_THE_OTHER_ONE, kind_of_token
from m2mguard._cli.context import ExplainContext
from m2mguard._formatting import listed, quoted
from m2mguard.errors import AnswerableError

_INDISPENSABLE = frozenset(("iss", "exp", "sub"))


def no_audience(context: ExplainContext) -> Advice:
    """The token names no API. That is never to be accepted."""
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
        cause="The token names no API (aud), so it may be for any.",
        cures=(
            caller(f"Get a token for this API, {how_to_ask(context)}."),
            issuer(f"Let the issuer name this API, {quoted(this_api(context))}: {write}."),
        ),
    )


def claim(error: AnswerableError, context: ExplainContext) -> Advice:
    """A claim is missing or is not as it should be."""
    match error.problem:
        case "bound":
            return Advice(
                code="bound",
                wrong="token",
                cause="The issuer bound the token to a key of the caller (cnf, by DPoP or mutual TLS). Sent as a bearer token "
                "it proves nothing.",
                cures=(issuer("Switch DPoP or certificate-bound tokens off for this application."),),
            )
        case "contradiction":
            return Advice(
                code="two_organizations",
                wrong="token",
                cause="The token names two organizations: its aud one, its organization claim another. A script that adds "
                "claims may have written it.",
                cures=(
                    issuer("Look at the script that adds claims: it must not write the organization's claim."),
                    caller("Then get a new token."),
                ),
            )
        case "is_machine_failed":
            return Advice(
                code="own_function",
                wrong="setting",
                cause="The settings have a function of their own that tells machines from persons (is_machine), and it raised "
                "an error with these claims.",
                cures=(
                    api(
                        "Let is_machine return False where a claim is missing or has another type; it gets read-only mappings."
                    ),
                ),
            )
        case _:
            known = kind_of_token(context)
    if known is not None:
        return known
    if error.problem == "missing":
        return _missing(error.claim or "", context)
    if error.problem == "wrong_value":
        return _other_kind_by_value(error, context)
    return _wrong_type(error, context)


def _missing(claims: str, context: ExplainContext) -> Advice:
    kind, missing = context.recognised, set(claims.split(", "))
    if "sub" in missing and kind is not None and kind.issuer_kind == "keycloak":
        return Advice(
            code="keycloak_basic",
            wrong="issuer",
            cause="Keycloak writes sub only for clients that have the client scope basic, and this one does not.",
            cures=(
                issuer(
                    "Add the client scope basic to the client (Clients, Client scopes, Add client scope, Default), and get a new token."
                ),
            ),
        )
    if "aud" in missing:
        return no_audience(context)
    if missing & _INDISPENSABLE:
        return Advice(
            code="missing_claim",
            wrong="token",
            cause=f"The token has no {' and no '.join(sorted(missing))}, without which it is unknown who calls, or until when.",
            cures=(
                caller("If it is not the access token that was sent, send that."),
                issuer(f"Let the issuer write {' and '.join(sorted(missing))} into access tokens."),
            ),
        )
    harmless = missing <= {"jti", "iat"}
    required = " ".join(sorted(set(trusted_issuer(context).required_claims) - missing))
    return Advice(
        code="missing_claim",
        wrong="unclear",
        cause=f"The token has no {' and no '.join(sorted(missing))}. RFC 9068 asks for it, and this issuer does not write it.",
        cures=(
            issuer(
                f"Let the issuer write {' and '.join(sorted(missing))} into access tokens, or switch RFC 9068 tokens on."
            ),
            caller("If it is not the access token that was sent, send that."),
            api(
                f'Or expect what the issuer writes: M2MGUARD_REQUIRED_CLAIMS="{required}" (required_claims=).',
                opens="tokens without it; nothing is decided by it"
                if harmless
                else "tokens of other kinds that lack it, too: tell the access "
                "tokens by another claim (M2MGUARD_CLAIM_VALUES)",
            ),
        ),
    )


def _other_kind_by_value(error: AnswerableError, context: ExplainContext) -> Advice:
    name = error.claim or "a claim"
    return Advice(
        code="other_kind",
        wrong="token",
        cause=f"The claim {name} is {quoted(context.token.claim(name))}; the issuer's access tokens have "
        f"{listed(error.expected)}. This is another kind of "
        "token.",
        cures=(caller(SEND_THE_OTHER_ONE),),
    )


def _wrong_type(error: AnswerableError, context: ExplainContext) -> Advice:
    name = error.claim or "a claim"
    if name == "scope" and isinstance(context.token.claim("scope"), list):
        return Advice(
            code="scope_as_list",
            wrong="setting",
            cause="The issuer writes scope as a list. RFC 9068 has it as one string with spaces.",
            cures=(
                api(
                    'Accept the list: M2MGUARD_SCOPE_LISTS=scope (scope_lists=["scope"]).',
                    opens="nothing: each member counts as one scope",
                ),
            ),
        )
    return Advice(
        code="wrong_type",
        wrong="issuer",
        cause=f"The claim {name} has not the type that it must have: it is {quoted(context.token.claim(name))}. A script that "
        f"adds claims at the issuer "
        "may have written it.",
        cures=(issuer(f"Look at the script or mapper that writes {name}, and get a new token."),),
    )
