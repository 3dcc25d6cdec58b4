"""What a server or a client is given from outside, as one value: clocks, transport, and where events go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from m2mguard._clocks import Clock, Clocks, clocks_from
from m2mguard._reporting.reporter import Reporter
from m2mguard.errors import ConfigurationError
from m2mguard.events import Event, PlainHttpAllowed
from m2mguard.net._protocol import Transport
from m2mguard.net._transport import transport_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Clocks, transport and reporter. Immutable and safe to share."""

    clocks: Clocks
    transport: Transport
    reporter: Reporter

    @classmethod
    def from_arguments(
        cls,
        *,
        clock: Clock | None,
        monotonic: Clock | None,
        transport: Transport | None,
        on_event: Callable[[Event], object] | None,
        plain_http: Mapping[str, tuple[str, ...]],
        connect_timeout: float = 2.0,
    ) -> Runtime:
        """Build one from a constructor's arguments. Warns of each origin that may be asked over plain http.

        Args:
            clock: seconds since the epoch; None: the process's clock.
            monotonic: seconds on a clock that never steps; None: the process's clock.
            transport: makes the HTTP exchanges; None: an `HttpTransport`.
            on_event: called with every event; None: no listener.
            plain_http: by issuer, the origins off loopback that `allow_http` opens.
            connect_timeout: seconds, for the default transport.

        Raises:
            ConfigurationError: an argument that is not callable, or no transport, or one that does not ask an origin of `plain_http`.
        """
        if on_event is not None and not callable(on_event):
            raise ConfigurationError("on_event must be callable.")
        clocks = clocks_from(clock, monotonic)
        origins = [origin for of_issuer in plain_http.values() for origin in of_issuer]
        reporter = Reporter(on_event, monotonic=clocks.ages)
        runtime = cls(
            clocks=clocks,
            transport=transport_for(transport, http_origins=origins, connect_timeout=connect_timeout),
            reporter=reporter,
        )
        for issuer, of_issuer in plain_http.items():
            if of_issuer:
                reporter.emit(PlainHttpAllowed(issuer=issuer, origins=of_issuer))
        return runtime
