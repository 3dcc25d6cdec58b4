"""The record of a shared fetch, of keys or of a token: its failures, the back-off after them, and the fetch in flight. Pure.

No clock, no random number, no lock and no I/O: times are arguments, in seconds on the clock for ages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Self

RETRY_FIRST_S: Final = 1.0
RETRY_LAST_S: Final = 60.0
FAILING_FOR_S: Final = 2 * RETRY_LAST_S  # a failure older than this no longer counts


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchHistory:
    """What is known of earlier fetches. Never changed, only replaced.

    Attributes:
        failures: how many fetches in a row have failed.
        failed_at: when the last of them did.
        retry_at: before that time no fetch begins by itself.
        closed_until: the other side has asked, by `Retry-After`, for no request before that time.
        in_flight_since: when the fetch in flight began, or None.
        timed_out: whether a waiter timed out on that fetch.
    """

    failures: int = 0
    failed_at: float = 0.0
    retry_at: float = 0.0
    closed_until: float = 0.0
    in_flight_since: float | None = None
    timed_out: bool = False

    @property
    def in_flight(self) -> bool:
        """Whether a fetch is in flight."""
        return self.in_flight_since is not None

    def may_ask(self, now: float) -> bool:
        """Tell whether a fetch may begin: none is in flight, and the back-off is over."""
        return self.in_flight_since is None and now >= self.retry_at

    def failing(self, now: float, *, for_s: float = FAILING_FOR_S) -> bool:
        """Tell whether the last fetch failed, and did so within the last `for_s` seconds."""
        return self.failures > 0 and now < self.failed_at + for_s

    def failed_since(self, then: float) -> bool:
        """Tell whether the last fetch failed, and did so no earlier than `then`."""
        return self.failures > 0 and self.failed_at >= then

    def started(self, now: float) -> Self:
        """Record that a fetch is in flight."""
        return replace(self, in_flight_since=now, timed_out=False)

    def waiter_timed_out(self) -> Self:
        """Record that a waiter timed out on the fetch in flight."""
        return replace(self, timed_out=self.in_flight_since is not None)

    def finished(self) -> Self:
        """Record that the fetch in flight has ended."""
        return replace(self, in_flight_since=None, timed_out=False)

    def succeeded(self) -> Self:
        """Record a good answer, of the fetch in flight or of an earlier one that was given up."""
        return replace(self, failures=0, failed_at=0.0, retry_at=0.0, closed_until=0.0)

    def failed(self, at: float, *, backoff_s: float, retry_after_s: float = 0.0) -> Self:
        """Record a failure.

        Args:
            at: when it failed.
            backoff_s: seconds until the next fetch may begin by itself.
            retry_after_s: seconds for which the other side has asked for no request, or 0. The longer of the two counts.
        """
        return replace(
            self,
            failures=self.failures + 1,
            failed_at=at,
            retry_at=at + max(backoff_s, retry_after_s),
            closed_until=max(self.closed_until, at + retry_after_s) if retry_after_s else self.closed_until,
        )


def doubled_s(failures: int) -> float:
    """The back-off after so many failures in a row, before jitter: 1, 2, 4 … 60 seconds."""
    return min(RETRY_LAST_S, RETRY_FIRST_S * 2.0 ** min(failures, 10))
