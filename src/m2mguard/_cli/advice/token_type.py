"""Advice about the kind of token: an ID token, a refresh token, a workload's token, or an access token that needs a preset. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice_types import Advice, Cure
from m2mguard._cli.advice.issuer_mismatch import format_preset_option
from m2mguard._cli.advice.issuer_terms import describe_token_request, is_logto
from m2mguard._cli.context import ExplainContext
from m2mguard._cli.recognition import IssuerKind
from m2mguard._formatting import format_value
from m2mguard._token.token_profile import sub_is_client_id
from m2mguard.errors import AnswerableError

SEND_THE_OTHER_ONE = "Send the access_token of the token endpoint's answer, not the id_token."
_PRESETS = {"kubernetes": "kubernetes", "github_actions": "github_actions", "aws": "aws_outbound"}
_TYPES = {
    "logout+jwt": "a logout token, which informs an app that a session has ended",
    "secevent+jwt": "a security event token",
    "dpop+jwt": "a DPoP proof, which belongs in the DPoP header field",
    "token-introspection+jwt": "the answer of an introspection endpoint",
    "oauth-authz-req+jwt": "an authorization request",
    "rt+jwt": "a refresh token",
    "refresh+jwt": "a refresh token",
}


def advise_on_token_type(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on a `typ` that is not accepted."""
    del error
    typ = context.token.header.typ if context.token.header else None
    special = _TYPES.get((typ or "").lower().removeprefix("application/"))
    if special is not None:
        return _advise_on_other_kind(special, context)
    return advise_on_token_kind(context) or _advise_on_typ(context)


def advise_on_token_kind(context: ExplainContext) -> Advice | None:
    """Advise on an ID token, a refresh token, a workload's token or an access token without its preset; None if it is none of them."""
    kind = context.recognised
    if kind is not None and kind.issuer_kind == "google" and not kind.is_application:
        return _advise_on_google_person(context)
    match kind.token_kind if kind is not None else _guess_token_kind(context):
        case "id_token":
            return Advice(
                code="id_token",
                wrong="token",
                cause="This looks like an ID token, which informs an app who signed in. It does not prove who calls an API.",
                cures=(
                    Cure.by_caller(SEND_THE_OTHER_ONE),
                    Cure.by_caller(
                        f"A service gets one with grant_type=client_credentials, {describe_token_request(context)}."
                    ),
                ),
            )
        case "workload":
            return _advise_on_workload_token(context)
        case "refresh":
            return Advice(
                code="refresh_token",
                wrong="token",
                cause="This is a refresh token, which is for the token endpoint only. It is a long-lived secret: treat it as leaked.",
                cures=(Cure.by_caller("Send the access_token, and revoke this refresh token."),),
            )
        case _:
            pass
    words = format_preset_option(kind)
    if kind is None or not words or kind.confidence != "sure" or has_preset(context):
        return None
    return Advice(
        code="needs_preset",
        wrong="setting",
        cause=f"This is an access token of {kind.name}, whose tokens differ from RFC 9068. The settings expect an "
        "issuer that follows it.",
        cures=(
            Cure.by_api(
                f"Use the preset for the tokens of {kind.name}: {words}, instead of --issuer (M2MGUARD_ISSUER)."
            ),
        ),
    )


def _advise_on_google_person(context: ExplainContext) -> Advice:
    return Advice(
        code="id_token",
        wrong="token",
        cause="This is Google's ID token of a person. A service identifies itself with the ID token of its service account.",
        cures=(
            Cure.by_caller(
                f"Let the service get its token from its own service account, {describe_token_request(context)}."
            ),
        ),
    )


def _advise_on_workload_token(context: ExplainContext) -> Advice | None:
    kind = context.recognised
    if kind is None or has_preset(context):
        return None
    return Advice(
        code="workload_token",
        wrong="setting",
        cause=f"This is a token that {kind.name} issues to a workload. It proves which workload calls, has no scopes, "
        "and does not follow RFC 9068, as the settings expect.",
        cures=(
            Cure.by_api(
                f"{_describe_workload_issuer(kind.issuer_kind)} Grant scopes with grants=, or let each route name the callers by app_ids.",
                opens=f"every workload of {kind.name} that can name this API's audience: a route without app_ids accepts them all",
            ),
        ),
    )


def _describe_workload_issuer(kind: IssuerKind) -> str:
    if kind in _PRESETS:
        return f"Use m2mguard.presets.{_PRESETS[kind]} (M2MGUARD_PRESET={_PRESETS[kind]}:...) for such tokens."
    return "Build the issuer in code for such tokens: Issuer(token_types=..., required_claims=[...], is_machine=...)."


def _guess_token_kind(context: ExplainContext) -> str:
    claims = context.token.claims or {}
    if {"nonce", "at_hash", "c_hash"} & claims.keys() and "scope" not in claims:
        return "id_token"
    logto = context.issuer is not None and is_logto(context.issuer)
    return "id_token" if logto and {"client_id", "scope"}.isdisjoint(claims) else "unknown"


def has_preset(context: ExplainContext) -> bool:
    """Whether the settings of this issuer go beyond its URL: from a preset, or from the user's code."""
    one = context.issuer
    return one is not None and (one.is_machine is not sub_is_client_id or bool(one.claim_values) or is_logto(one))


def _advise_on_other_kind(what: str, context: ExplainContext) -> Advice:
    return Advice(
        code="other_kind",
        wrong="token",
        cause=f"By its typ this is {what}, not an access token.",
        cures=(
            Cure.by_caller(
                f"Send an access token. A service gets one with grant_type=client_credentials, {describe_token_request(context)}."
            ),
        ),
    )


def _advise_on_typ(context: ExplainContext) -> Advice:
    typ = context.token.header.typ if context.token.header else None
    return Advice(
        code="not_rfc9068",
        wrong="unclear",
        cause=f"The token has {'no typ' if typ is None else f'the typ {format_value(typ)}'}. RFC 9068 gives access "
        "tokens the typ at+jwt, so that no other token of the issuer can be mistaken for one.",
        cures=(
            Cure.by_caller(SEND_THE_OTHER_ONE),
            Cure.by_issuer("If this is the access token, switch RFC 9068 tokens on, if the issuer can do that."),
            Cure.by_api(
                "If it cannot, and m2mguard.presets does not have it, accept its typ with M2MGUARD_TOKEN_TYPES (token_types=).",
                opens="all other tokens of the issuer with this typ, especially ID tokens: exclude them with "
                "M2MGUARD_CLAIM_VALUES or M2MGUARD_REQUIRED_CLAIMS",
            ),
        ),
    )
