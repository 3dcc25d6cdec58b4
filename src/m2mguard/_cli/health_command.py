"""`m2mguard health` and `m2mguard keys`: fetch the keys of each issuer once, and show their state. No token is needed."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from m2mguard._cli.command_setup import CommandSetup
from m2mguard._cli.fetch_advice import show_fetch_problem
from m2mguard._cli.output import Output, Status
from m2mguard._cli.recording_transport import Exchange
from m2mguard._formatting import format_value, join_names
from m2mguard._keys.key_set import parse_key_set
from m2mguard.health import Health, IssuerHealth
from m2mguard.issuer import Issuer

_MAX_KEYS = 1_000  # the maximum of `KeyCaching.max_keys`


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerReport:
    """The state of one issuer's keys after a fetch, and the exchanges of that fetch."""

    issuer: Issuer
    health: IssuerHealth
    exchanges: list[Exchange]


def fetch_all(setup: CommandSetup) -> list[IssuerReport]:
    """Fetch the keys of every issuer, one after the other. Blocks for at most `KeyCaching.timeout` plus one second per issuer."""
    reports = []
    for issuer in setup.settings.issuers:
        server, transport = setup.create_server(issuer)
        [health] = server.warm_up(setup.max_fetch_s).issuers
        reports.append(IssuerReport(issuer=issuer, health=health, exchanges=transport.exchanges))
    return reports


def show_health(output: Output, reports: list[IssuerReport]) -> None:
    """Show for each issuer whether its tokens can be checked, and if not, why and what to do."""
    for one in reports:
        if one.health.ready:
            count = len(one.health.keys)
            output.row(
                Status.PASSED,
                "ready",
                f"{one.health.issuer}: {count} usable key{'' if count == 1 else 's'} {describe_key_origin(one)}",
            )
        else:
            output.row(Status.REFUSED, "not ready", one.health.issuer)
            show_fetch_problem(output, one.health.last_problem, one.health.last_error, one.exchanges)


def format_health_json(reports: list[IssuerReport]) -> str:
    """Format the `Health` of a service with these settings as JSON."""
    issuers = tuple(one.health for one in reports)
    health = Health(ready=all(issuer.ready for issuer in issuers), issuers=issuers)
    return json.dumps(dataclasses.asdict(health), indent=2)


def format_keys_json(reports: list[IssuerReport]) -> str:
    """Format as JSON what `show_keys` shows: the usable keys of each issuer, and why others are passed over."""
    issuers = [
        {
            "issuer": one.health.issuer,
            "keys": [dataclasses.asdict(key) for key in one.health.keys],
            "passed_over": list_skipped_keys(one.issuer, one.exchanges) if one.health.ready else (),
            "problem": one.health.last_problem,
        }
        for one in reports
    ]
    return json.dumps({"issuers": issuers}, indent=2)


def show_keys(output: Output, reports: list[IssuerReport]) -> None:
    """Show each usable key, and the reason for each key that was passed over."""
    for one in reports:
        if not one.health.ready:
            output.row(Status.REFUSED, "no keys", one.health.issuer)
            show_fetch_problem(output, one.health.last_problem, one.health.last_error, one.exchanges)
            continue
        output.line(f"{one.health.issuer}: keys {describe_key_origin(one)}")
        for key in one.health.keys:
            output.row(
                Status.PASSED,
                join_names(key.algorithms),
                f"kid {format_value(key.key_id)}, thumbprint {key.thumbprint}",
            )
        for reason in list_skipped_keys(one.issuer, one.exchanges):
            output.row(Status.NOT_REACHED, "passed over", reason)


def describe_key_origin(report: IssuerReport) -> str:
    """Describe the origin of the keys: the settings, or a URL."""
    return "configured" if report.issuer.jwks is not None else f"found at {report.exchanges[-1].url}"


def list_skipped_keys(issuer: Issuer, exchanges: list[Exchange]) -> tuple[str, ...]:
    """Return, for each key that was passed over, its position in the accepted key set and the reason."""
    keys = issuer.static_keys()
    if keys is None:  # the last answer is the key set that the library has accepted
        keys = parse_key_set(exchanges[-1].body or b"", max_keys=_MAX_KEYS)
    return keys.skipped
