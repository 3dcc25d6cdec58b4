"""Causes around the issuer's name: the setting and the token's `iss` mean one issuer, or one product, and differ. Pure."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from m2mguard._cli.advice.advice import Advice, api, caller, issuer
from m2mguard._cli.advice.asking import is_logto
from m2mguard._cli.context import ExplainContext
from m2mguard._cli.recognition import Recognised, recognise
from m2mguard._formatting import pasteable, quoted
from m2mguard._reasons.difference import small_difference
from m2mguard.issuer import Issuer

TRUST = "the operator of that issuer decides who may call: trust it only if it is yours"
_PLACEHOLDERS = ("/common/", "/organizations/", "/consumers/", "/{tenantid}/")


def spelling(said: str, one: Issuer, context: ExplainContext) -> Advice | None:
    """Say that both mean one issuer, and are spelt differently."""
    del context
    difference = small_difference(one.names, [said])
    if difference is None:
        return None
    if said.startswith("http://") and one.url.startswith("https://"):
        return Advice(
            code="issuer_names_itself_http",
            wrong="issuer",
            cause=f"The issuer names itself {quoted(said)}, with http, and this API trusts {quoted(one.url)}. An issuer behind a TLS proxy "
            "does that if it does not see that it was asked over https.",
            cures=(
                issuer(
                    "Let the proxy send X-Forwarded-Proto, and the issuer believe it. Logto: TRUST_PROXY_HEADER=1 and an ENDPOINT with "
                    "https; Keycloak: --hostname with https and --proxy-headers. Then get a new token."
                ),
            ),
        )
    return Advice(
        code="issuer_spelling",
        wrong="setting",
        cause=f"The token names {quoted(said)} and the setting {quoted(one.url)}: {difference}. Issuers are compared character "
        f"for character.",
        cures=(
            api(
                f"Set the issuer exactly as tokens name it: --issuer {pasteable(said)} (M2MGUARD_ISSUER){_logto_word(one)}."
            ),
        ),
    )


def _logto_word(one: Issuer) -> str:
    return (
        "; for Logto give the endpoint alone, without /oidc, to --logto (M2MGUARD_LOGTO_ENDPOINT)"
        if is_logto(one)
        else ""
    )


def logto_endpoint(said: str, one: Issuer, context: ExplainContext) -> Advice | None:
    """Say that the setting is Logto's endpoint."""
    del context
    if said != f"{one.url.rstrip('/')}/oidc":
        return None
    return Advice(
        code="logto_endpoint",
        wrong="setting",
        cause=f"The setting is Logto's endpoint, {quoted(one.url)}. Logto's issuer is the endpoint plus /oidc.",
        cures=(api(f"Give the endpoint as one: use --logto {one.url} (M2MGUARD_LOGTO_ENDPOINT), which adds /oidc."),),
    )


def document_below(said: str, one: Issuer, context: ExplainContext) -> Advice | None:
    """Say that the setting is an address below the issuer, such as its key set."""
    del context
    base = said.rstrip("/")
    if not one.url.startswith(f"{base}/") or one.url.rstrip("/") == base or "/realms/" in one.url.removeprefix(base):
        return None
    return Advice(
        code="document_as_issuer",
        wrong="setting",
        cause=f"The setting is {quoted(one.url)}, an address below the issuer. The token names {quoted(said)}.",
        cures=(api(f"Give the issuer itself: --issuer {pasteable(said)} (M2MGUARD_ISSUER)."),),
    )


def placeholder(said: str, one: Issuer, context: ExplainContext) -> Advice | None:
    """Say that the setting names no tenant."""
    if not any(word in f"{one.url}/" for word in _PLACEHOLDERS):
        return None
    return Advice(
        code="tenant_placeholder",
        wrong="setting",
        cause=f"The setting {quoted(one.url)} has a placeholder in the place of the tenant. Tokens name their own tenant: {quoted(said)}.",
        cures=(api(f"Name your tenant: {preset_words(context.recognised) or '--preset entra:TENANT'}.", opens=TRUST),),
    )


def other_version(said: str, one: Issuer, context: ExplainContext) -> Advice | None:
    """Say that both are one Entra tenant, in two versions of tokens, or two tenants."""
    token, setting = context.recognised, recognise({}, {"iss": one.url})
    if token is None or setting is None or token.issuer_kind != "entra" or setting.issuer_kind != "entra":
        return None
    if _guid(said) is None or _guid(said) != _guid(one.url):
        return other_tenant(said, one, token)
    return Advice(
        code="token_version",
        wrong="setting",
        cause=f"Both are the same Entra tenant. The token is of version {token.version}, which names {quoted(said)}; the "
        f"setting is the name in "
        f"tokens of the other version, {quoted(one.url)}.",
        cures=(
            issuer(
                "Set requestedAccessTokenVersion in the manifest of the API's app registration to 2 (api.requestedAccessTokenVersion), "
                "and get a new token; version 2 is the better one."
            ),
            api(f"Or accept this version: {preset_words(token)}. The audience differs between the versions, too."),
        ),
    )


def other_tenant(said: str, one: Issuer, token: Recognised) -> Advice:
    """Say that the token is of another tenant of the same product."""
    return Advice(
        code="other_tenant",
        wrong="token",
        cause=f"The token is of another tenant of {token.name}: {quoted(said)}. This API trusts {quoted(one.url)}.",
        cures=(
            caller("Get the token from the tenant that this API trusts."),
            api(
                f"Only if the other tenant is yours as well, trust it, too: {preset_words(token) or f'--issuer {pasteable(said)}'}.",
                opens=TRUST,
            ),
        ),
    )


def okta_org(said: str, one: Issuer, context: ExplainContext) -> Advice | None:
    """Say that the token is of Okta's org authorization server."""
    token, setting, kind = parts_of(said), parts_of(one.url), context.recognised
    if token is None or setting is None or kind is None or kind.issuer_kind != "okta":
        return None
    if token.hostname != setting.hostname or token.path.strip("/"):
        return None
    return Advice(
        code="org_authorization_server",
        wrong="token",
        cause="The token is of Okta's org authorization server, whose access tokens are for Okta itself. No other API can verify them.",
        cures=(caller(f"Get the token from the custom authorization server: {one.url}/v1/token."),),
    )


def preset_words(kind: Recognised | None) -> str:
    """How to name the issuer's preset, or "" where there is none."""
    return (
        f"--preset {pasteable(kind.preset)} (M2MGUARD_PRESET)" if kind is not None and kind.preset is not None else ""
    )


def parts_of(url: str) -> SplitResult | None:
    """A URL in its parts, or None where it is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _guid(url: str) -> str | None:
    found = re.search(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", url)
    return None if found is None else found[0].lower()
