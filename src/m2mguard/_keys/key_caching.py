"""`KeyCaching`: the numbers of the key cache and their defaults, checked. Data only: `policy` decides what they mean for a request."""

from __future__ import annotations

from dataclasses import dataclass

from m2mguard._validation import number, whole_number
from m2mguard.errors import ConfigurationError

_DAY_S = 86_400.0


class _Default(float):
    """A default number: it is adapted if it contradicts a number that was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCaching:
    """The numbers of the key cache. Immutable.

    Args:
        ttl: seconds for which a key set is fresh, 1 to 86,400, default 300. While the issuer answers, a withdrawn key is trusted no
            longer than this. A `Cache-Control: max-age` of the issuer may shorten it, to no less than 60, and never lengthens it.
        refresh_ahead: the share of the ttl after which traffic refreshes the keys in the background, 0.01 to 1, default 0.8;
            spread by 10 %.
        stale_for: seconds after the last good fetch for which keys are served while the issuer fails; 0 (never) or ttl to 604,800,
            default 3,600, or the ttl where that is longer.
        cooldown: seconds within which the issuer gets at most `burst` requests about unknown keys, 1 to 3,600, default 30.
        burst: how many such requests, 0 to 100, default 2. Failed ones count, and so does discovery.
        max_wait: seconds a request waits for the issuer while there are keys to serve, 0 to 60, default 1, or the timeout where that is
            shorter.
        connect_timeout: seconds for a connection, above 0 to 60, default 2, or the timeout where that is shorter.
        timeout: seconds for one refresh in all, from connect_timeout to 60, default 5. A request waits this long if there are no keys.
        max_bytes: size of an answer, decoded, 1,024 to 16 MiB, default 262,144.
        max_keys: keys in a set, 1 to 1,000, default 100.

    Raises:
        ConfigurationError: a number that is out of range, not finite, or contradicts another.
    """

    ttl: float = 300
    refresh_ahead: float = 0.8
    stale_for: float = _Default(3600)
    cooldown: float = 30
    burst: int = 2
    max_wait: float = _Default(1)
    connect_timeout: float = _Default(2)
    timeout: float = 5
    max_bytes: int = 262_144
    max_keys: int = 100

    def __post_init__(self) -> None:
        number("ttl", self.ttl, least=1, most=_DAY_S)
        number("refresh_ahead", self.refresh_ahead, least=0.01, most=1, unit="parts of the ttl")
        number("stale_for", self.stale_for, least=0, most=7 * _DAY_S)
        number("cooldown", self.cooldown, least=1, most=3600)
        whole_number("burst", self.burst, least=0, most=100, unit="requests")
        number("max_wait", self.max_wait, least=0, most=60)
        number("connect_timeout", self.connect_timeout, least=0.001, most=60)
        number("timeout", self.timeout, least=0.001, most=60)
        whole_number("max_bytes", self.max_bytes, least=1024, most=16 * 2**20, unit="bytes")
        whole_number("max_keys", self.max_keys, least=1, most=1000, unit="keys")
        if 0 < self.stale_for < self.ttl:
            self._follow("stale_for", self.ttl, f"is shorter than ttl ({self.ttl:g}); give ttl or more, or 0 for never")
        for name in ("connect_timeout", "max_wait"):
            if getattr(self, name) > self.timeout:
                self._follow(name, self.timeout, f"is longer than timeout ({self.timeout:g})")

    def _follow(self, name: str, bound: float, contradiction: str) -> None:
        """Refuse a number that contradicts another; a default one is adapted instead."""
        given = getattr(self, name)
        if not isinstance(given, _Default):
            raise ConfigurationError(f"{name} ({given:g}) {contradiction}.")
        object.__setattr__(self, name, _Default(bound))
