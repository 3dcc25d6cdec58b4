"""What `server.health()` shows: data for readiness checks, dashboards and people. No I/O, no secrets, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass

from m2mguard._reasons.codes import BlocklistProblem, FetchProblem

__all__ = ["BlocklistHealth", "Health", "IntrospectionHealth", "IssuerHealth", "KeyHealth", "VerdictHealth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHealth:
    """One usable key: its id, its RFC 7638 thumbprint, and the algorithms it may verify."""

    key_id: str
    thumbprint: str
    algorithms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrospectionHealth:
    """The questions to one issuer about opaque tokens, in this process.

    Attributes:
        remembered: how many good answers are remembered.
        refused: how many refusals are remembered.
        in_flight: how many questions are in flight.
        failures: failed questions in a row.
        last_error: why the last question failed, in our own words; None after a good one.
        last_problem: the same as a code, a `FetchProblem`.
    """

    remembered: int = 0
    refused: int = 0
    in_flight: int = 0
    failures: int = 0
    last_error: str | None = None
    last_problem: FetchProblem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerHealth:
    """The keys of one issuer at this moment. Times are in seconds since the epoch, and None while there are no keys or keys never change.

    Attributes:
        issuer: the issuer's URL.
        ready: whether its tokens can be checked now.
        keys: the usable keys.
        fetched_at: when the last good fetch began.
        age: seconds since then.
        stale: whether the keys are older than their ttl.
        stale_until: the latest time at which they may still be used.
        next_refresh: when traffic will refresh them.
        failures: failed attempts in a row.
        last_error: why the last fetch failed, in our own words; None after a good one.
        last_problem: the same as a code, a `FetchProblem`.
        introspection: the questions about opaque tokens; None for an issuer without `Introspection`.
    """

    issuer: str
    ready: bool
    keys: tuple[KeyHealth, ...] = ()
    fetched_at: float | None = None
    age: float | None = None
    stale: bool = False
    stale_until: float | None = None
    next_refresh: float | None = None
    failures: int = 0
    last_error: str | None = None
    last_problem: FetchProblem | None = None
    introspection: IntrospectionHealth | None = None

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the usable keys, in the issuer's order."""
        return tuple(key.key_id for key in self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictHealth:
    """The verified-token cache: how many tokens it holds, how often one was found in it, and how many good ones had to be verified."""

    remembered: int = 0
    hits: int = 0
    misses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BlocklistHealth:
    """The block list of this process.

    Attributes:
        entries: how many entries are in force, those that have ended by themselves included.
        passed_over: how many entries of the source cannot be read.
        version: of the list, where its source counts; else None.
        age: seconds since the source was last read, or found unchanged; None before.
        ready: False if it is `required` and was never read.
        last_error: why the last look failed, in our own words; None after a good one.
        last_problem: the same as a code.
    """

    entries: int = 0
    passed_over: int = 0
    version: int | None = None
    age: float | None = None
    ready: bool = True
    last_error: str | None = None
    last_problem: BlocklistProblem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether this resource server can do its work.

    Attributes:
        ready: whether the tokens of at least one issuer can be checked now, and a block list that is `required` was read.
        issuers: the keys of each issuer.
        verdicts: the remembered tokens.
        blocklist: the block list; None for a server without one.
    """

    ready: bool
    issuers: tuple[IssuerHealth, ...]
    verdicts: VerdictHealth = VerdictHealth()
    blocklist: BlocklistHealth | None = None


def __dir__() -> list[str]:
    return sorted(__all__)
