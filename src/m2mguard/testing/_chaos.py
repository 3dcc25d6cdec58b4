"""The troubles of an issuer that a good token must survive, as the fixture `chaos` makes them. Each is one line against the test kit."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from m2mguard.testing._test_server import TestServer

SLOW_S: Final = 0.2
CLOCK_ERROR_S: Final = 20.0  # within the default leeway of 30 s


def _nothing(_server: TestServer) -> None:
    """Everything works."""


def _rotation(server: TestServer) -> None:
    """The issuer signs with a new key; the old one is still published."""
    server.issuer.rotate()


def _withdrawal(server: TestServer) -> None:
    """The issuer signs with a new key, and no longer publishes the old one."""
    old = server.issuer.current_key.kid
    server.issuer.rotate()
    server.issuer.withdraw(old)


def _outage(server: TestServer) -> None:
    """The issuer refuses every connection."""
    server.issuer.stop()


def _slow(server: TestServer) -> None:
    """The issuer answers late, and a new key has to be fetched from it."""
    server.issuer.slow(SLOW_S)
    server.issuer.rotate()


def _stale(server: TestServer) -> None:
    """The issuer is down, and the keys are older than their `ttl`."""
    server.make_keys_stale()


def _clock_ahead(server: TestServer) -> None:
    """The issuer's clock is ahead."""
    server.issuer.clock_error = CLOCK_ERROR_S


def _clock_behind(server: TestServer) -> None:
    """The issuer's clock is behind."""
    server.issuer.clock_error = -CLOCK_ERROR_S


TROUBLES: Final = MappingProxyType[str, Callable[[TestServer], None]](
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
