"""Advice about the issuer: this API does not trust the token's `iss`, or the route does not accept it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import SplitResult

from m2mguard._cli.advice.advice_types import Advice, Cure
from m2mguard._cli.advice.issuer_mismatch import (
    TRUST,
    advise_on_other_tenant,
    check_entra_version,
    check_issuer_spelling,
    check_logto_endpoint,
    check_okta_org_server,
    check_tenant_placeholder,
    check_url_below_issuer,
    format_preset_option,
)
from m2mguard._cli.advice.issuer_terms import describe_token_request, is_logto
from m2mguard._cli.advice.sample_token import advise_on_sample_token, is_sample_token
from m2mguard._cli.context import ExplainContext
from m2mguard._cli.recognition import recognise_token
from m2mguard._formatting import format_shell_word, format_value, format_values
from m2mguard._validation import split_url
from m2mguard.errors import AnswerableError
from m2mguard.issuer import Issuer

_INTERNAL_HOSTS = frozenset(("localhost", "127.0.0.1", "::1", "host.docker.internal"))
_REALM = re.compile(r"(.*)/realms/([^/]+)/?")


def advise_on_unknown_issuer(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on an issuer that this API does not trust."""
    iss = context.token.claim("iss")
    if error.problem == "contradiction":
        return Advice(
            code="other_issuer",
            wrong="token",
            cures=(Cure.by_caller("Get a new token from the issuer that this API trusts."),),
            cause="The token names one issuer, and a key of another one signed it. Forged tokens look like this.",
        )
    if is_sample_token(context):
        return advise_on_sample_token(context)
    if not isinstance(iss, str) or not iss:
        return Advice(
            code="no_issuer",
            wrong="token",
            cause="The token names no issuer (iss), so it is unknown whose keys verify it. It is not an access token "
            "of an identity provider.",
            cures=(
                Cure.by_caller(
                    f"Get a token from {format_values(_list_trusted_names(context))}, {describe_token_request(context)}."
                ),
            ),
        )
    for check in _CHECKS:
        for issuer in context.settings.issuers:
            advice = check(iss, issuer, context)
            if advice is not None:
                return advice
    return _advise_on_other_issuer(iss, context)


