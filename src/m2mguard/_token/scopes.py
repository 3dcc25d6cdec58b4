"""The scopes that a token grants. Pure."""

from __future__ import annotations

from m2mguard._token.claim_values import wrong_type
from m2mguard._token.token_profile import Claims, TokenProfile
from m2mguard.errors import InvalidToken


def scopes_of(claims: Claims, profile: TokenProfile) -> frozenset[str]:
    """RFC 9068 section 2.2.3, RFC 6749 section 3.3: a string is split on single spaces and on nothing else; absent is legal."""
    scopes: list[str] = []
    for name in ("scope", *profile.scope_lists):
        value = claims.get(name, "")
        if isinstance(value, str):
            scopes += value.split(" ")
        elif isinstance(value, list) and name in profile.scope_lists:
            scopes += _listed_scopes(name, value)
        elif isinstance(value, list):
            raise InvalidToken(
                "claim",
                'the claim scope is a list; if this issuer writes scopes so, set scope_lists=["scope"]',
                problem="wrong_type",
                claim="scope",
                expected=("a string",),
                got=("a list",),
            )
        else:
            raise wrong_type(claims, name, "a string or a list of strings")
    return frozenset(filter(None, scopes))


def _listed_scopes(name: str, values: list[object]) -> list[str]:
    """The members of a list that are scopes. One with a space is not (RFC 6749 section 3.3): some issuers list names of roles.

    If it were kept, code that joins and splits `Caller.scopes` would make two scopes of it, which the issuer did not grant.
    """
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) < len(values):
        raise InvalidToken(
            "claim", problem="wrong_type", claim=name, expected=("a list of strings",), got=("a list of other values",)
        )
    return [text for text in texts if " " not in text]
