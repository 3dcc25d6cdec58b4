"""What the ledger tells of itself: an attempt, a ruling on one token's key, a look at how things stand. Data only."""

from __future__ import annotations

from dataclasses import dataclass

from m2mguard.keys.attempts import Attempts
from m2mguard.keys.freshness import Decision, Snapshot
from m2mguard.net.flight import Flight


class Attempt:
    """One fetch: its number, why and for which key id it is made, when it began, whether it ended at the key-set file, and its flight."""

    __slots__ = ("began_at", "cause", "flight", "kid", "number", "recalled")
    number: int
    cause: str
    kid: str | None
    began_at: float
    flight: Flight

    def __init__(self, *, number: int, cause: str, kid: str | None, began_at: float) -> None:
        self.number = number
        self.cause = cause
        self.kid = kid
        self.began_at = began_at
        self.recalled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What was decided, over which snapshot; the attempt to wait for, if one is, and the one to launch, if one began."""

    decision: Decision
    snapshot: Snapshot | None
    wait_for: Attempt | None = None
    begun: Attempt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatus:
    """A look at the book: what it holds and how asking goes. `now` is the time of the look."""

    snapshot: Snapshot | None
    attempts: Attempts
    last_error: str | None
    now: float
