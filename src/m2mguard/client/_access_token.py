"""The access token that a `TokenSource` gives out. Data only; its repr does not show its value."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """An access token (RFC 6749 section 1.4), to be sent as a bearer token. Immutable; its repr and its str leave the value out.

    Attributes:
        value: the token itself, a secret. Opaque to the client: what it says is for the API only.
        scopes: the scopes that were granted, which may be fewer than were asked for.
        expires_at: when it expires, in seconds since the epoch. A `TokenSource` gives it out neither after that nor after its life
            by the monotonic clock, so that neither a suspended machine nor a wall clock that steps back can mislead it.
    """

    value: str = field(repr=False)
    scopes: frozenset[str]
    expires_at: float

    @property
    def authorization(self) -> str:
        """The value of the `Authorization` field: "Bearer " and the token (RFC 6750 section 2.1). A secret."""
        return f"Bearer {self.value}"
