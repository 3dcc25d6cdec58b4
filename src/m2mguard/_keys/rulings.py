"""What the ledger tells of itself: an attempt, a ruling on one token's key, a look at how things stand. Data only."""

from __future__ import annotations

from dataclasses import dataclass

from m2mguard._keys.fetch import FetchFailure
from m2mguard._keys.fetch_history import FetchHistory
from m2mguard._keys.policy import KeyDecision
from m2mguard._keys.snapshot import KeyRequest, Snapshot
from m2mguard._reasons.codes import FetchCause
from m2mguard.net._flight import Flight


class Attempt:
    """One fetch: its number, why and for which token's key it is made, when it began, and its flight.

    Attributes:
        number: attempts are numbered: a later one knows better than an earlier one.
        cause: why it is made.
        request: what the token that caused it says about its key; None where no unknown key caused it.
        is_known: whether that token is taken for a known application's.
        began_at: when it began, on the clock for ages.
        began_wall: the same in seconds since the epoch.
        requests: how many requests it has made so far.
        counted: whether they have been counted already.
        recalled: whether it ended at the key-set file.
        flight: what carries it.
    """

    __slots__ = (
        "began_at", "began_wall", "cause", "counted", "flight", "is_known", "number", "recalled", "request", "requests",
    )  # fmt: skip
    number: int
    cause: FetchCause
    request: KeyRequest | None
    is_known: bool
    began_at: float
    began_wall: float
    flight: Flight

    def __init__(
        self,
        *,
        number: int,
        cause: FetchCause,
        began_at: float,
        began_wall: float,
        request: KeyRequest | None = None,
        is_known: bool = False,
    ) -> None:
        self.number = number
        self.cause = cause
        self.request = request
        self.is_known = is_known
        self.began_at = began_at
        self.began_wall = began_wall
        self.requests: int = 0
        self.counted: bool = False
        self.recalled: bool = False

    def count_request(self) -> None:
        """Record that a request is about to be made. For the flight's thread only."""
        self.requests += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What was decided, over which snapshot; the attempt to wait for, if one is, and the one to launch, if one began."""

    decision: KeyDecision
    snapshot: Snapshot | None
    wait_for: Attempt | None = None
    begun: Attempt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatus:
    """A look at the book: what it holds and how asking goes. `now` is the time of the look."""

    snapshot: Snapshot | None
    attempts: FetchHistory
    last_failure: FetchFailure | None
    now: float
