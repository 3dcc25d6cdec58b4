"""Whom a token is for: this resource server, and the organization that it is limited to. Pure."""

from __future__ import annotations

import re

from m2mguard._token.claim_values import shown, text
from m2mguard._token.scopes import scopes_of
from m2mguard._token.token_profile import Claims, TokenProfile
from m2mguard.errors import InvalidToken

ORGANIZATION_AUDIENCE = "urn:logto:organization:"  # and then the id; a prefix alone accepts nothing
_ANY_ORGANIZATION_AUDIENCE = re.compile(ORGANIZATION_AUDIENCE + "[A-Za-z0-9_-]{1,128}")


def audiences_of(claims: Claims, profile: TokenProfile) -> tuple[str, ...]:
    """RFC 7519 section 4.1.3: a string or a list of strings. Where an issuer writes none, its scopes name the audience."""
    if profile.audience_in_scope and "aud" not in claims:
        return tuple(scope.rpartition("/")[0] for scope in scopes_of(claims, profile))
    if not profile.audience_required and "aud" not in claims:
        return profile.audiences[:1]
    value = claims.get("aud")
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(audience, str) for audience in value):
        raise InvalidToken(
            "audience",
            problem="wrong_type" if "aud" in claims else None,
            claim="aud",
            expected=_expected_audiences(profile),
            got=shown(claims, "aud"),
        )
    return tuple(value)


def accepted_audience(audiences: tuple[str, ...], profile: TokenProfile) -> str:
    """RFC 9068 section 4: an identifier of this resource server, compared whole."""
    for audience in profile.audiences:
        if audience in audiences:
            return audience
    if profile.any_organization:
        for audience in audiences:
            if _ANY_ORGANIZATION_AUDIENCE.fullmatch(audience):
                return audience
    raise InvalidToken("audience", claim="aud", expected=_expected_audiences(profile), got=audiences)


def _expected_audiences(profile: TokenProfile) -> tuple[str, ...]:
    return (*profile.audiences, *[f"{ORGANIZATION_AUDIENCE}<id>"] * profile.any_organization)


def organization_id_of(claims: Claims, audiences: tuple[str, ...], claim: str | None) -> str | None:
    """The one organization a token is limited to, by its claim or by its audience; two that differ refuse it."""
    found = [
        audience.removeprefix(ORGANIZATION_AUDIENCE)
        for audience in audiences
        if audience.startswith(ORGANIZATION_AUDIENCE)
    ]
    if claim is not None and claim in claims:
        found.append(text(claims, claim) or "")
    if not found:
        return None
    if len(set(found)) > 1:
        raise InvalidToken("claim", problem="contradiction", claim=claim or "aud", got=tuple(found))
    return found[0]
