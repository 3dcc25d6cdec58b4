"""What is known of asking an issuer for its keys: permits, failures, back-off, and the fetch in flight. A pure record.

No clock, no random number, no lock and no I/O: times are arguments, in seconds on the clock for ages.

Permits are for fetches on account of a key that we do not have. Each request of such a fetch that brings nothing new makes the next
permit come `cooldown / burst` later. One permit is kept for applications whose tokens were verified before, so that a stranger who
invents key ids delays them by nothing. It is there again a third of that time after such an application has asked for nothing, at the
soonest, and a whole cool-down after it was used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from m2mguard._keys.key_caching import KeyCaching

RETRY_LEAST_S = 0.5
RETRY_FIRST_S = 1.0
RETRY_LAST_S = 60.0
MAX_DEBT = 2  # cool-downs: nobody waits longer for a permit, whatever a fetch has cost
FAILING_FOR_S = 2 * RETRY_LAST_S  # a failure older than this no longer counts


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchHistory:
    """What is known of asking the issuer. Never changed, only replaced.

    Attributes:
        next_allowed_at: when the next permit for an unknown key is free.
        reserved_allowed_at: when the permit that is kept for known applications is free.
        failures: how many fetches in a row have failed.
        failed_at: when the last of them did.
        retry_at: until then nobody asks again, unless about an unknown key.
        closed_until: until then nobody asks at all: the issuer has said so by `Retry-After`.
        in_flight_since: when the fetch in flight began, or None.
        timed_out: whether somebody has waited for that fetch until their time was over.
    """

    next_allowed_at: float = 0.0
    reserved_allowed_at: float = 0.0
    failures: int = 0
    failed_at: float = 0.0
    retry_at: float = 0.0
    closed_until: float = 0.0
    in_flight_since: float | None = None
    timed_out: bool = False

    def next_allowed_in(self, now: float, caching: KeyCaching, *, is_known: bool) -> float:
        """Seconds until the issuer may be asked about an unknown key: 0 where a permit is free.

        Args:
            now: the time.
            caching: the numbers.
            is_known: whether the token is of an application whose tokens were verified before.
        """
        if caching.burst == 0:
            return caching.cooldown
        free_at = self.next_allowed_at
        if is_known and caching.burst > 1:
            free_at = min(free_at, self.reserved_allowed_at)
        return max(0.0, free_at - now, self.closed_until - now)

    def may_ask(self, now: float) -> bool:
        """Tell whether a fetch may begin: none is in flight, and the back-off is over."""
        return self.in_flight_since is None and now >= self.retry_at

    def failing(self, now: float, *, for_s: float = FAILING_FOR_S) -> bool:
        """Tell whether the last fetch failed, and did so within the last `for_s` seconds."""
        return self.failures > 0 and now < self.failed_at + for_s

    def failed_since(self, then: float) -> bool:
        """Tell whether the last fetch failed, and did so no earlier than `then`."""
        return self.failures > 0 and self.failed_at >= then

    def started(self, now: float) -> FetchHistory:
        """Record that a fetch is in flight."""
        return replace(self, in_flight_since=now, timed_out=False)

    def waiter_timed_out(self) -> FetchHistory:
        """Record that somebody waited for the fetch in flight until their time was over."""
        return replace(self, timed_out=self.in_flight_since is not None)

    def finished(self) -> FetchHistory:
        """Record that the fetch in flight has ended."""
        return replace(self, in_flight_since=None, timed_out=False)

    def record_unknown_kid_fetch(
        self, at: float, caching: KeyCaching, *, requests: int, is_known: bool
    ) -> FetchHistory:
        """Record that a fetch for an unknown key, begun at `at`, took so many requests and brought no new key.

        Args:
            at: when it began.
            caching: the numbers.
            requests: how many requests it made.
            is_known: as for `next_allowed_in`.
        """
        pace = caching.cooldown / max(1, caching.burst)
        next_allowed_at = min(max(self.next_allowed_at, at) + pace * max(1, requests), at + MAX_DEBT * caching.cooldown)
        reserved_allowed_at = self.reserved_allowed_at
        if is_known:
            used_the_kept_one = at < self.next_allowed_at
            reserved_allowed_at = at + (caching.cooldown if used_the_kept_one else pace / 3)
        return replace(
            self,
            next_allowed_at=max(self.next_allowed_at, next_allowed_at),
            reserved_allowed_at=max(self.reserved_allowed_at, reserved_allowed_at),
        )

    def succeeded(self) -> FetchHistory:
        """Record a good answer, be it of the fetch in flight or of an earlier one that was given up."""
        return replace(self, failures=0, failed_at=0.0, retry_at=0.0, closed_until=0.0)

    def failed(self, at: float, *, jitter: float, retry_after: float = 0.0) -> FetchHistory:
        """Record a failure.

        Args:
            at: when.
            jitter: 0…1, the share of the back-off that is waited (full jitter, but never next to nothing).
            retry_after: seconds for which the issuer wants to be left alone, or 0.
        """
        backoff = min(RETRY_LAST_S, RETRY_FIRST_S * 2.0 ** min(self.failures, 10))
        wait = max(RETRY_LEAST_S, backoff * jitter, retry_after)
        closed_until = max(self.closed_until, at + retry_after) if retry_after else self.closed_until
        return replace(self, failures=self.failures + 1, failed_at=at, retry_at=at + wait, closed_until=closed_until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """A caller that was told to wait and is back: since when it asks, and whether its time ended before the fetch did."""

    since: float
    timed_out: bool
