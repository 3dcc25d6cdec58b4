"""`m2mguard health` and `m2mguard keys`: fetch each issuer's keys once, and show their state. No token is involved."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from m2mguard._cli.fetch_advice import show_problem
from m2mguard._cli.output import Output, Status
from m2mguard._cli.recording_transport import Exchange
from m2mguard._cli.settings import Setup
from m2mguard._formatting import joined_names, quoted
from m2mguard._keys.key_set import parse_key_set
from m2mguard.health import Health, IssuerHealth
from m2mguard.issuer import Issuer

_MOST_KEYS = 1_000  # the highest number that `KeyCaching.max_keys` allows


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerReport:
    """The state of one issuer's keys after they were asked for, and the exchanges."""

    issuer: Issuer
    health: IssuerHealth
    exchanges: list[Exchange]


def fetch_all(setup: Setup) -> list[IssuerReport]:
    """Fetch the keys of every issuer, one after the other. Blocks for as long as `KeyCaching.timeout` allows for each."""
    found = []
    for issuer in setup.settings.issuers:
        server, transport = setup.server(issuer)
        [health] = server.warm_up(setup.longest_wait_s).issuers
        found.append(IssuerReport(issuer=issuer, health=health, exchanges=transport.exchanges))
    return found


def show_health(output: Output, found: list[IssuerReport]) -> None:
    """Say of each issuer whether its tokens can be checked, and if not, why and what to do."""
    for one in found:
        if one.health.ready:
            count = len(one.health.keys)
            output.row(
                Status.PASSED,
                "ready",
                f"{one.health.issuer}: {count} usable key{'' if count == 1 else 's'} {origin_of_keys(one)}",
            )
        else:
            output.row(Status.REFUSED, "not ready", one.health.issuer)
            show_problem(output, one.health.last_problem, one.health.last_error, one.exchanges)


def health_as_json(found: list[IssuerReport]) -> str:
    """The `Health` that a service with these settings would show now, as JSON."""
    issuers = tuple(one.health for one in found)
    health = Health(ready=all(issuer.ready for issuer in issuers), issuers=issuers)
    return json.dumps(dataclasses.asdict(health), indent=2)


def keys_as_json(found: list[IssuerReport]) -> str:
    """What `show_keys` shows, for programs: each issuer's usable keys, and why others are passed over."""
    told = [
        {
            "issuer": one.health.issuer,
            "keys": [dataclasses.asdict(key) for key in one.health.keys],
            "passed_over": skipped_keys(one.issuer, one.exchanges) if one.health.ready else (),
            "problem": one.health.last_problem,
        }
        for one in found
    ]
    return json.dumps({"issuers": told}, indent=2)


def show_keys(output: Output, found: list[IssuerReport]) -> None:
    """Show each usable key, and each key that was passed over with the reason."""
    for one in found:
        if not one.health.ready:
            output.row(Status.REFUSED, "no keys", one.health.issuer)
            show_problem(output, one.health.last_problem, one.health.last_error, one.exchanges)
            continue
        output.line(f"{one.health.issuer}: keys {origin_of_keys(one)}")
        for key in one.health.keys:
            output.row(
                Status.PASSED, joined_names(key.algorithms), f"kid {quoted(key.key_id)}, thumbprint {key.thumbprint}"
            )
        for reason in skipped_keys(one.issuer, one.exchanges):
            output.row(Status.NOT_REACHED, "passed over", reason)


def origin_of_keys(found: IssuerReport) -> str:
    """Where the keys came from."""
    return "configured" if found.issuer.jwks is not None else f"found at {found.exchanges[-1].url}"


def skipped_keys(issuer: Issuer, exchanges: list[Exchange]) -> tuple[str, ...]:
    """For each key that was passed over, its position in the key set that was accepted, and why."""
    keys = issuer.static_keys()
    if keys is None:  # the last answer is the key set that the library has just accepted
        keys = parse_key_set(exchanges[-1].body or b"", max_keys=_MOST_KEYS)
    return keys.skipped
