"""What the cases run in: an issuer that answers, one that does not, a clock that does not move, and the events of the operator."""

from __future__ import annotations

import contextlib
from typing import Final, Self

from m2mguard._server.resource_server import ResourceServer
from m2mguard.events import Event, TokenRefused
from m2mguard.issuer import Issuer
from m2mguard.testing._local_issuer import LocalIssuer
from m2mguard.testing._minting import SHOPPING_API

NOW: Final = 1_790_000_000.0
"""The time in every row, in seconds since the epoch."""
LEEWAY_S: Final = 30


class Environment:
    """A context manager; one serves any number of rows.

    Attributes:
        issuer: runs, and mints the rows' tokens.
        server: trusts `issuer`, and takes tokens of applications only.
        server_for_persons: trusts `issuer`, and takes persons' tokens, too.
        absent_issuer: mints, but refuses every connection.
        without_route: how many refusals were told without the method and path of their request.
    """

    def __init__(self) -> None:
        self.issuer: Final = LocalIssuer(clock=_now)
        self.absent_issuer: Final = LocalIssuer(clock=_now)
        self.server: Final = self._server(self.issuer)
        self.server_for_persons: Final = self._server(self.issuer, machine_only=False)
        self._told: list[TokenRefused] = []
        self.without_route: int = 0
        self._running = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._running.enter_context(self.issuer)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def server_without_keys(self) -> ResourceServer:
        """A server that has never reached its issuer, `absent_issuer`."""
        return self._server(self.absent_issuer)

    def take_refusals(self) -> list[TokenRefused]:
        """The events of requests that were refused since this was last asked."""
        refusals, self._told = self._told, []
        return refusals

    def _server(self, issuer: LocalIssuer, *, machine_only: bool = True) -> ResourceServer:
        return ResourceServer(
            Issuer.logto(issuer.endpoint),
            audience=SHOPPING_API,
            leeway=LEEWAY_S,
            clock=_now,
            on_event=self._hear,
            machine_only=machine_only,
        )

    def _hear(self, event: Event) -> None:
        if isinstance(event, TokenRefused):
            self._told.append(event)
            self.without_route += event.method is None


def _now() -> float:
    return NOW