def advise_on_route_issuer(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on a trusted issuer that the route does not accept."""
    del error
    return Advice(
        code="route_issuer",
        wrong="token",
        cause=f"The route accepts tokens of {format_values(context.requirement.issuers)} only, and this token is from "
        f"{format_value(context.token.claim('iss'))}.",
        cures=(
            Cure.by_caller("Get the token from the issuer that the route accepts."),
            Cure.by_api(
                "If this issuer's applications may call the route, too, name it in Requirement(issuers=...).",
                opens="App IDs are unique within one issuer only: check that the route's app_ids mean the same applications there.",
            ),
        ),
    )


def _list_trusted_names(context: ExplainContext) -> list[str]:
    return [name for issuer in context.settings.issuers for name in issuer.names]


def _check_same_host(iss: str, issuer: Issuer, context: ExplainContext) -> Advice | None:
    token, setting = split_url(iss), split_url(issuer.url)
    if token is None or setting is None or token.hostname != setting.hostname:
        return None
    kind = context.recognised
    if kind is not None and kind.issuer_kind == "cognito":
        return advise_on_other_tenant(iss, issuer, kind)
    realms = [_REALM.fullmatch(name) for name in (iss, issuer.url)]
    if all(realms) and realms[0] and realms[1] and realms[0][2] != realms[1][2]:
        return Advice(
            code="other_realm",
            wrong="unclear",
            cause=f"The token is of the realm {format_value(realms[0][2])}, and this API trusts the realm "
            f"{format_value(realms[1][2])}. A realm is an issuer of its own, with its own keys.",
            cures=(
                Cure.by_caller(f"Get the token from the realm that this API trusts: {issuer.url}."),
                Cure.by_api(
                    "Or set the realm that your applications are in: "
                    f"{format_preset_option(kind) or f'--issuer {format_shell_word(iss)}'}.",
                    opens=TRUST,
                ),
            ),
        )
    if is_logto(issuer) and token.path != "/oidc":
        return None
    return Advice(
        code="issuer_path",
        wrong="setting",
        cause=f"Both are at the same host. The token names {format_value(iss)}, the setting is {format_value(issuer.url)}.",
        cures=(
            Cure.by_api(
                "If that is your issuer, set it exactly as tokens name it: "
                f"{format_preset_option(kind) or f'--issuer {format_shell_word(iss)} (M2MGUARD_ISSUER)'}."
            ),
            Cure.by_caller(f"Otherwise get the token from {issuer.url}."),
        ),
    )


def _check_other_host(iss: str, issuer: Issuer, context: ExplainContext) -> Advice | None:
    """Compare two URLs with different hosts and the same path: two names of one issuer, or two tenants."""
    token, setting = split_url(iss), split_url(issuer.url)
    if token is None or setting is None or token.path.rstrip("/") != setting.path.rstrip("/"):
        return None
    kind, own = context.recognised, recognise_token({}, {"iss": issuer.url})
    internal = [
        host for host in (token.hostname or "", setting.hostname or "") if host in _INTERNAL_HOSTS or "." not in host
    ]
    if internal and token.path.strip("/"):
        return Advice(
            code="internal_name",
            wrong="unclear",
            cause=f"The issuer seems to have two names, one inside the network: the token names {format_value(iss)}, "
            f"the setting is {format_value(issuer.url)}. An issuer writes the name in its configuration, or the host "
            "name of the request.",
            cures=(
                Cure.by_issuer(
                    "Give the issuer one public name that everybody uses (Logto: ENDPOINT; Keycloak: --hostname)."
                ),
                Cure.by_api(
                    "Or, if both names are the same issuer, accept the other one, too: "
                    f"M2MGUARD_ALIASES={format_shell_word(iss)} (aliases=).",
                    opens=TRUST,
                ),
            ),
        )
    if kind is not None and _are_in_logto_cloud(token, setting):
        return advise_on_other_tenant(iss, issuer, kind)
    if is_logto(issuer) and token.path == "/oidc":
        return Advice(
            code="custom_domain",
            wrong="unclear",
            cause="The token is of another Logto tenant, or of the same tenant under another domain: it names "
            f"{format_value(iss)}, and this API trusts {format_value(issuer.url)}. A tenant with a custom domain "
            "signs under both names.",
            cures=(
                Cure.by_api(
                    f"If both are the same tenant, accept both names: M2MGUARD_ALIASES={format_shell_word(iss)} "
                    "(aliases=), or move --logto to the domain that callers use.",
                    opens="nothing, if both have the same keys (m2mguard keys shows them); otherwise another tenant's "
                    "applications are accepted",
                ),
                Cure.by_caller(f"If it is another tenant, get the token from {issuer.url.removesuffix('/oidc')}."),
            ),
        )
    if kind is not None and own is not None and kind.issuer_kind == own.issuer_kind and token.path.strip("/"):
        return advise_on_other_tenant(iss, issuer, kind)
    return None


def _are_in_logto_cloud(*urls: SplitResult) -> bool:
    return all((url.hostname or "").endswith(".logto.app") for url in urls)


def _check_same_product(iss: str, issuer: Issuer, context: ExplainContext) -> Advice | None:
    own = recognise_token({}, {"iss": issuer.url})
    kind = context.recognised
    if kind is None or own is None or kind.issuer_kind != own.issuer_kind:
        return None
    return advise_on_other_tenant(iss, issuer, kind)


_CHECKS: tuple[Callable[[str, Issuer, ExplainContext], Advice | None], ...] = (
    check_issuer_spelling,
    check_logto_endpoint,
    check_tenant_placeholder,
    check_entra_version,
    check_okta_org_server,
    check_url_below_issuer,
    _check_same_host,
    _check_other_host,
    _check_same_product,
)


def _advise_on_other_issuer(iss: str, context: ExplainContext) -> Advice:
    kind = context.recognised
    whose = f"a token of {kind.name}" if kind is not None else "another issuer's token"
    preset = format_preset_option(kind)
    trust: Cure = Cure.by_api(
        f"Only if that issuer is yours, trust it: {preset or f'--issuer {format_shell_word(iss)} (M2MGUARD_ISSUER)'}.",
        opens=TRUST,
    )
    return Advice(
        code="other_issuer",
        wrong="unclear",
        cause=f"This is {whose}: it names {format_value(iss)}. This API trusts {format_values(_list_trusted_names(context))}.",
        cures=(
            Cure.by_caller(f"Get the token from the issuer that this API trusts, {describe_token_request(context)}."),
            trust,
        ),
    )
