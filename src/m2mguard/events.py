"""What happened, as typed values for `on_event`, logs and metrics. Data only: values of a token only where its signature was good."""

from __future__ import annotations

from dataclasses import dataclass

from m2mguard._reasons.codes import (
    BlocklistProblem,
    FetchCause,
    FetchProblem,
    KeysUnavailableReason,
    Reason,
    TokenFetchCause,
    TokenProblem,
    TokenRequestReason,
)

__all__ = [
    "BlocklistChanged",
    "BlocklistFailed",
    "Event",
    "IntrospectionFailed",
    "KeyFileRejected",
    "KeyWithdrawn",
    "KeysLoadedFromFile",
    "KeysRefreshed",
    "KeysUnavailableEvent",
    "PlainHttpAllowed",
    "RefreshFailed",
    "RenewalFailed",
    "ScopesDropped",
    "StaleServed",
    "TokenAccepted",
    "TokenEvent",
    "TokenRefused",
    "TokenRenewed",
    "UnknownKeyThrottled",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Anything worth telling the operator. `issuer` is the configured issuer's URL, or None where no issuer was settled on."""

    issuer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysRefreshed(Event):
    """A fetch brought a good key set.

    `added`, `removed` and `key_ids` are key ids; `skipped` says of each unusable key why it was passed over; `not_modified` tells a 304.
    """

    cause: FetchCause
    key_ids: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    skipped: tuple[str, ...]
    not_modified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainHttpAllowed(Event):
    """A server or a token source was built that asks over plain http off loopback, since `allow_http` says so.

    Anyone who controls that network chooses the keys, or reads the secret. `origins` are the origins that are asked this way.
    """

    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWithdrawn(Event):
    """The issuer ended trust in a key: it, and every remembered verdict it signed, is refused from now on."""

    key_id: str
    thumbprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshFailed(Event):
    """A fetch brought nothing usable; the keys at hand may be used for another `remaining_s` seconds, 0 where there are none.

    `problem` is the code, `error` a sentence in our own words, `failures` counts those in a row. In `retry_in_s` seconds the issuer may be
    asked again; the first request after that does it.
    """

    cause: FetchCause
    problem: FetchProblem
    error: str
    failures: int
    retry_in_s: float
    remaining_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrospectionFailed(Event):
    """The issuer gave no answer about an opaque token that can be relied on; what is remembered stays in use until it is `ttl` old.

    `problem` is the code, `error` a sentence in our own words, `failures` counts those in a row. For `retry_in_s` seconds it is not asked.
    """

    problem: FetchProblem
    error: str
    failures: int
    retry_in_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysLoadedFromFile(Event):
    """Keys were read from the key-set file, because there were none yet. `age_s` in seconds since they were fetched."""

    key_ids: tuple[str, ...]
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFileRejected(Event):
    """The key-set file was not read, written or removed. `error` is in safe words."""

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlocklistChanged(Event):
    """The block list was read and is another: `added` and `removed` entries, `entries` in all. `version` where its source counts."""

    added: int
    removed: int
    entries: int
    version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlocklistFailed(Event):
    """The block list, or one entry of it, could not be read. The `entries` that were read before stay in force.

    `problem` is the code, `error` a sentence in our own words; `age_s` is how long ago it was last read, None: never in this process.
    """

    problem: BlocklistProblem
    error: str
    entries: int
    age_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleServed(Event):
    """A token was checked with keys older than their ttl, because the issuer does not answer. Ages in seconds."""

    age_s: float
    remaining_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysUnavailableEvent(Event):
    """A token could not be checked, because the issuer's keys are not available or it could not be asked: the answer was 503.

    `problem` is why the last fetch or question failed, or None before one has ended; `retry_after_s` is in seconds; `method` and `path`
    as in `TokenRefused`.
    """

    reason: KeysUnavailableReason
    detail: str
    problem: FetchProblem | TokenProblem | None = None
    retry_after_s: float
    method: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownKeyThrottled(Event):
    """A token named a key that we do not have, and the issuer was not asked about it, because of the rate limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefused(Event):
    """A request was refused.

    Attributes:
        status: the answer's.
        reason, problem, detail, claim, expected: as on the error.
        got: what the token holds, or None unless its signature was good. Escaped: one line of printable ASCII each.
        app_id: which application the token names, or None unless its signature was good. Escaped alike.
        method, path: the request's, escaped alike; without the query. None where only a token was given.
    """

    status: int
    reason: Reason
    detail: str
    problem: TokenProblem | FetchProblem | None = None
    claim: str | None = None
    expected: tuple[str, ...] = ()
    got: tuple[str, ...] | None = None
    app_id: str | None = None
    method: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAccepted(Event):
    """A token was found good; `remembered` tells whether it was verified before. For `on_event` only: it is not logged.

    The request may still be refused, and a `TokenRefused` follows then: by what the route asks for, or since its sender does not prove the
    certificate or key to which the token is bound.
    """

    remembered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEvent(Event):
    """Anything that concerns our own access token. `issuer` is the issuer's URL, or the token endpoint's if no issuer is given."""

    app_id: str
    resource: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRenewed(TokenEvent):
    """A token was fetched. `lifetime_s` in seconds."""

    cause: TokenFetchCause
    lifetime_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalFailed(TokenEvent):
    """No token could be fetched; the one at hand is given out for another `remaining_s` seconds.

    `reason`, `problem` and `detail` as on the error.
    """

    cause: TokenFetchCause
    reason: TokenRequestReason
    problem: FetchProblem | None = None
    detail: str
    failures: int
    retry_in_s: float
    remaining_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopesDropped(TokenEvent):
    """Scopes that were asked for and not granted, told once until they change. `detail` says what to do."""

    missing: tuple[str, ...]
    detail: str


def __dir__() -> list[str]:
    return sorted(__all__)
