"""What happened, as typed values for `on_event`, logs and metrics. Data only: no value taken from a token, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Anything worth telling the operator. `issuer` is the configured issuer's URL, or None where no issuer was settled on."""

    issuer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysRefreshed(Event):
    """A fetch brought a good key set.

    `cause` is `cold`, `refresh_ahead`, `expired`, `unknown_key` or `requested`; `added`, `removed` and `key_ids` are key ids;
    `skipped` says of each unusable key why it was passed over; `not_modified` tells a 304.
    """

    cause: str
    key_ids: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    skipped: tuple[str, ...]
    not_modified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainHttpAllowed(Event):
    """A server or a token source was built that asks over plain http off loopback, since `allow_http` says so.

    Whoever controls that network chooses the keys, or reads the secret. `origins` are those that are asked so.
    """

    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWithdrawn(Event):
    """The issuer ended trust in a key: it, and every remembered verdict it signed, is refused from now on."""

    key_id: str
    thumbprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshFailed(Event):
    """A fetch brought nothing usable; the keys at hand stay. `error` is in safe words, `retry_in_s` in seconds."""

    cause: str
    error: str
    failures: int
    retry_in_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysRecalled(Event):
    """Keys were read from the key-set file, because there were none yet. `age_s` in seconds since they were fetched."""

    key_ids: tuple[str, ...]
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFileIgnored(Event):
    """The key-set file was not read, written or removed. `error` is in safe words."""

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleServed(Event):
    """A token was checked with keys older than their ttl, because the issuer does not answer. Ages in seconds."""

    age_s: float
    remaining_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysMissing(Event):
    """A token could not be checked, because the issuer's keys cannot be had: the answer was 503. `retry_after_s` in seconds."""

    retry_after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownKeyThrottled(Event):
    """A token named a key that we do not have, and the issuer was not asked about it, since the permits for that are used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefused(Event):
    """A request was refused. `reason` and `detail` as on the error; `status` is the answer's."""

    status: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAccepted(Event):
    """A token was found good; `remembered` tells whether it was verified before. For `on_event` only: it is not logged."""

    remembered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEvent(Event):
    """Anything that concerns our own access token. `issuer` is the issuer's URL, or the token endpoint's where that is all we know."""

    app_id: str
    resource: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRenewed(TokenEvent):
    """A token was fetched. `cause` is `first`, `renewal`, `expired` or `rejected`; `lifetime_s` in seconds."""

    cause: str
    lifetime_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalFailed(TokenEvent):
    """No token could be fetched; the one at hand is given out for another `remaining_s` seconds. `reason` and `detail` as on the error."""

    cause: str
    reason: str
    detail: str
    failures: int
    retry_in_s: float
    remaining_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopesDropped(TokenEvent):
    """Scopes that were asked for and not granted, told once until they change. `detail` says what to do."""

    missing: tuple[str, ...]
    detail: str
