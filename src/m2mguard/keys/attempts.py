"""What is known of asking an issuer for its keys: permits, failures, back-off, and the attempt under way. A pure record.

No clock, no dice, no lock and no I/O: times are arguments, in seconds on the monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from m2mguard.keys.caching import KeyCaching

RETRY_LEAST_S = 0.5
RETRY_FIRST_S = 1.0
RETRY_LAST_S = 60.0
FAILING_FOR_S = 2 * RETRY_LAST_S  # so long after an attempt, its failure says nothing about the issuer any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """What is known of asking the issuer. Never changed, only replaced.

    Attributes:
        permits: when the issuer was asked about unknown keys, the last few times.
        failures: how many attempts in a row have failed.
        failed_at: when the last of them did.
        retry_at: until then nobody asks again, unless about an unknown key.
        flying_since: when the attempt under way began, or None.
        slow: whether somebody has waited for that attempt in vain.
    """

    permits: tuple[float, ...] = ()
    failures: int = 0
    failed_at: float = 0.0
    retry_at: float = 0.0
    flying_since: float | None = None
    slow: bool = False

    def permit_after(self, now: float, caching: KeyCaching) -> float:
        """Seconds until the issuer may be asked about an unknown key; 0 where a permit is left, the whole cool-down where none is given."""
        if caching.burst == 0:
            return caching.cooldown
        recent = self.permits[-caching.burst :]
        return 0.0 if len(recent) < caching.burst else max(0.0, recent[0] + caching.cooldown - now)

    def may_ask(self, now: float) -> bool:
        """Tell whether an attempt may begin: none is under way, and the back-off is over."""
        return self.flying_since is None and now >= self.retry_at

    def failing(self, now: float, *, for_s: float = FAILING_FOR_S) -> bool:
        """Tell whether the last attempt failed, and did so within the last `for_s` seconds."""
        return self.failures > 0 and now < self.failed_at + for_s

    def failed_since(self, then: float) -> bool:
        """Tell whether the last attempt failed, and did so no earlier than `then`."""
        return self.failures > 0 and self.failed_at >= then

    def took_off(self, now: float) -> Attempts:
        """Note that an attempt is under way."""
        return replace(self, flying_since=now, slow=False)

    def spent_permit(self, at: float, caching: KeyCaching) -> Attempts:
        """Note that the issuer was asked about an unknown key."""
        return replace(self, permits=(*self.permits, at)[-max(1, caching.burst) :])

    def found_slow(self) -> Attempts:
        """Note that somebody waited for the attempt under way in vain."""
        return replace(self, slow=self.flying_since is not None)

    def landed(self) -> Attempts:
        """Note that the attempt under way has ended."""
        return replace(self, flying_since=None, slow=False)

    def succeeded(self) -> Attempts:
        """Note a good answer, be it of the attempt under way or of an earlier one that was given up."""
        return replace(self, failures=0, failed_at=0.0, retry_at=0.0)

    def failed(self, at: float, *, dice: float) -> Attempts:
        """Note a failure. `dice`, 0…1, is the share of the back-off that is waited (full jitter, but never next to nothing)."""
        backoff = min(RETRY_LAST_S, RETRY_FIRST_S * 2.0 ** min(self.failures, 10))
        return replace(self, failures=self.failures + 1, failed_at=at, retry_at=at + max(RETRY_LEAST_S, backoff * dice))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A caller that was told to wait and is back: since when it asks, and whether its patience ended before the flight landed."""

    since: float
    in_vain: bool
