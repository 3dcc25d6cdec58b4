"""Causes around the audience: the token is for another API, or the setting is no API's identifier. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from m2mguard._cli.advice.advice import Advice, Cure, api, caller, issuer
from m2mguard._cli.advice.asking import how_to_ask, is_logto, name_of, this_api, trusted_issuer, trusted_kind
from m2mguard._cli.advice.claims import no_audience
from m2mguard._cli.advice.kinds import kind_of_token
from m2mguard._cli.context import ExplainContext
from m2mguard._formatting import listed, pasteable, quoted
from m2mguard._reasons.difference import small_difference
from m2mguard._token.claims import ORGANIZATION_AUDIENCE
from m2mguard.errors import AnswerableError

_APP_ID_CLAIMS = ("client_id", "azp", "appid", "cid", "sub")
_LOGTO_APP_ID = re.compile(r"[a-z0-9]{21,25}")
_GRAPH = ("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000", "https://management.azure.com")
_MANAGEMENT_PATHS = ("/api", "/api/v2", "/me", "/userinfo")


def audience(error: AnswerableError, context: ExplainContext) -> Advice:
    """Say why the audience does not fit, and which side is wrong."""
    del error
    got = context.token.texts("aud")
    known = kind_of_token(context)
    if known is not None and known.code in ("id_token", "refresh_token"):
        return known
    return (
        _app_id_in_the_settings(got, context)
        or _of_entra(got, context)
        or _spelling(got, context)
        or _organization(got, context)
        or _issuers_own(got, context)
        or _issuer_in_the_settings(got, context)
        or _no_audience(got, context)
        or _other_api(got, context)
    )


def _set(value: str) -> str:
    return f"--audience {pasteable(value)} (M2MGUARD_AUDIENCE, audience=)"


def _app_id_in_the_settings(got: tuple[str, ...], context: ExplainContext) -> Advice | None:
    ids = {one for name in _APP_ID_CLAIMS for one in context.token.texts(name)}
    logto = is_logto(trusted_issuer(context))
    for setting in context.settings.audience:
        if setting in ids or (logto and _LOGTO_APP_ID.fullmatch(setting)):
            whose = "the calling application's App ID" if setting in ids else "an App ID, by its looks"
            right = f" The token names {listed(got)}." if got else ""
            return Advice(
                code="app_id_as_audience",
                wrong="setting",
                cause=f"The setting audience is {quoted(setting)}, {whose}. It must be the identifier of this API.{right}",
                cures=(
                    api(
                        f"Set this API's identifier{f', if this is it: {_set(got[0])}' if got else ''}. {_where(context)}"
                    ),
                ),
            )
    return None


def _where(context: ExplainContext) -> str:
    kind = trusted_kind(context)
    return "" if kind is None else f"{kind.name} calls it {kind.vocabulary.audience}."


def _spelling(got: tuple[str, ...], context: ExplainContext) -> Advice | None:
    for setting in context.settings.audience:
        for one in got:
            difference = small_difference([setting], [one])
            if difference is None:
                continue
            return Advice(
                code="audience_spelling",
                wrong="setting",
                cause=f"The token is for {quoted(one)}, and this API is set to {quoted(setting)}: {difference}. Identifiers are "
                f"compared character for "
                f"character, and {name_of(trusted_kind(context))} gave out a token for the first, so that is an identifier it knows.",
                cures=(
                    api(f"If {quoted(one)} is this API as it is registered, set exactly that: {_set(one)}."),
                    caller(
                        f"If the issuer has {quoted(setting)} registered as well, that is another API: get the token {how_to_ask(context)}."
                    ),
                ),
            )
    return None


def _organization(got: tuple[str, ...], context: ExplainContext) -> Advice | None:
    if not any(one.startswith(ORGANIZATION_AUDIENCE) for one in got):
        return None
    return Advice(
        code="organization_token",
        wrong="token",
        cause="This is a Logto organization token: it carries the permissions of an organization, and names no API.",
        cures=(
            caller(
                f"For this API's permissions inside the organization, ask with both resource={this_api(context)} and organization_id."
            ),
            api(
                "If this API decides by organization permissions, accept such tokens by M2MGUARD_ORGANIZATIONS=true, and let "
                "each route name the "
                "organization.",
                opens="tokens of every organization of the tenant; a route then must ask for its organization",
            ),
        ),
    )


def _of_entra(got: tuple[str, ...], context: ExplainContext) -> Advice | None:
    for setting in context.settings.audience:
        for one in got:
            if one != setting and one.removeprefix("api://") == setting.removeprefix("api://"):
                return Advice(
                    code="api_scheme_of_entra",
                    wrong="setting",
                    cause=f"The token is for {quoted(one)}, and this API is set to {quoted(setting)}. In Entra, tokens of "
                    f"version 2 name the API's "
                    "application (client) id, tokens of version 1 its Application ID URI (api://...).",
                    cures=(api(f"Set what the tokens of your version name: {_set(one)}."),),
                )
    return None


def _issuers_own(got: tuple[str, ...], context: ExplainContext) -> Advice | None:
    host = urlsplit(trusted_issuer(context).url).hostname
    for one in got:
        at_issuer = "://" in one and urlsplit(one).hostname == host
        if (
            one.rstrip("/") in _GRAPH
            or one == "account"
            or (at_issuer and urlsplit(one).path.rstrip("/") in ("", *_MANAGEMENT_PATHS))
        ):
            return Advice(
                code="issuers_own_api",
                wrong="token",
                cause=f"The token is for {quoted(one)}, an API of the issuer itself, and not for this one.",
                cures=(caller(f"Get a token for this API, {how_to_ask(context)}."), *_mapper(one)),
            )
    return None


def _mapper(one: str) -> tuple[Cure, ...]:
    if one != "account":
        return ()
    return (
        issuer(
            "Keycloak: add an Audience mapper with this API's identifier to a client scope, and give that scope to the calling client."
        ),
    )


def _issuer_in_the_settings(got: tuple[str, ...], context: ExplainContext) -> Advice | None:
    names = {name.rstrip("/") for one in context.settings.issuers for name in one.names}
    for setting in context.settings.audience:
        if setting.rstrip("/") in names | {name.removesuffix("/oidc") for name in names}:
            return Advice(
                code="audience_is_issuer",
                wrong="setting",
                cause=f"The setting audience is the issuer's own address, {quoted(setting)}. It must be the identifier of this API.",
                cures=(
                    api(
                        f"Set this API's identifier{f', if this is it: {_set(got[0])}' if got else ''}. {_where(context)}"
                    ),
                ),
            )
    return None


def _no_audience(got: tuple[str, ...], context: ExplainContext) -> Advice | None:
    if got or context.token.claim("aud") is not None:
        return None
    if context.issuer is not None and context.issuer.audience_in_scope:
        scopes = context.token.texts("scope")
        return Advice(
            code="other_api",
            wrong="token",
            cause=f"The issuer writes no aud; the part before the last / in a scope is the API. This token has the "
            f"scopes {listed(scopes)}, and "
            f"none of this API, {quoted(this_api(context))}.",
            cures=(caller(f"Get a token for this API, {how_to_ask(context)}."),),
        )
    return no_audience(context)


def _other_api(got: tuple[str, ...], context: ExplainContext) -> Advice:
    kind = trusted_kind(context)
    cures = [caller(f"Get a token for this API, {how_to_ask(context)}.")]
    if kind is not None and kind.issuer_kind == "keycloak":
        cures = [
            issuer(
                f"Keycloak: add an Audience mapper with {quoted(this_api(context))} to a client scope, and give that scope to "
                f"the calling client."
            )
        ]
    return Advice(
        code="other_api",
        wrong="token",
        cause=f"The token was issued for another API: it names {listed(got) or quoted(context.token.claim('aud'))}, and this API is "
        f"{listed(context.settings.audience)}.",
        cures=(
            *cures,
            api(
                f"Only if {listed(got)} is this API's own identifier at the issuer, set that: {_set(got[0])}.",
                opens="every token that was issued for that identifier: make sure that no other API has it",
            ),
        )
        if got
        else tuple(cures),
    )
