"""What the members of an active token must say: the rules for a JWT's claims, less what an answer cannot have. Pure.

An answer need not name issuer, subject or type, since the issuer itself gave it, to us, about this token (RFC 7662 section 2.2).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from m2mguard._introspection.answer import Members
from m2mguard._token.claim_values import shown
from m2mguard._token.claims import Verdict, check_claims
from m2mguard._token.token_profile import Claims, TokenProfile, has_signs_of_a_person, sub_is_client_id
from m2mguard._token.verified_tokens import size_of
from m2mguard.errors import AuthError, InvalidToken

_BEARER = ("bearer", "access_token")  # RFC 6750 section 6.1.1, RFC 7009 section 4.1.2
_DPOP = "dpop"  # RFC 9449 section 6.2
_ACCESS_USES = ("access", "access_token")
_REQUIRED = frozenset(("exp", "client_id"))


def active_token_profile(profile: TokenProfile, *, audience_required: bool) -> TokenProfile:
    """How an active token looks, given how a JWT of the same issuer does."""
    return replace(
        profile,
        token_types=frozenset((None,)),
        required_claims=_REQUIRED,
        app_id_claim="client_id",
        implied_issuer=profile.issuer,
        audience_required=audience_required,
        is_machine=_machine_rule(profile.is_machine),
    )


def _machine_rule(of_issuer: Callable[[Claims], bool]) -> Callable[[Claims], bool]:
    def is_machine(members: Claims) -> bool:
        """Client credentials have no `sub`, or one by the issuer's rule; a person's answer without `sub` has a `username`."""
        names_a_user = "username" in members and members["username"] != members.get("client_id")
        if "sub" not in members:
            return not names_a_user and not has_signs_of_a_person(members)
        return of_issuer(members) and not (names_a_user and of_issuer is sub_is_client_id)

    return is_machine


def check_active(members: Members, profile: TokenProfile, now: float) -> tuple[Verdict | AuthError, int]:
    """The verdict about an active token, good or bad, and what it takes in memory, in bytes.

    Args:
        members: the answer's. Taken over: the giver must not use them afterwards.
        profile: as `active_token_profile` makes it.
        now: seconds since the epoch.
    """
    size, client_id = size_of(json.dumps(members, ensure_ascii=False).encode()), members.get("client_id")
    try:
        _check_kind(members)
        return check_claims(members, None, profile, now), size
    except AuthError as error:
        error.issuer = profile.issuer
        error.app_id = client_id if isinstance(client_id, str) else None
        return error.with_traceback(None), size


def _check_kind(members: Members) -> None:
    """A token that is bound to a key, and one that is no access token: the endpoint answers for refresh tokens, too."""
    kind, use = members.get("token_type", "bearer"), members.get("token_use", "access")
    if isinstance(kind, str) and kind.lower() == _DPOP:
        raise InvalidToken("claim", problem="bound", claim="token_type")
    for name, value, accepted in (("token_type", kind, _BEARER), ("token_use", use, _ACCESS_USES)):
        if not isinstance(value, str) or value.lower() not in accepted:
            raise InvalidToken("token_type", claim=name, expected=accepted, got=shown(members, name))
