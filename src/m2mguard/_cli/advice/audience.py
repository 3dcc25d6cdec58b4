"""Advice about the audience: the token is for another API, or the setting is not an API identifier. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice_types import Advice, Cure
from m2mguard._cli.advice.claims import advise_on_missing_audience
from m2mguard._cli.advice.issuer_terms import (
    describe_token_request,
    get_api_identifier,
    get_product_name,
    get_trusted_issuer,
    is_logto,
    recognise_trusted_issuer,
)
from m2mguard._cli.advice.token_type import advise_on_token_kind
from m2mguard._cli.context import ExplainContext
from m2mguard._cli.recognition import LOGTO_APP_ID
from m2mguard._formatting import format_shell_word, format_value, format_values
from m2mguard._reasons.difference import small_difference
from m2mguard._token.audiences import ORGANIZATION_AUDIENCE
from m2mguard._validation import split_url
from m2mguard.errors import AnswerableError

_APP_ID_CLAIMS = ("client_id", "azp", "appid", "cid", "sub")
_GRAPH = ("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000", "https://management.azure.com")
_MANAGEMENT_PATHS = ("/api", "/api/v2", "/me", "/userinfo")


def advise_on_audience(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on an audience that does not match."""
    del error
    got = context.token.texts("aud")
    kind_advice = advise_on_token_kind(context)
    if kind_advice is not None and kind_advice.code in ("id_token", "refresh_token"):
        return kind_advice
    return (
        _check_app_id_setting(got, context)
        or _check_entra_scheme(got, context)
        or _check_spelling(got, context)
        or _check_organization_token(got, context)
        or _check_issuer_api(got, context)
        or _check_issuer_setting(got, context)
        or _check_missing_audience(got, context)
        or _advise_on_other_api(got, context)
    )


def _format_audience_option(value: str) -> str:
    return f"--audience {format_shell_word(value)} (M2MGUARD_AUDIENCE, audience=)"


def _check_app_id_setting(got: tuple[str, ...], context: ExplainContext) -> Advice | None:
    ids = {one for name in _APP_ID_CLAIMS for one in context.token.texts(name)}
    logto = is_logto(get_trusted_issuer(context))
    for setting in context.settings.audience:
        if setting in ids or (logto and LOGTO_APP_ID.fullmatch(setting)):
            whose = "which is the calling application's App ID" if setting in ids else "which looks like an App ID"
            found = f" The token names {format_values(got)}." if got else ""
            return Advice(
                code="app_id_as_audience",
                wrong="setting",
                cause=f"The setting audience is {format_value(setting)}, {whose}. It must be the identifier of this API.{found}",
                cures=(Cure.by_api(_describe_identifier_setting(got, context)),),
            )
    return None


def _describe_identifier_setting(got: tuple[str, ...], context: ExplainContext) -> str:
    option = f", if this is it: {_format_audience_option(got[0])}" if got else ""
    kind = recognise_trusted_issuer(context)
    return f"Set this API's identifier{option}. " + (
        "" if kind is None else f"{kind.name} calls it {kind.vocabulary.audience}."
    )


def _check_spelling(got: tuple[str, ...], context: ExplainContext) -> Advice | None:
    product = get_product_name(recognise_trusted_issuer(context))
    for setting in context.settings.audience:
        for one in got:
            difference = small_difference([setting], [one])
            if difference is None:
                continue
            return Advice(
                code="audience_spelling",
                wrong="setting",
                cause=f"The token is for {format_value(one)}, and this API is set to {format_value(setting)}: "
                f"{difference}. Identifiers are compared character for character, and {product} issued a token for "
                "the first, so it has an API with that identifier.",
                cures=(
                    Cure.by_api(
                        f"If {format_value(one)} is this API as it is registered, set exactly that: {_format_audience_option(one)}."
                    ),
                    Cure.by_caller(
                        f"If the issuer has {format_value(setting)} registered as well, that is another API: get the "
                        f"token {describe_token_request(context)}."
                    ),
                ),
            )
    return None


def _check_organization_token(got: tuple[str, ...], context: ExplainContext) -> Advice | None:
    if not any(one.startswith(ORGANIZATION_AUDIENCE) for one in got):
        return None
    return Advice(
        code="organization_token",
        wrong="token",
        cause="This is a Logto organization token: it has the permissions of an organization, and names no API.",
        cures=(
            Cure.by_caller(
                "For this API's permissions inside the organization, send both "
                f"resource={get_api_identifier(context)} and organization_id in the token request."
            ),
            Cure.by_api(
                "If this API checks organization permissions, accept such tokens with M2MGUARD_ORGANIZATIONS=true, "
                "and let each route name the organization.",
                opens="tokens of every organization of the tenant; each route must then require its organization",
            ),
        ),
    )


