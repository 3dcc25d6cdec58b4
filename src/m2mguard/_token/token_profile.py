"""How a good access token of one issuer looks, for one resource server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from m2mguard._token.name_patterns import Grants

Claims = Mapping[str, object]
RFC9068_CLAIMS = frozenset(("iss", "aud", "exp", "sub", "client_id", "iat", "jti"))  # RFC 9068 section 2.2
_SIGNS_OF_A_PERSON = frozenset(("acr", "amr", "auth_time", "act"))
_MEDIA_TYPE_PREFIX = "application/"  # RFC 7515 section 4.1.9: may be left out


def sub_is_client_id(claims: Claims) -> bool:
    """Tell a machine by RFC 9068 section 2.2: a client credentials token's `sub` is the client's own id. Logto's own rule, too."""
    return "sub" in claims and claims["sub"] == claims.get("client_id")


def is_logto_machine(claims: Claims) -> bool:
    """Tell a machine of Logto: its `sub` is its client id, and no claim belongs to a person.

    A person may be given an id that equals an App ID. Client credentials never bring `acr`, `amr` or `auth_time` (RFC 9068 section
    2.2.1), nor `act`, which tells of a token exchange (RFC 8693 section 4.1).
    """
    return sub_is_client_id(claims) and not has_signs_of_a_person(claims)


def has_signs_of_a_person(claims: Claims) -> bool:
    """Tell whether a claim is there that client credentials never bring."""
    return not _SIGNS_OF_A_PERSON.isdisjoint(claims)


def media_type(typ: str) -> str:
    """Normalize a `typ`: lower case, and without "application/" if no other slash follows (RFC 7515 section 4.1.9).

    Two values are the same media type exactly if their normal forms are equal: "at+jwt" and "application/at+JWT" are the same,
    "application/vnd.example/token" and "vnd.example/token" are not.
    """
    name = typ.lower()
    rest = name.removeprefix(_MEDIA_TYPE_PREFIX)
    return name if "/" in rest else rest


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenProfile:
    """How a good access token of one issuer for one resource server looks.

    Attributes:
        issuer: the issuer's URL.
        issuer_names: the values of `iss` that are accepted, compared character for character: the URL and its aliases.
        audiences: the API identifiers of this resource server, compared whole.
        any_organization: whether every audience of the form `urn:logto:organization:<id>` is accepted as well.
        token_types: accepted `typ` values, as `media_type` normalizes them; None in it accepts a header without `typ`.
        required_claims: claims that must be there.
        claim_values: claims that must be there and hold one of these strings.
        audience_in_scope: whether a token without `aud` names its audience in front of the last "/" of each scope.
        app_id_claim: the claim that holds the App ID of a machine, and, unless it is `sub`, of the application a person signed in with.
        organization_claim: the claim that limits a token to one organization, or None where the issuer has no such claim.
        is_machine: tells from the claims whether the token belongs to a machine.
        machine_only: whether a person's token is refused.
        scope_lists: claims whose scopes may be a list, or a space-separated string; `scope` is read in any case, as a string.
        grants: the scopes of each App ID, in place of those in tokens; None where tokens have them.
        leeway: seconds of difference between the clocks, for `exp`, `nbf` and `iat`.
        implied_issuer: the issuer of claims without `iss`; None where they must name it.
        audience_required: whether claims without `aud` are refused; if not, they count as for the first of `audiences`.
    """

    issuer: str
    issuer_names: frozenset[str]
    audiences: tuple[str, ...]
    any_organization: bool
    token_types: frozenset[str | None]
    required_claims: frozenset[str]
    claim_values: tuple[tuple[str, frozenset[str]], ...]
    audience_in_scope: bool
    app_id_claim: str
    organization_claim: str | None
    is_machine: Callable[[Claims], bool]
    machine_only: bool
    scope_lists: tuple[str, ...]
    grants: Grants | None
    leeway: float
    implied_issuer: str | None = None
    audience_required: bool = True
