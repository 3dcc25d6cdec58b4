"""What an explanation shows: the token as it reads without verification, and what it was held against. Judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from m2mguard.access import Requirement
from m2mguard.errors import AuthError
from m2mguard.health import IssuerHealth
from m2mguard.issuer import Issuer
from m2mguard.token.bearer import bearer_token
from m2mguard.token.jose import Header, split


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A credential as it reads. The signature is left out on purpose: nothing made from this can show it.

    Attributes:
        credential: whether there is one bearer credential.
        segments: how many parts its dots make.
        characters: how long it is.
        header: what is read of the header, or None where the token cannot be taken apart.
        claims: the claims, or None likewise.
    """

    credential: bool = False
    segments: int = 0
    characters: int = 0
    header: Header | None = None
    claims: Mapping[str, object] | None = None

    def claim(self, name: str) -> object:
        """A claim, or None."""
        return None if self.claims is None else self.claims.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that an explanation draws on.

    Attributes:
        reading: the token.
        issuers: whose tokens are accepted.
        issuer: the one that the token names, if it is among them.
        keys: how its keys stand now.
        keys_from: where they came from.
        audiences, leeway, machine_only: as for `ResourceServer`.
        requirement: what the route asks of the caller.
        now: when the token was checked, in seconds since the epoch.
    """

    reading: Reading
    issuers: tuple[Issuer, ...]
    issuer: Issuer | None
    keys: IssuerHealth | None
    keys_from: str
    audiences: tuple[str, ...]
    leeway: float
    machine_only: bool
    requirement: Requirement
    now: float


def read(field_value: str) -> Reading:
    """Read an Authorization field's value as far as the library can."""
    try:
        token = bearer_token([field_value])
    except AuthError:
        return Reading()
    segments = token.count(".") + 1
    try:
        compact = split(token)
    except AuthError:
        return Reading(credential=True, segments=segments, characters=len(token))
    return Reading(
        credential=True,
        segments=segments,
        characters=len(token),
        header=compact.header,
        claims=compact.claims,
    )
