"""Checks of the settings themselves: where each came from, and values that are allowed but rarely intended."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from m2mguard._cli.doctor.finding import Finding, Severity, fine
from m2mguard._cli.settings import NO_AUDIENCE, PREFIX, Setup
from m2mguard._formatting import listed, quoted
from m2mguard._server.environment import SETTINGS, variables
from m2mguard._token.claims import ORGANIZATION_AUDIENCE
from m2mguard._validation import did_you_mean
from m2mguard.errors import ConfigurationError

SECTION = "Settings"
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LOGTO_ID = re.compile(r"[a-z0-9]{21,25}")


def check_names(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Say which `M2MGUARD_*` variables are no settings, and which setting each may be a misspelling of."""
    known = [f"{PREFIX}{name}" for name in SETTINGS]
    for name in variables(environ, PREFIX):
        if name not in SETTINGS:
            yield Finding(
                code="unknown_setting",
                section=SECTION,
                name="unknown",
                severity=Severity.FAULT,
                text=f"unknown setting {quoted(PREFIX + name)[1:-1]}",
                cure=f"API: {did_you_mean(PREFIX + name, known)}",
                diagnosis=f"The variable {quoted(PREFIX + name)[1:-1]} is not a setting, so the service does not start.",
            )


def settings_refused(error: ConfigurationError) -> Finding:
    """Say why the settings make no server."""
    return Finding(
        code="settings",
        section=SECTION,
        name="refused",
        severity=Severity.FAULT,
        text=str(error),
        cure="API: correct this setting; the service does not start with it.",
        diagnosis=f"The settings are refused: {error}",
    )


def check_settings(setup: Setup) -> Iterator[Finding]:
    """Show the settings with their origins, and warn of those that are rarely intended."""
    settings = setup.settings
    for issuer in settings.issuers:
        also = f", also called {listed(issuer.aliases)}" if issuer.aliases else ""
        yield fine(SECTION, "issuer", f"{issuer.url}{also} ({_origin(setup, 'ISSUER', 'LOGTO_ENDPOINT', 'PRESET')})")
        if issuer.allow_http:
            yield _warning(
                "plain_http",
                "plain http",
                f"{issuer.url} may be asked over plain http (allow_http)",
                "Here: use https if the issuer has it. Anyone who controls the network in between chooses the keys.",
                "Keys are fetched over plain http: anyone who controls the network in between chooses who may call.",
            )
    if settings.audience != (NO_AUDIENCE,):
        yield fine(SECTION, "audience", f"{listed(settings.audience)} ({_origin(setup, 'AUDIENCE')})")
    for name in sorted(set(setup.origins) - {"ISSUER", "LOGTO_ENDPOINT", "PRESET", "AUDIENCE"}):
        yield fine(SECTION, name.lower(), f"set by {setup.origins[name]}")
    for audience in settings.audience:
        if audience != NO_AUDIENCE:
            yield from _audience(audience, setup)
    if not settings.machine_only:
        yield _warning(
            "persons_allowed",
            "machine_only",
            "off: tokens of persons are accepted, too",
            "API: leave it on unless persons shall call this API directly; every route without app_ids is open to everybody who "
            "can sign in.",
            "",
        )
    yield from _numbers(setup)


def _origin(setup: Setup, *names: str) -> str:
    return next((setup.origins[name] for name in names if name in setup.origins), "default")


def _audience(audience: str, setup: Setup) -> Iterator[Finding]:
    issuers = setup.settings.issuers
    parts = urlsplit(audience)
    logto = any(issuer.organization_claim is not None for issuer in issuers)
    if any(
        audience.rstrip("/") in (name.rstrip("/"), name.rstrip("/").removesuffix("/oidc"))
        for one in issuers
        for name in one.names
    ):
        yield _warning(
            "audience_is_the_issuer",
            "audience",
            f"{quoted(audience)} is the issuer's own address",
            "API: give the identifier under which this API is registered at the issuer.",
            "The audience is the issuer's address. It should be this API's identifier.",
        )
    elif audience.startswith(ORGANIZATION_AUDIENCE):
        return
    elif logto and (_LOGTO_ID.fullmatch(audience) or (_GUID.fullmatch(audience) and not parts.scheme)):
        yield _warning(
            "audience_is_an_app_id",
            "audience",
            f"{quoted(audience)} looks like an App ID",
            "API: give the API identifier, as it is registered at Logto under API resources. An App ID says who calls, not which API.",
            "The audience looks like an App ID. It should be this API's identifier.",
        )
    elif not parts.scheme and logto:
        yield _warning(
            "audience_without_scheme",
            "audience",
            f"{quoted(audience)} has no scheme",
            "API: identifiers are compared whole, and Logto wants one that is a URI: compare it with the one that is registered there.",
            f"The audience {quoted(audience)} has no https:// in front; tokens for https://{audience} would be refused.",
        )
    elif audience != audience.strip() or (
        audience.lower().startswith("http") and parts.hostname and parts.hostname != parts.netloc.split(":")[0]
    ):
        yield _warning(
            "audience_spelling",
            "audience",
            f"{quoted(audience)} has capital letters in its host name",
            "API: identifiers are compared character for character; compare it with the one that is registered at the issuer.",
            "",
        )


def _numbers(setup: Setup) -> Iterator[Finding]:
    caching = setup.settings.caching
    if caching.stale_for == 0:
        yield _warning(
            "no_stale_keys",
            "stale_for",
            "0: while the issuer is down, every answer is 503 as soon as `ttl` is over",
            "API: keep the default of an hour, unless a withdrawn key must be refused even while the issuer is down.",
            "",
        )
    if caching.burst == 0:
        yield _warning(
            "no_unknown_keys",
            "burst",
            "0: tokens of a new key are refused until the next refresh",
            "API: keep the default of 2 requests per 30 seconds.",
            "",
        )


def _warning(code: str, name: str, text: str, cure: str, diagnosis: str) -> Finding:
    return Finding(
        code=code, section=SECTION, name=name, severity=Severity.WARNING, text=text, cure=cure, diagnosis=diagnosis
    )
