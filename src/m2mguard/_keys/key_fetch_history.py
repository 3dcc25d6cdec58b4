"""The rate limit on fetches for unknown keys, on top of the record that every shared fetch has (`net/_fetch_history`). Pure.

No clock, no random number, no lock and no I/O: times are arguments, in seconds on the clock for ages.

The rate limit is for fetches on account of a key that we do not have. Each request of such a fetch that brings nothing new makes the next
such fetch possible `cooldown / burst` later. One fetch is reserved for applications whose tokens were verified before, so that a stranger
who invents key ids does not delay them. The reserved one is free again a third of that time after such an application has caused a
fetch that brought nothing, at the earliest, and a whole cool-down after it was used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from m2mguard._keys.key_caching import KeyCaching
from m2mguard.net._fetch_history import FetchHistory, doubled_s

RETRY_LEAST_S: Final = 0.5
MAX_DEBT: Final = 2  # cool-downs: the next fetch is never further away, however many requests the last one took


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFetchHistory(FetchHistory):
    """What is known of earlier fetches of keys. Never changed, only replaced.

    Attributes:
        next_allowed_at: when the next fetch for an unknown key is allowed.
        reserved_allowed_at: when the fetch that is reserved for known applications is allowed.
    """

    next_allowed_at: float = 0.0
    reserved_allowed_at: float = 0.0

    def next_allowed_in(self, now: float, caching: KeyCaching, *, is_known: bool) -> float:
        """Seconds until the issuer may be asked about an unknown key: 0 if it may be asked now.

        Args:
            now: the time.
            caching: the numbers.
            is_known: whether the token is of an application whose tokens were verified before.
        """
        if caching.burst == 0:
            return caching.cooldown
        allowed_at = self.next_allowed_at
        if is_known and caching.burst > 1:
            allowed_at = min(allowed_at, self.reserved_allowed_at)
        return max(0.0, allowed_at - now, self.closed_until - now)

    def record_unknown_kid_fetch(
        self, at: float, caching: KeyCaching, *, requests: int, is_known: bool
    ) -> KeyFetchHistory:
        """Record that a fetch for an unknown key, begun at `at`, took so many requests and brought no new key.

        Args:
            at: when it began.
            caching: the numbers.
            requests: how many requests it made.
            is_known: as for `next_allowed_in`.
        """
        pace = caching.cooldown / max(1, caching.burst)
        next_at = min(max(self.next_allowed_at, at) + pace * max(1, requests), at + MAX_DEBT * caching.cooldown)
        reserved_at = self.reserved_allowed_at
        if is_known:
            used_the_reserved_one = at < self.next_allowed_at
            reserved_at = at + (caching.cooldown if used_the_reserved_one else pace / 3)
        return replace(
            self,
            next_allowed_at=max(self.next_allowed_at, next_at),
            reserved_allowed_at=max(self.reserved_allowed_at, reserved_at),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """A caller that was told to wait and is back: since when it asks, and whether its time ended before the fetch did."""

    since: float
    timed_out: bool


def backoff_s(failures: int, *, jitter: float) -> float:
    """Seconds until the next fetch after so many failures in a row: 1 to 60, doubling, full jitter, at least half a second."""
    return max(RETRY_LEAST_S, doubled_s(failures) * jitter)
