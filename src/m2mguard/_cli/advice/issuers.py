"""Causes around the issuer: the token's `iss` is none that this API trusts, or none that the route accepts. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import SplitResult

from m2mguard._cli.advice.advice import Advice, Cure, api, caller, issuer
from m2mguard._cli.advice.asking import how_to_ask, is_logto
from m2mguard._cli.advice.issuer_names import (
    TRUST,
    document_below,
    logto_endpoint,
    okta_org,
    other_tenant,
    other_version,
    parts_of,
    placeholder,
    preset_words,
    spelling,
)
from m2mguard._cli.advice.samples import is_sample, sample
from m2mguard._cli.context import ExplainContext
from m2mguard._cli.recognition import recognise
from m2mguard._formatting import listed, pasteable, quoted
from m2mguard.errors import AnswerableError
from m2mguard.issuer import Issuer

_INNER_HOSTS = frozenset(("localhost", "127.0.0.1", "::1", "host.docker.internal"))
_REALM = re.compile(r"(.*)/realms/([^/]+)/?")


def unknown_issuer(error: AnswerableError, context: ExplainContext) -> Advice:
    """Say why the issuer is not known, and which side is wrong."""
    said = context.token.claim("iss")
    if error.problem == "contradiction":
        return Advice(
            code="other_issuer",
            wrong="token",
            cures=(caller("Get a new token from the issuer that this API trusts."),),
            cause="The token names one issuer, and a key of another one signed it. That happens to forged tokens.",
        )
    if is_sample(context):
        return sample(context)
    if not isinstance(said, str) or not said:
        return Advice(
            code="no_issuer",
            wrong="token",
            cause="The token names no issuer (iss), so it is unknown whose keys verify it. It is no access token of an "
            "identity provider.",
            cures=(caller(f"Get a token from {listed(_trusted(context))}, {how_to_ask(context)}."),),
        )
    for examine in _EXAMINATIONS:
        for one in context.settings.issuers:
            advice = examine(said, one, context)
            if advice is not None:
                return advice
    return _another(said, context)


def route_issuer(error: AnswerableError, context: ExplainContext) -> Advice:
    """The token's issuer is trusted, and the route accepts others only."""
    del error
    return Advice(
        code="route_issuer",
        wrong="token",
        cause=f"The route accepts tokens of {listed(context.requirement.issuers)} only, and this one is of "
        f"{quoted(context.token.claim('iss'))}.",
        cures=(
            caller("Get the token from the issuer that the route accepts."),
            api(
                "If this issuer's applications may call the route, too, name it in Requirement(issuers=...).",
                opens="App IDs are unique within one issuer only: check that the route's app_ids mean the same applications there.",
            ),
        ),
    )


def _trusted(context: ExplainContext) -> list[str]:
    return [name for one in context.settings.issuers for name in one.names]


def _same_host(said: str, one: Issuer, context: ExplainContext) -> Advice | None:
    token, setting = parts_of(said), parts_of(one.url)
    if token is None or setting is None or token.hostname != setting.hostname:
        return None
    kind = context.recognised
    if kind is not None and kind.issuer_kind == "cognito":
        return other_tenant(said, one, kind)
    realms = [_REALM.fullmatch(name) for name in (said, one.url)]
    if all(realms) and realms[0] and realms[1] and realms[0][2] != realms[1][2]:
        return Advice(
            code="other_realm",
            wrong="unclear",
            cause=f"The token is of the realm {quoted(realms[0][2])}, and this API trusts the realm {quoted(realms[1][2])}. A "
            f"realm is an issuer "
            "of its own, with its own keys.",
            cures=(
                caller(f"Get the token from the realm that this API trusts: {one.url}."),
                api(
                    f"Or set the realm that your applications are in: {preset_words(kind) or f'--issuer {pasteable(said)}'}.",
                    opens=TRUST,
                ),
            ),
        )
    if is_logto(one) and token.path != "/oidc":
        return None
    return Advice(
        code="issuer_path",
        wrong="setting",
        cause=f"Both are at the same host. The token names {quoted(said)}, the setting is {quoted(one.url)}.",
        cures=(
            api(
                f"If that is your issuer, set it exactly as tokens name it: "
                f"{preset_words(kind) or f'--issuer {pasteable(said)} (M2MGUARD_ISSUER)'}."
            ),
            caller(f"Else get the token from {one.url}."),
        ),
    )


