"""Events as OpenTelemetry metrics. One table says which event counts where, and by which attributes; no value of a token is among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

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

try:
    from opentelemetry.metrics import Meter, get_meter
except ImportError as _missing:
    raise ImportError('m2mguard.telemetry needs OpenTelemetry: pip install "m2mguard[telemetry]"') from _missing

__all__ = ["COUNTERS", "Metrics"]

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


def __dir__() -> list[str]:
    return sorted(__all__)
