"""Checks of each key of an issuer: is it usable for the accepted algorithms of this issuer, and if not, why."""

from __future__ import annotations

from collections.abc import Iterator

from m2mguard._cli.doctor.finding import Finding, Severity, create_ok_finding
from m2mguard._cli.health_command import list_skipped_keys
from m2mguard._cli.recording_transport import Exchange
from m2mguard._formatting import format_value, join_names
from m2mguard.health import IssuerHealth
from m2mguard.issuer import Issuer


def check_keys(issuer: Issuer, health: IssuerHealth, exchanges: list[Exchange]) -> Iterator[Finding]:
    """Report for each key whether it is usable for this issuer's algorithms, and if not, why."""
    section = f"Keys of {issuer.url}"
    if not health.ready or (issuer.introspection is not None and not health.keys):
        return
    usable = 0
    for key in health.keys:
        fitting = set(issuer.algorithms).intersection(key.algorithms)
        kid = f"kid {format_value(key.key_id)}" if key.key_id else "without a kid"
        if fitting:
            usable += 1
            yield create_ok_finding(section, join_names(fitting), f"{kid}, thumbprint {key.thumbprint}")
        else:
            yield Finding(
                section=section,
                name=join_names(key.algorithms),
                severity=Severity.NOTE,
                text=f"{kid}: this issuer's tokens may be signed with {join_names(issuer.algorithms)} only, so this key verifies no token",
            )
    for text in list_skipped_keys(issuer, exchanges):
        yield Finding(section=section, name="passed over", severity=Severity.NOTE, text=text)
    if not usable:
        algorithms = sorted({alg for key in health.keys for alg in key.algorithms})
        yield Finding(
            code="no_key_for_algorithms",
            section=section,
            name="no use",
            severity=Severity.FAULT,
            text=f"no key is for an algorithm that is accepted; the keys are for {', '.join(algorithms)}",
            cure=f"API: accept what the issuer signs with: algorithms={algorithms!r} (M2MGUARD_ALGORITHMS).",
            corrections={"ALGORITHMS": " ".join(algorithms)},
            diagnosis=f"{issuer.url} has keys, but none for an algorithm that the settings accept ({join_names(issuer.algorithms)}).",
        )
