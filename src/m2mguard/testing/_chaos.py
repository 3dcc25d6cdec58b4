"""The troubles of an issuer that a good token must survive, as the fixture `chaos` makes them. Each is one line against the test kit."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from m2mguard._keys.key_caching import KeyCaching
from m2mguard._server.resource_server import ResourceServer
from m2mguard.testing._local_issuer import LocalIssuer
from m2mguard.testing._movable_clock import MovableClock

SLOW_S: Final = 0.2
CLOCK_ERROR_S: Final = 20.0  # within the default leeway of 30 s


def begin(trouble: str, issuer: LocalIssuer) -> None:
    """Put an issuer into a trouble, for all servers that have its keys."""
    issuer.trouble = TROUBLES[trouble]
    issuer.trouble(issuer)


def fetch_keys_before_trouble(server: ResourceServer, issuer: LocalIssuer) -> None:
    """Give a server that was built amid a trouble the keys that it would have: the trouble pauses meanwhile."""
    if issuer.trouble is not None:
        issuer.recover()
        server.warm_up()
        issuer.trouble(issuer)


def _nothing(_issuer: LocalIssuer) -> None:
    """Everything works."""


def _rotation(issuer: LocalIssuer) -> None:
    """The issuer signs with a new key; the old one is still published."""
    issuer.rotate()


def _withdrawal(issuer: LocalIssuer) -> None:
    """The issuer signs with a new key, and no longer publishes the old one."""
    old = issuer.current_key.kid
    issuer.rotate()
    issuer.withdraw(old)


def _outage(issuer: LocalIssuer) -> None:
    """The issuer refuses every connection."""
    issuer.stop()


def _slow(issuer: LocalIssuer) -> None:
    """The issuer answers late, and a new key has to be fetched from it."""
    issuer.rotate()
    issuer.slow(SLOW_S)


def _stale(issuer: LocalIssuer) -> None:
    """The issuer is down, and the keys are older than the default `ttl`."""
    issuer.stop()
    if isinstance(issuer.clock, MovableClock):
        issuer.clock.advance(seconds=KeyCaching().ttl + 1)


def _clock_ahead(issuer: LocalIssuer) -> None:
    """The issuer's clock is ahead."""
    issuer.clock_error = CLOCK_ERROR_S


def _clock_behind(issuer: LocalIssuer) -> None:
    """The issuer's clock is behind."""
    issuer.clock_error = -CLOCK_ERROR_S


TROUBLES: Final = MappingProxyType[str, Callable[[LocalIssuer], None]](
    {
        "nothing": _nothing,
        "rotation": _rotation,
        "withdrawal": _withdrawal,
        "outage": _outage,
        "slow": _slow,
        "stale": _stale,
        "clock ahead": _clock_ahead,
        "clock behind": _clock_behind,
    }
)
"""What each trouble does to an issuer whose keys were fetched."""
