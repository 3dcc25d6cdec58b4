"""The troubles of an issuer that a good token must survive, as the fixture `chaos` makes them. Each is one line against the test kit."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from m2mguard._server.resource_server import ResourceServer
from m2mguard.testing._local_issuer import LocalIssuer
from m2mguard.testing._test_server import make_keys_stale

SLOW_S: Final = 0.2
CLOCK_ERROR_S: Final = 20.0  # within the default leeway of 30 s


def _nothing(_server: ResourceServer, _issuer: LocalIssuer) -> None:
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
    issuer.slow(SLOW_S)
    issuer.rotate()


def _stale(server: ResourceServer, issuer: LocalIssuer) -> None:
    """The issuer is down, and the keys are older than their `ttl`."""
    make_keys_stale(server, issuer)


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
        "stale": _stale,
        "clock ahead": _clock_ahead,
        "clock behind": _clock_behind,
    }
)
"""What each trouble does to a server that has keys."""
