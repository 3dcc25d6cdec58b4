"""Advice about an `iss` that differs from the issuer setting, although both name the same issuer or product. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice_types import Advice, Cure
from m2mguard._cli.advice.issuer_terms import is_logto
from m2mguard._cli.context import ExplainContext
from m2mguard._cli.recognition import GUID, RecognisedToken, recognise_token
from m2mguard._formatting import format_shell_word, format_value
from m2mguard._reasons.difference import small_difference
from m2mguard._validation import split_url
from m2mguard.issuer import Issuer

TRUST = "the operator of that issuer decides who may call: trust it only if it is yours"
_PLACEHOLDERS = ("/common/", "/organizations/", "/consumers/", "/{tenantid}/")


def check_issuer_spelling(iss: str, issuer: Issuer, context: ExplainContext) -> Advice | None:
    """Detect two spellings of one issuer."""
    del context
    difference = small_difference(issuer.names, [iss])
    if difference is None:
        return None
    if iss.startswith("http://") and issuer.url.startswith("https://"):
        return Advice(
            code="issuer_names_itself_http",
            wrong="issuer",
            cause=f"The issuer names itself {format_value(iss)}, with http, and this API trusts "
            f"{format_value(issuer.url)}. An issuer behind a TLS proxy does that if it does not detect that the "
            "request used https.",
            cures=(
                Cure.by_issuer(
                    "Let the proxy send X-Forwarded-Proto, and let the issuer trust that field. Logto: "
                    "TRUST_PROXY_HEADER=1 and an ENDPOINT with https; Keycloak: --hostname with https and "
                    "--proxy-headers. Then get a new token."
                ),
            ),
        )
    return Advice(
        code="issuer_spelling",
        wrong="setting",
        cause=f"The token names {format_value(iss)} and the setting {format_value(issuer.url)}: {difference}. Issuers "
        "are compared character for character.",
        cures=(
            Cure.by_api(
                f"Set the issuer exactly as tokens name it: --issuer {format_shell_word(iss)} "
                f"(M2MGUARD_ISSUER){_describe_logto_option(issuer)}."
            ),
        ),
    )


def _describe_logto_option(issuer: Issuer) -> str:
    return (
        "; for Logto give the endpoint without /oidc to --logto (M2MGUARD_LOGTO_ENDPOINT)" if is_logto(issuer) else ""
    )


def check_logto_endpoint(iss: str, issuer: Issuer, context: ExplainContext) -> Advice | None:
    """Detect Logto's endpoint in the place of its issuer."""
    del context
    if iss != f"{issuer.url.rstrip('/')}/oidc":
        return None
    return Advice(
        code="logto_endpoint",
        wrong="setting",
        cause=f"The setting is Logto's endpoint, {format_value(issuer.url)}. Logto's issuer is the endpoint plus /oidc.",
        cures=(
            Cure.by_api(
                f"Give it as an endpoint: use --logto {issuer.url} (M2MGUARD_LOGTO_ENDPOINT), which adds /oidc."
            ),
        ),
    )


def check_url_below_issuer(iss: str, issuer: Issuer, context: ExplainContext) -> Advice | None:
    """Detect a URL below the issuer, such as its key set."""
    del context
    base = iss.rstrip("/")
    if (
        not issuer.url.startswith(f"{base}/")
        or issuer.url.rstrip("/") == base
        or "/realms/" in issuer.url.removeprefix(base)
    ):
        return None
    return Advice(
        code="document_as_issuer",
        wrong="setting",
        cause=f"The setting is {format_value(issuer.url)}, a URL below the issuer. The token names {format_value(iss)}.",
        cures=(Cure.by_api(f"Give the issuer itself: --issuer {format_shell_word(iss)} (M2MGUARD_ISSUER)."),),
    )


def check_tenant_placeholder(iss: str, issuer: Issuer, context: ExplainContext) -> Advice | None:
    """Detect an Entra URL without a tenant."""
    if not any(word in f"{issuer.url}/" for word in _PLACEHOLDERS):
        return None
    return Advice(
        code="tenant_placeholder",
        wrong="setting",
        cause=f"The setting {format_value(issuer.url)} has a placeholder instead of the tenant. Tokens name their own "
        f"tenant: {format_value(iss)}.",
        cures=(
            Cure.by_api(
                f"Name your tenant: {format_preset_option(context.recognised) or '--preset entra:TENANT'}.", opens=TRUST
            ),
        ),
    )


def check_entra_version(iss: str, issuer: Issuer, context: ExplainContext) -> Advice | None:
    """Detect two token versions of one Entra tenant, or two Entra tenants."""
    token, setting = context.recognised, recognise_token({}, {"iss": issuer.url})
    if token is None or setting is None or token.issuer_kind != "entra" or setting.issuer_kind != "entra":
        return None
    if _find_guid(iss) is None or _find_guid(iss) != _find_guid(issuer.url):
        return advise_on_other_tenant(iss, issuer, token)
    return Advice(
        code="token_version",
        wrong="setting",
        cause=f"Both are the same Entra tenant. The token is of version {token.version}, which names "
        f"{format_value(iss)}; the setting is the name in tokens of the other version, {format_value(issuer.url)}.",
        cures=(
            Cure.by_issuer(
                "Set requestedAccessTokenVersion in the manifest of the API's app registration to 2 "
                "(api.requestedAccessTokenVersion), and get a new token; version 2 is recommended."
            ),
            Cure.by_api(
                f"Or accept this version: {format_preset_option(token)}. The audience differs between the versions, too."
            ),
        ),
    )


def advise_on_other_tenant(iss: str, issuer: Issuer, token: RecognisedToken) -> Advice:
    """Advise on a token from another tenant of the same product."""
    return Advice(
        code="other_tenant",
        wrong="token",
        cause=f"The token is from another tenant of {token.name}: {format_value(iss)}. This API trusts {format_value(issuer.url)}.",
        cures=(
            Cure.by_caller("Get the token from the tenant that this API trusts."),
            Cure.by_api(
                "Only if the other tenant is yours as well, trust it, too: "
                f"{format_preset_option(token) or f'--issuer {format_shell_word(iss)}'}.",
                opens=TRUST,
            ),
        ),
    )


def check_okta_org_server(iss: str, issuer: Issuer, context: ExplainContext) -> Advice | None:
    """Detect a token from Okta's org authorization server."""
    token, setting, kind = split_url(iss), split_url(issuer.url), context.recognised
    if token is None or setting is None or kind is None or kind.issuer_kind != "okta":
        return None
    if token.hostname != setting.hostname or token.path.strip("/"):
        return None
    return Advice(
        code="org_authorization_server",
        wrong="token",
        cause="The token is from Okta's org authorization server, whose access tokens are for Okta itself. No other API can verify them.",
        cures=(Cure.by_caller(f"Get the token from the custom authorization server: {issuer.url}/v1/token."),),
    )


def format_preset_option(kind: RecognisedToken | None) -> str:
    """Format the option that selects the issuer's preset, or return "" if there is none."""
    return (
        f"--preset {format_shell_word(kind.preset)} (M2MGUARD_PRESET)"
        if kind is not None and kind.preset is not None
        else ""
    )


def _find_guid(url: str) -> str | None:
    found = GUID.search(url)
    return None if found is None else found[0].lower()
