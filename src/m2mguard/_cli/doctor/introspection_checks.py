"""Checks of an issuer's introspection: is the endpoint reachable, and does it accept our credentials. Asks about a made-up token."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from m2mguard._cli.doctor.finding import Finding, Severity, create_ok_finding
from m2mguard._cli.recording_transport import Exchange
from m2mguard._reasons import FETCH_PROBLEMS
from m2mguard._server.resource_server import ResourceServer
from m2mguard.errors import AuthError, KeysUnavailable
from m2mguard.issuer import Issuer


def check_introspection(issuer: Issuer, server: ResourceServer, exchanges: list[Exchange]) -> Iterator[Finding]:
    """Report what the endpoint says about a token that nobody has. Blocks for at most the time-out of `Introspection`.

    Args:
        issuer: the settings of the issuer, with introspection.
        server: a server that trusts this issuer only.
        exchanges: those of the server; it appends to them.
    """
    section = f"Introspection at {issuer.url}"
    before = len(exchanges)
    try:
        server.verify(f"m2mguard-doctor-{secrets.token_urlsafe(24)}")
    except KeysUnavailable as error:
        yield from _report_exchanges(section, exchanges[before:])
        yield _report_failure(section, issuer, server, error)
        return
    except AuthError as error:
        yield from _report_exchanges(section, exchanges[before:])
        if error.reason == "inactive":
            yield create_ok_finding(section, "asked", "the credentials are accepted; a made-up token is not active")
            return
    yield Finding(
        code="made_up_token",
        section=section,
        name="asked",
        severity=Severity.FAULT,
        text="the endpoint says that a made-up token is active",
        cure="Issuer: find out what answers at this URL. API: until then, do not use its answers.",
        diagnosis=f"{issuer.url} calls a made-up token active, so anybody gets in who sends one.",
    )


def _report_exchanges(section: str, exchanges: list[Exchange]) -> Iterator[Finding]:
    for exchange in exchanges:
        name = "metadata" if "/.well-known/" in exchange.url else "endpoint"
        yield create_ok_finding(section, name, f"{exchange.url}: {exchange.outcome}")


def _report_failure(section: str, issuer: Issuer, server: ResourceServer, error: KeysUnavailable) -> Finding:
    health = server.health().issuers[0].introspection
    problem = error.problem if error.problem in FETCH_PROBLEMS else "timeout"
    entry = FETCH_PROBLEMS[str(problem)]
    detail = entry.sentence if health is None or health.last_error is None else health.last_error
    return Finding(
        code=str(problem),
        section=section,
        name="not asked",
        severity=Severity.FAULT,
        text=f"{detail}.",
        cure=" ".join(entry.cures),
        diagnosis=f"No opaque token of {issuer.url} can be checked: {detail}.",
    )
