"""Checks of the settings: the origin of each, and values that are allowed but rarely intended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from m2mguard._cli.command_setup import NO_AUDIENCE, PREFIX, CommandSetup
from m2mguard._cli.doctor.finding import Finding, Severity, create_ok_finding
from m2mguard._cli.recognition import GUID, LOGTO_APP_ID
from m2mguard._formatting import format_value, format_values
from m2mguard._server.environment import SETTINGS, server_variables
from m2mguard._token.audiences import ORGANIZATION_AUDIENCE
from m2mguard._validation import did_you_mean, split_url
from m2mguard.errors import ConfigurationError

SECTION = "Settings"
_SECONDS = ("ttl", "stale_for", "max_wait", "timeout", "connect_timeout", "cooldown")


def check_variable_names(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Report `M2MGUARD_*` variables that are not settings, and suggest the nearest setting."""
    known = [f"{PREFIX}{name}" for name in SETTINGS]
    for name in server_variables(environ, PREFIX):
        if name not in SETTINGS:
            yield Finding(
                code="unknown_setting",
                section=SECTION,
                name="unknown",
                severity=Severity.FAULT,
                text=f"unknown setting {format_value(PREFIX + name)[1:-1]}",
                cure=f"API: {did_you_mean(PREFIX + name, known)}",
                diagnosis=f"The variable {format_value(PREFIX + name)[1:-1]} is not a setting, so the service does not start.",
            )


def report_invalid_settings(error: ConfigurationError) -> Finding:
    """Report an invalid setting."""
    return Finding(
        code="settings",
        section=SECTION,
        name="refused",
        severity=Severity.FAULT,
        text=str(error),
        cure="API: correct this setting; the service does not start with it.",
        diagnosis=f"A setting is invalid: {error}",
    )


def check_settings(setup: CommandSetup) -> Iterator[Finding]:
    """Report the settings with their origins, and warn of those that are rarely intended."""
    settings = setup.settings
    for issuer in settings.issuers:
        also = f", also called {format_values(issuer.aliases)}" if issuer.aliases else ""
        yield create_ok_finding(
            SECTION, "issuer", f"{issuer.url}{also} ({_find_origin(setup, 'ISSUER', 'LOGTO_ENDPOINT', 'PRESET')})"
        )
        if issuer.allow_http:
            yield _create_warning(
                "plain_http",
                "plain http",
                f"plain http is allowed for {issuer.url} (allow_http)",
                "Here: use https if the issuer has it. Anyone who controls the network in between chooses the keys.",
                "Keys are fetched over plain http: anyone who controls the network in between chooses who may call.",
            )
    if settings.audience != (NO_AUDIENCE,):
        yield create_ok_finding(
            SECTION, "audience", f"{format_values(settings.audience)} ({_find_origin(setup, 'AUDIENCE')})"
        )
    for name in sorted(set(setup.origins) - {"ISSUER", "LOGTO_ENDPOINT", "PRESET", "AUDIENCE"}):
        yield create_ok_finding(SECTION, name.lower(), f"set by {setup.origins[name]}")
    yield create_ok_finding(SECTION, "values", f"{_format_values(setup)} ({describe_origin(setup)})")
    for audience in settings.audience:
        if audience != NO_AUDIENCE:
            yield from _check_audience(audience, setup)
    if not settings.machine_only:
        yield _create_warning(
            "persons_allowed",
            "machine_only",
            "off: tokens of persons are accepted as well",
            "API: leave it on unless persons may call this API directly; every route without app_ids is open to "
            "everybody who can sign in.",
            "",
        )
    yield from _check_key_caching(setup)


def describe_origin(setup: CommandSetup) -> str:
    """Describe where the settings are from: the user's code, or variables and options."""
    return "from the environment and options" if setup.code is None else f"in effect in the server of {setup.code}"


def _format_values(setup: CommandSetup) -> str:
    caching = setup.settings.caching
    seconds = {"leeway": setup.settings.leeway} | {name: getattr(caching, name) for name in _SECONDS}
    return f"{', '.join(f'{name} {value:.9g} s' for name, value in seconds.items())}, burst {caching.burst}"


def _find_origin(setup: CommandSetup, *names: str) -> str:
    return next((setup.origins[name] for name in names if name in setup.origins), "default")


def _check_audience(audience: str, setup: CommandSetup) -> Iterator[Finding]:
    issuers = setup.settings.issuers
    parts = split_url(audience)
    logto = any(issuer.organization_claim is not None for issuer in issuers)
    if any(
        audience.rstrip("/") in (name.rstrip("/"), name.rstrip("/").removesuffix("/oidc"))
        for one in issuers
        for name in one.names
    ):
        yield _create_warning(
            "audience_is_the_issuer",
            "audience",
            f"{format_value(audience)} is the issuer's own address",
            "API: give the identifier under which this API is registered at the issuer.",
            "The audience is the issuer's address. It should be this API's identifier.",
        )
    elif parts is None:
        yield _create_warning(
            "audience_not_a_uri",
            "audience",
            f"{format_value(audience)} is not a URI",
            "API: compare it with the identifier under which this API is registered at the issuer.",
            "",
        )
    elif audience.startswith(ORGANIZATION_AUDIENCE):
        return
    elif logto and (LOGTO_APP_ID.fullmatch(audience) or (GUID.fullmatch(audience) and not parts.scheme)):
        yield _create_warning(
            "audience_is_an_app_id",
            "audience",
            f"{format_value(audience)} looks like an App ID",
            "API: give the API identifier, as it is registered at Logto under API resources. An App ID names the caller, not the API.",
            "The audience looks like an App ID. It should be this API's identifier.",
        )
    elif not parts.scheme and logto:
        yield _create_warning(
            "audience_without_scheme",
            "audience",
            f"{format_value(audience)} has no scheme",
            "API: identifiers are compared exactly, and Logto requires a URI: compare it with the identifier that is registered there.",
            f"The audience {format_value(audience)} does not start with https://; tokens for https://{audience} are refused.",
        )
    elif audience != audience.strip() or (
        audience.lower().startswith("http") and parts.hostname and parts.hostname != parts.netloc.split(":")[0]
    ):
        yield _create_warning(
            "audience_spelling",
            "audience",
            f"{format_value(audience)} has capital letters in its host name",
            "API: identifiers are compared character for character; compare it with the identifier that is registered at the issuer.",
            "",
        )


def _check_key_caching(setup: CommandSetup) -> Iterator[Finding]:
    caching = setup.settings.caching
    if caching.stale_for == 0:
        yield _create_warning(
            "no_stale_keys",
            "stale_for",
            "0: while the issuer is down, every answer is 503 after `ttl`",
            "API: keep the default of an hour, unless a withdrawn key must be refused even while the issuer is down.",
            "",
        )
    if caching.burst == 0:
        yield _create_warning(
            "no_unknown_keys",
            "burst",
            "0: tokens of a new key are refused until the next refresh",
            "API: keep the default of 2 requests per 30 seconds.",
            "",
        )


def _create_warning(code: str, name: str, text: str, cure: str, diagnosis: str) -> Finding:
    return Finding(
        code=code, section=SECTION, name=name, severity=Severity.WARNING, text=text, cure=cure, diagnosis=diagnosis
    )
