"""Events and health as OpenTelemetry metrics: counters for what happened, gauges for how it is. No value of a token is among them.

One table says which event counts where, and by which attributes, and another which number of `health()` is in which gauge.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from m2mguard.events import (
    BlocklistChanged,
    BlocklistFailed,
    Event,
    IntrospectionFailed,
    KeyFileRejected,
    KeysLoadedFromFile,
    KeysRefreshed,
    KeysUnavailableEvent,
    KeyWithdrawn,
    RefreshFailed,
    RenewalFailed,
    StaleServed,
    TokenAccepted,
    TokenRefused,
    TokenRenewed,
    UnknownKeyThrottled,
)

if TYPE_CHECKING:
    from m2mguard._server.resource_server import ResourceServer
    from m2mguard.health import Health

try:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation, get_meter
except ImportError as _missing:
    raise ImportError('m2mguard.telemetry needs OpenTelemetry: pip install "m2mguard[telemetry]"') from _missing

__all__ = ["COUNTERS", "GAUGES", "Gauges", "Metrics"]

COUNTERS: Mapping[str, str] = {
    "m2mguard.tokens": "Tokens that were checked",
    "m2mguard.tokens.unchecked": "Tokens that could not be checked, because the issuer's keys are not available or it could not be asked",
    "m2mguard.keys.refreshes": "Attempts to fetch an issuer's keys",
    "m2mguard.keys.withdrawn": "Keys that an issuer has ended trust in",
    "m2mguard.keys.stale_served": "Tokens that were checked with keys past their ttl",
    "m2mguard.keys.throttled": "Tokens of an unknown key about which the issuer was not asked",
    "m2mguard.keys.file": "Uses of the key-set file",
    "m2mguard.introspection.failures": "Questions about opaque tokens that brought no answer",
    "m2mguard.blocklist.changes": "Changes of the block list that this process has seen",
    "m2mguard.blocklist.failures": "Looks at the block list that failed, and entries that cannot be read",
    "m2mguard.client.renewals": "Attempts to get our own access token",
}


class _Counted(NamedTuple):
    """Where an event counts, with which fixed attributes, and which of its fields are attributes, too."""

    counter: str
    fixed: Mapping[str, str] = {}
    fields: tuple[str, ...] = ()


_TABLE: Mapping[type[Event], _Counted] = {
    TokenAccepted: _Counted("m2mguard.tokens", {"outcome": "accepted"}, ("remembered",)),
    TokenRefused: _Counted("m2mguard.tokens", {"outcome": "refused"}, ("reason", "status")),
    KeysUnavailableEvent: _Counted("m2mguard.tokens.unchecked"),
    KeysRefreshed: _Counted("m2mguard.keys.refreshes", {"outcome": "good"}, ("cause", "not_modified")),
    RefreshFailed: _Counted("m2mguard.keys.refreshes", {"outcome": "failed"}, ("cause",)),
    KeyWithdrawn: _Counted("m2mguard.keys.withdrawn"),
    StaleServed: _Counted("m2mguard.keys.stale_served"),
    UnknownKeyThrottled: _Counted("m2mguard.keys.throttled"),
    KeysLoadedFromFile: _Counted("m2mguard.keys.file", {"outcome": "recalled"}),
    KeyFileRejected: _Counted("m2mguard.keys.file", {"outcome": "ignored"}),
    IntrospectionFailed: _Counted("m2mguard.introspection.failures", {}, ("problem",)),
    BlocklistChanged: _Counted("m2mguard.blocklist.changes"),
    BlocklistFailed: _Counted("m2mguard.blocklist.failures", {}, ("problem",)),
    TokenRenewed: _Counted("m2mguard.client.renewals", {"outcome": "good"}),
    RenewalFailed: _Counted("m2mguard.client.renewals", {"outcome": "failed"}),
}


class Metrics:
    """Counts events: `ResourceServer(..., on_event=Metrics())`. Safe to share between threads and servers; never blocks.

    Args:
        meter: makes the counters; default the one named "m2mguard" of the global provider.
        then: called with every event afterwards, if you want `on_event` for yourself as well.
    """

    def __init__(self, *, meter: Meter | None = None, then: Callable[[Event], object] | None = None) -> None:
        meter = get_meter("m2mguard") if meter is None else meter
        self._then = then
        self._counters = {
            name: meter.create_counter(name, unit="1", description=description)
            for name, description in COUNTERS.items()
        }

    def __call__(self, event: Event) -> None:
        """Count one event, with its issuer and what its row in the table names."""
        counted = _TABLE.get(type(event))
        if counted is not None:
            attributes: dict[str, Any] = {**counted.fixed, **{name: getattr(event, name) for name in counted.fields}}
            if event.issuer is not None:
                attributes["issuer"] = event.issuer
            self._counters[counted.counter].add(1, attributes)
        if self._then is not None:
            self._then(event)


_NONE: Mapping[str, str] = MappingProxyType({})
GAUGES: Mapping[str, tuple[str, str]] = {
    "m2mguard.ready": ("", "1 if this process can check tokens, else 0: what its readiness probe says"),
    "m2mguard.keys.age": ("s", "Seconds since the keys of an issuer were fetched"),
    "m2mguard.keys.remaining": (
        "s",
        "Seconds for which the keys of an issuer may still be used, if it does not answer",
    ),
    "m2mguard.verdicts.remembered": ("", "Tokens that are remembered as good"),
    "m2mguard.blocklist.age": ("s", "Seconds since the block list was read, or found unchanged"),
    "m2mguard.blocklist.entries": ("", "Entries of the block list that are in force"),
}
"""The name of each gauge: its unit, and what it shows."""


class Gauges:
    """Shows the health of a server: `Gauges(server)`, once in each process. It does not keep the server alive.

    The numbers are those of `server.health()` at the moment at which a reader collects them. There is no I/O and no waiting.

    Args:
        server: the server.
        meter: makes the gauges; default the one named "m2mguard" of the global provider.
        attributes: further attributes of each number, default none. A process with several servers needs them, to tell one from another.
    """

    def __init__(
        self, server: ResourceServer, *, meter: Meter | None = None, attributes: Mapping[str, str] = _NONE
    ) -> None:
        meter = get_meter("m2mguard") if meter is None else meter
        self._server = weakref.ref(server)
        self._attributes = dict(attributes)
        for name, (unit, description) in GAUGES.items():
            meter.create_observable_gauge(
                name, callbacks=[functools.partial(self._observe, name)], unit=unit, description=description
            )

    def _observe(self, name: str, _options: CallbackOptions) -> Iterable[Observation]:
        server = self._server()
        return () if server is None else list(_observations(name, server.health(), self._attributes))


def _observations(name: str, health: Health, attributes: Mapping[str, str]) -> Iterator[Observation]:
    numbers: dict[str, float | None] = {
        "m2mguard.ready": int(health.ready),
        "m2mguard.verdicts.remembered": health.verdicts.remembered,
    }
    if health.blocklist is not None:
        numbers["m2mguard.blocklist.age"] = health.blocklist.age
        numbers["m2mguard.blocklist.entries"] = health.blocklist.entries
    number = numbers.get(name)
    if number is not None:
        yield Observation(number, attributes)
    for issuer in health.issuers:
        if issuer.age is None or issuer.fetched_at is None or issuer.stale_until is None:
            continue  # there are no keys, or they never change
        if name == "m2mguard.keys.age":
            yield Observation(issuer.age, {**attributes, "issuer": issuer.issuer})
        elif name == "m2mguard.keys.remaining":
            yield Observation(
                issuer.stale_until - issuer.fetched_at - issuer.age, {**attributes, "issuer": issuer.issuer}
            )


def __dir__() -> list[str]:
    return sorted(__all__)
