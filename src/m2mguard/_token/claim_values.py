"""Reads one claim as the type that it must have, and words what was found instead. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from m2mguard._token.jwk import describe
from m2mguard._token.token_profile import Claims
from m2mguard.errors import InvalidToken


def numeric_date(claims: Claims, name: str) -> float | None:
    """RFC 7519 section 2: a JSON number. A bool is an int in Python only."""
    value = claims.get(name)
    if type(value) is int or type(value) is float:
        return value
    if name in claims:
        raise wrong_type(claims, name, "a number")
    return None


def text(claims: Claims, name: str) -> str | None:
    """RFC 7519 section 4.1: sub, jti and their like are strings, and name something."""
    value = claims.get(name)
    if isinstance(value, str) and value:
        return value
    if name in claims:
        raise wrong_type(claims, name, "a string that is not empty")
    return None


def wrong_type(claims: Claims, name: str, expected: str) -> InvalidToken:
    value = claims[name]
    got = "an empty string" if value == "" else describe(value) if not isinstance(value, str) else "a string"
    return InvalidToken("claim", problem="wrong_type", claim=name, expected=(expected,), got=(got,))


def shown(claims: Claims, name: str) -> tuple[str, ...]:
    """The value of a claim, for `got`: strings as they are, else the type."""
    if name not in claims:
        return ()
    value = claims[name]
    values = value if isinstance(value, list) else [value]
    return tuple(one if isinstance(one, str) else describe(one) for one in values)


def moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g} seconds since 1970"