def _other_name(said: str, one: Issuer, context: ExplainContext) -> Advice | None:
    """Another host, the same path: two names of one issuer, or two tenants."""
    token, setting = parts_of(said), parts_of(one.url)
    if token is None or setting is None or token.path.rstrip("/") != setting.path.rstrip("/"):
        return None
    kind, own = context.recognised, recognise({}, {"iss": one.url})
    inner = [host for host in (token.hostname or "", setting.hostname or "") if host in _INNER_HOSTS or "." not in host]
    if inner and token.path.strip("/"):
        return Advice(
            code="internal_name",
            wrong="unclear",
            cause=f"The issuer seems to have two names, one inside the network: the token names {quoted(said)}, the setting is "
            f"{quoted(one.url)}. "
            "An issuer writes the name under which it was configured, or under which it was asked.",
            cures=(
                issuer("Give the issuer one public name that everybody uses (Logto: ENDPOINT; Keycloak: --hostname)."),
                api(
                    f"Or, if both names are the same issuer, accept the other one, too: M2MGUARD_ALIASES={pasteable(said)} (aliases=).",
                    opens=TRUST,
                ),
            ),
        )
    if kind is not None and _are_of_logtos_cloud(token, setting):
        return other_tenant(said, one, kind)
    if is_logto(one) and token.path == "/oidc":
        return Advice(
            code="custom_domain",
            wrong="unclear",
            cause=f"The token is of another Logto tenant, or of the same tenant under another domain: it names {quoted(said)}, "
            f"and this API trusts "
            f"{quoted(one.url)}. A tenant with a custom domain signs under both names.",
            cures=(
                api(
                    f"If both are the same tenant, accept both names: M2MGUARD_ALIASES={pasteable(said)} (aliases=), or move "
                    f"--logto to the domain that "
                    "callers use.",
                    opens="nothing, if both have the same keys (m2mguard keys shows them); else another tenant's applications get in",
                ),
                caller(f"If it is another tenant, get the token from {one.url.removesuffix('/oidc')}."),
            ),
        )
    if kind is not None and own is not None and kind.issuer_kind == own.issuer_kind and token.path.strip("/"):
        return other_tenant(said, one, kind)
    return None


def _are_of_logtos_cloud(*urls: SplitResult) -> bool:
    return all((url.hostname or "").endswith(".logto.app") for url in urls)


def _same_kind(said: str, one: Issuer, context: ExplainContext) -> Advice | None:
    own = recognise({}, {"iss": one.url})
    kind = context.recognised
    if kind is None or own is None or kind.issuer_kind != own.issuer_kind:
        return None
    return other_tenant(said, one, kind)


_EXAMINATIONS: tuple[Callable[[str, Issuer, ExplainContext], Advice | None], ...] = (
    spelling,
    logto_endpoint,
    placeholder,
    other_version,
    okta_org,
    document_below,
    _same_host,
    _other_name,
    _same_kind,
)


def _another(said: str, context: ExplainContext) -> Advice:
    kind = context.recognised
    whose = f"a token of {kind.name}" if kind is not None else "another issuer's token"
    preset = preset_words(kind)
    trust: Cure = api(
        f"Only if that issuer is yours, trust it: {preset or f'--issuer {pasteable(said)} (M2MGUARD_ISSUER)'}.",
        opens=TRUST,
    )
    return Advice(
        code="other_issuer",
        wrong="unclear",
        cause=f"This is {whose}: it names {quoted(said)}. This API trusts {listed(_trusted(context))}.",
        cures=(caller(f"Get the token from the issuer that this API trusts, {how_to_ask(context)}."), trust),
    )