def _check_entra_scheme(got: tuple[str, ...], context: ExplainContext) -> Advice | None:
    for setting in context.settings.audience:
        for one in got:
            if one != setting and one.removeprefix("api://") == setting.removeprefix("api://"):
                return Advice(
                    code="api_scheme_of_entra",
                    wrong="setting",
                    cause=f"The token is for {format_value(one)}, and this API is set to {format_value(setting)}. In "
                    "Entra, tokens of version 2 name the API's application (client) id, tokens of version 1 its "
                    "Application ID URI (api://...).",
                    cures=(Cure.by_api(f"Set what the tokens of your version name: {_format_audience_option(one)}."),),
                )
    return None


def _check_issuer_api(got: tuple[str, ...], context: ExplainContext) -> Advice | None:
    issuer = split_url(get_trusted_issuer(context).url)
    for one in got:
        parts = split_url(one)
        path = None if parts is None or issuer is None or parts.hostname != issuer.hostname else parts.path.rstrip("/")
        if one.rstrip("/") in _GRAPH or one == "account" or path in ("", *_MANAGEMENT_PATHS):
            return Advice(
                code="issuers_own_api",
                wrong="token",
                cause=f"The token is for {format_value(one)}, which is an API of the issuer itself, not this API.",
                cures=(
                    Cure.by_caller(f"Get a token for this API, {describe_token_request(context)}."),
                    *_list_mapper_cures(one),
                ),
            )
    return None


def _list_mapper_cures(audience: str) -> tuple[Cure, ...]:
    if audience != "account":
        return ()
    return (
        Cure.by_issuer(
            "Keycloak: add an Audience mapper with this API's identifier to a client scope, and give that scope to the calling client."
        ),
    )


def _check_issuer_setting(got: tuple[str, ...], context: ExplainContext) -> Advice | None:
    names = {name.rstrip("/") for one in context.settings.issuers for name in one.names}
    for setting in context.settings.audience:
        if setting.rstrip("/") in names | {name.removesuffix("/oidc") for name in names}:
            return Advice(
                code="audience_is_issuer",
                wrong="setting",
                cause=f"The setting audience is the issuer's own address, {format_value(setting)}. It must be the identifier of this API.",
                cures=(Cure.by_api(_describe_identifier_setting(got, context)),),
            )
    return None


def _check_missing_audience(got: tuple[str, ...], context: ExplainContext) -> Advice | None:
    if got or context.token.claim("aud") is not None:
        return None
    if context.issuer is not None and context.issuer.audience_in_scope:
        scopes = context.token.texts("scope")
        return Advice(
            code="other_api",
            wrong="token",
            cause="The issuer writes no aud; the part before the last / in a scope is the API. This token has the "
            f"scopes {format_values(scopes)}, but none of this API, {format_value(get_api_identifier(context))}.",
            cures=(Cure.by_caller(f"Get a token for this API, {describe_token_request(context)}."),),
        )
    return advise_on_missing_audience(context)


def _advise_on_other_api(got: tuple[str, ...], context: ExplainContext) -> Advice:
    kind = recognise_trusted_issuer(context)
    cures = [Cure.by_caller(f"Get a token for this API, {describe_token_request(context)}.")]
    if kind is not None and kind.issuer_kind == "keycloak":
        cures = [
            Cure.by_issuer(
                f"Keycloak: add an Audience mapper with {format_value(get_api_identifier(context))} to a client "
                "scope, and give that scope to the calling client."
            )
        ]
    return Advice(
        code="other_api",
        wrong="token",
        cause="The token was issued for another API: it names "
        f"{format_values(got) or format_value(context.token.claim('aud'))}, and this API is "
        f"{format_values(context.settings.audience)}.",
        cures=(
            *cures,
            Cure.by_api(
                f"Only if {format_values(got)} is this API's own identifier at the issuer, set that: {_format_audience_option(got[0])}.",
                opens="every token that was issued for that identifier: make sure that no other API has it",
            ),
        )
        if got
        else tuple(cures),
    )
