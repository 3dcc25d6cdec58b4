"""Causes around the kind of the token: its typ, its claims, and whether it is a machine's. Pure."""

from __future__ import annotations

from m2mguard.cli.advice.advice import Advice, api, caller, issuer
from m2mguard.cli.advice.asking import how_to_ask, is_logto, this_api, trusted_issuer
from m2mguard.cli.advice.issuers import preset_words
from m2mguard.cli.context import ExplainContext
from m2mguard.cli.words import listed, quoted
from m2mguard.errors import Refusal
from m2mguard.token.claims import sub_is_client_id

_SEND_THE_OTHER_ONE = "Send the access_token of the token endpoint's answer, not the id_token."
_PERSONS = "persons: every route that names neither app_ids nor machine_only is then open to everybody who can sign in"
_INDISPENSABLE = frozenset(("iss", "exp", "sub"))
_TYPES = {
    "logout+jwt": "a logout token, which tells an app that a session has ended",
    "secevent+jwt": "a security event token",
    "dpop+jwt": "a DPoP proof, which goes into a header of its own, DPoP",
    "token-introspection+jwt": "the answer of an introspection endpoint",
    "oauth-authz-req+jwt": "an authorization request",
    "rt+jwt": "a refresh token",
    "refresh+jwt": "a refresh token",
}


def token_type(error: Refusal, context: ExplainContext) -> Advice:
    """The header's `typ` is none that is accepted."""
    del error
    typ = context.token.header.typ if context.token.header else None
    special = _TYPES.get((typ or "").lower().removeprefix("application/"))
    if special is not None:
        return _other_kind(special, context)
    return kind_of_token(context) or _not_rfc9068(context)


def kind_of_token(context: ExplainContext) -> Advice | None:
    """Say that the token is an ID token, a refresh token or another product's access token, where that is plain; else None."""
    kind = context.recognised
    if kind is not None and kind.issuer_kind == "google" and not kind.is_application:
        return _googles_person(context)
    match kind.token_kind if kind is not None else _kind_by_claims(context):
        case "id_token":
            return Advice(
                code="id_token",
                wrong="token",
                cause="This looks like an ID token, which tells an app who signed in. It is no proof of who calls an API.",
                cures=(
                    caller(_SEND_THE_OTHER_ONE),
                    caller(f"A service gets one with grant_type=client_credentials, {how_to_ask(context)}."),
                ),
            )
        case "workload":
            return _workload(context)
        case "refresh":
            return Advice(
                code="refresh_token",
                wrong="token",
                cause="This is a refresh token, which is for the token endpoint alone. It is a secret that lives long: treat it as leaked.",
                cures=(caller("Send the access_token, and revoke this refresh token."),),
            )
        case _:
            pass
    words = preset_words(kind)
    if kind is None or not words or kind.confidence != "sure" or _has_preset(context):
        return None
    return Advice(
        code="needs_preset",
        wrong="setting",
        cause=f"This is an access token of {kind.name}, whose tokens differ from RFC 9068. The settings take it for an issuer "
        f"that follows it.",
        cures=(
            api(
                f"Use the preset, which knows the tokens of {kind.name}: {words}, in the place of --issuer (M2MGUARD_ISSUER)."
            ),
        ),
    )


def _googles_person(context: ExplainContext) -> Advice:
    return Advice(
        code="id_token",
        wrong="token",
        cause="This is Google's ID token of a person. A service is known by the ID token of its service account.",
        cures=(caller(f"Let the service get its token from its own service account, {how_to_ask(context)}."),),
    )


def _workload(context: ExplainContext) -> Advice | None:
    kind = context.recognised
    if kind is None or _has_preset(context):
        return None
    return Advice(
        code="workload_token",
        wrong="setting",
        cause=f"This is a token that {kind.name} gives a workload. It proves which workload calls, has no scopes, and does not "
        f"follow RFC 9068, as "
        "the settings expect.",
        cures=(
            api(
                "Build the issuer in code for such tokens: Issuer(token_types=..., required_claims=[...], is_machine=...), and "
                "let each route name "
                "who may call by app_ids.",
                opens=f"every workload of {kind.name} that can name this API's audience: a route without app_ids lets them all in",
            ),
        ),
    )


def _kind_by_claims(context: ExplainContext) -> str:
    claims = context.token.claims or {}
    if {"nonce", "at_hash", "c_hash"} & claims.keys() and "scope" not in claims:
        return "id_token"
    logto = context.issuer is not None and is_logto(context.issuer)
    return "id_token" if logto and {"client_id", "scope"}.isdisjoint(claims) else "unknown"


def _has_preset(context: ExplainContext) -> bool:
    """Whether the settings say more of this issuer than its URL: a preset's, or the user's own."""
    one = context.issuer
    return one is not None and (one.is_machine is not sub_is_client_id or bool(one.claim_values) or is_logto(one))


