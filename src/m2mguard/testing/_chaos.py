"""The troubles of an issuer that a good token must survive, as the fixture `chaos` makes them. Each is one line against the test kit."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from m2mguard._server.resource_server import ResourceServer
from m2mguard.testing._local_issuer import LocalIssuer, movable_clock_of

SLOW_S: Final = 0.2
CLOCK_ERROR_S: Final = 20.0  # within the default leeway of 30 s


def begin(trouble: str, server: ResourceServer, issuer: LocalIssuer) -> None:
    """Put an issuer into a trouble, for a server that has its keys, and for those that `fetch_keys_before_trouble` gives them."""
    make_trouble = TROUBLES[trouble]
    issuer.trouble = lambda server: make_trouble(server, issuer)
    issuer.trouble(server)


def fetch_keys_before_trouble(server: ResourceServer, issuer: LocalIssuer) -> None:
    """Give a server that was built amid a trouble the keys that it would have: the trouble pauses meanwhile."""
    if issuer.trouble is not None:
        issuer.recover()
        server.warm_up()
        issuer.trouble(server)


def _nothing(_server: ResourceServer, issuer: LocalIssuer) -> None:
    """Everything works."""


def _rotation(_server: ResourceServer, issuer: LocalIssuer) -> None:
    """The issuer signs with a new key; the old one is still published."""
    issuer.rotate()


def _withdrawal(_server: ResourceServer, issuer: LocalIssuer) -> None:
    """The issuer signs with a new key, and no longer publishes the old one."""
    old = issuer.current_key.kid
    issuer.rotate()
    issuer.withdraw(old)


def _outage(_server: ResourceServer, issuer: LocalIssuer) -> None:
    """The issuer refuses every connection."""
    issuer.stop()


def _slow(_server: ResourceServer, issuer: LocalIssuer) -> None:
    """The issuer answers late, and a new key has to be fetched from it."""
    issuer.rotate()
    issuer.slow(SLOW_S)


def make_keys_stale(server: ResourceServer, issuer: LocalIssuer) -> None:
    """Stop the issuer, and move its clock until the server's keys are older than their `ttl`. Fetches them first if there are none."""
    server.warm_up()
    issuer.stop()
    movable_clock_of(issuer).advance(seconds=server.settings.caching.ttl + 1)


def _clock_ahead(_server: ResourceServer, issuer: LocalIssuer) -> None:
    """The issuer's clock is ahead."""
    issuer.clock_error = CLOCK_ERROR_S


def _clock_behind(_server: ResourceServer, issuer: LocalIssuer) -> None:
    """The issuer's clock is behind."""
    issuer.clock_error = -CLOCK_ERROR_S


TROUBLES: Final = MappingProxyType[str, Callable[[ResourceServer, LocalIssuer], None]](
    {
        "nothing": _nothing,
        "rotation": _rotation,
        "withdrawal": _withdrawal,
        "outage": _outage,
        "slow": _slow,
        "stale": make_keys_stale,
        "clock ahead": _clock_ahead,
        "clock behind": _clock_behind,
    }
)
"""What each trouble does to an issuer whose keys were fetched."""
