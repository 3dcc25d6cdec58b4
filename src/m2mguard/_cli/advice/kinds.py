"""Causes around the kind of the token: an ID token, a refresh token, a workload's, or an access token that needs a preset. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice import Advice, api, caller, issuer
from m2mguard._cli.advice.asking import how_to_ask, is_logto
from m2mguard._cli.advice.issuer_names import preset_words
from m2mguard._cli.context import ExplainContext
from m2mguard._formatting import quoted
from m2mguard._token.claims import sub_is_client_id
from m2mguard.errors import AnswerableError

SEND_THE_OTHER_ONE = "Send the access_token of the token endpoint's answer, not the id_token."
_TYPES = {
    "logout+jwt": "a logout token, which tells an app that a session has ended",
    "secevent+jwt": "a security event token",
    "dpop+jwt": "a DPoP proof, which goes into a header of its own, DPoP",
    "token-introspection+jwt": "the answer of an introspection endpoint",
    "oauth-authz-req+jwt": "an authorization request",
    "rt+jwt": "a refresh token",
    "refresh+jwt": "a refresh token",
}


def token_type(error: AnswerableError, context: ExplainContext) -> Advice:
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
                    caller(SEND_THE_OTHER_ONE),
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
    if kind is None or not words or kind.confidence != "sure" or has_preset(context):
        return None
    return Advice(
        code="needs_preset",
        wrong="setting",
        cause=f"This is an access token of {kind.name}, whose tokens differ from RFC 9068. The settings take it for an issuer "
        f"that follows it.",
        cures=(
            api(f"Use the preset for the tokens of {kind.name}: {words}, in the place of --issuer (M2MGUARD_ISSUER)."),
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
    if kind is None or has_preset(context):
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


def has_preset(context: ExplainContext) -> bool:
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
            caller(SEND_THE_OTHER_ONE),
            issuer("If this is the access token, switch RFC 9068 tokens on, where the issuer can do that."),
            api(
                "If it cannot, and m2mguard.presets does not have it, accept its typ by M2MGUARD_TOKEN_TYPES (token_types=).",
                opens="whatever else the issuer signs with this typ, ID tokens above all: keep those out by M2MGUARD_CLAIM_VALUES or "
                "M2MGUARD_REQUIRED_CLAIMS",
            ),
        ),
    )