def _other_kind(what: str, context: ExplainContext) -> Advice:
    return Advice(
        code="other_kind",
        wrong="token",
        cause=f"By its typ this is {what}. It is no access token.",
        cures=(
            caller(
                f"Send an access token. A service gets one with grant_type=client_credentials, {how_to_ask(context)}."
            ),
        ),
    )


def _not_rfc9068(context: ExplainContext) -> Advice:
    typ = context.token.header.typ if context.token.header else None
    return Advice(
        code="not_rfc9068",
        wrong="unclear",
        cause=f"The token has {'no typ' if typ is None else f'the typ {quoted(typ)}'}. RFC 9068 gives access tokens the typ "
        f"at+jwt, so that no other "
        "token of the issuer can be taken for one.",
        cures=(
            caller(_SEND_THE_OTHER_ONE),
            issuer("If this is the access token, switch RFC 9068 tokens on, where the issuer can do that."),
            api(
                "If it cannot, and m2mguard.presets does not have it, accept its typ by M2MGUARD_TOKEN_TYPES (token_types=).",
                opens="whatever else the issuer signs with this typ, ID tokens above all: keep those out by M2MGUARD_CLAIM_VALUES or "
                "M2MGUARD_REQUIRED_CLAIMS",
            ),
        ),
    )


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
        cause="The token names no API (aud), so it may be meant for any.",
        cures=(
            caller(f"Get a token for this API, {how_to_ask(context)}."),
            issuer(f"Let the issuer name this API, {quoted(this_api(context))}: {write}."),
        ),
    )


def claim(error: Refusal, context: ExplainContext) -> Advice:
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
            cause=f"The token has no {' and no '.join(sorted(missing))}, without which nobody can tell who calls, or until when.",
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


def _other_kind_by_value(error: Refusal, context: ExplainContext) -> Advice:
    name = error.claim or "a claim"
    return Advice(
        code="other_kind",
        wrong="token",
        cause=f"The claim {name} is {quoted(context.token.claim(name))}; the issuer's access tokens have "
        f"{listed(error.expected)}. This is another kind of "
        "token.",
        cures=(caller(_SEND_THE_OTHER_ONE),),
    )


def _wrong_type(error: Refusal, context: ExplainContext) -> Advice:
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


def not_a_machine(error: Refusal, context: ExplainContext) -> Advice:
    """The token is a person's, or the settings cannot tell that it is a machine's."""
    del error
    kind, one, claims = context.recognised, trusted_issuer(context), context.token.claims or {}
    if "act" in claims:
        return Advice(
            code="token_exchange",
            wrong="token",
            cause="The token comes from a token exchange: an application acts for a person (act). It is a person's token.",
            cures=(
                caller("To call as the application itself, get a token with grant_type=client_credentials."),
                api(
                    "If this API is meant for persons, too, set M2MGUARD_MACHINE_ONLY=false (machine_only=False).",
                    opens=_PERSONS,
                ),
            ),
        )
    if kind is not None and kind.is_application and not is_logto(one):
        if kind.issuer_kind in ("zitadel", "google") and _has_preset(context):
            return Advice(
                code="service_not_listed",
                wrong="setting",
                cause=f"{kind.name} writes the same claims for persons and services, so the settings list the services. This "
                f"one is not listed: "
                f"sub is {quoted(context.token.claim('sub'))}.",
                cures=(
                    api(
                        "If it is your service's id, add it to the preset's list.",
                        opens="nothing but calls of this service",
                    ),
                ),
            )
        if kind.vocabulary.machine and _has_preset(context):
            return Advice(
                code="machine_mark",
                wrong="issuer",
                cause=f"The token does not say that an application calls and no person. {kind.name} says so by {kind.vocabulary.machine}.",
                cures=(issuer("Let the issuer write that into this API's access tokens, and get a new one."),),
            )
        words = preset_words(kind)
        if words and not _has_preset(context):
            return Advice(
                code="needs_preset",
                wrong="setting",
                cause=f"This is an application's token of {kind.name}, which marks those in its own way. The settings take it "
                f"for an issuer that "
                "follows RFC 9068, where sub equals client_id.",
                cures=(
                    api(
                        f"Use the preset, which knows the tokens of {kind.name}: {words}, in the place of --issuer (M2MGUARD_ISSUER)."
                    ),
                ),
            )
    return Advice(
        code="person",
        wrong="token",
        cause="A person signed in for this token: it says which person, and is no proof of which application calls.",
        cures=(
            caller(
                f"Let the calling service get its own token with grant_type=client_credentials, {how_to_ask(context)}. It needs a "
                "machine-to-machine application of its own."
            ),
            api(
                "Only if this API is meant for persons, too, set M2MGUARD_MACHINE_ONLY=false (machine_only=False).",
                opens=_PERSONS,
            ),
        ),
    )
