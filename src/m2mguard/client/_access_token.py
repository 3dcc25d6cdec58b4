"""The access token that a `TokenSource` gives out. Data only; its repr does not show its value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """An access token (RFC 6749 section 1.4), a bearer token or one that needs DPoP proofs. Immutable; repr and str leave the value out.

    Attributes:
        value: the token itself, a secret. Opaque to the client: what it says is for the API only.
        scopes: the scopes that were granted, which may be fewer than were asked for.
        expires_at: when it expires, in seconds since the epoch. A `TokenSource` gives it out neither after that nor after its life
            by the monotonic clock, so that neither a suspended machine nor a wall clock that steps back can mislead it.
        token_type: "Bearer", or "DPoP" of a source with a `DpopKey`: then each request needs a proof as well, which
            `TokenSource.request_fields` makes.
    """

    value: str = field(repr=False)
    scopes: frozenset[str]
    expires_at: float
    token_type: Literal["Bearer", "DPoP"] = "Bearer"  # noqa: S105 - no password

    @property
    def authorization(self) -> str:
        """The value of the `Authorization` field: the type and the token (RFC 6750 section 2.1, RFC 9449 section 7.1). A secret."""
        return f"{self.token_type} {self.value}"
