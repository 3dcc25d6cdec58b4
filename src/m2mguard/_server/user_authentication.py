"""Whether a person signed in recently enough, and in a way that a route accepts (RFC 9470). Pure: the time is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from m2mguard._token.claim_values import moment
from m2mguard.errors import InsufficientUserAuthentication

if TYPE_CHECKING:
    from m2mguard._reasons.codes import InsufficientUserAuthenticationReason, TokenProblem
    from m2mguard.caller import Caller


class _Shortfall(NamedTuple):
    """What a sign-in lacks."""

    reason: InsufficientUserAuthenticationReason
    problem: TokenProblem | None
    claim: str
    expected: tuple[str, ...]
    got: tuple[str, ...]


def check_user_authentication(
    caller: Caller,
    *,
    max_age: int | None,
    acr: tuple[str, ...],
    lacking: tuple[str, ...],
    now: float,
    leeway: float,
) -> None:
    """Refuse a person whose sign-in is too old, or of a kind that is not accepted. RFC 9470 section 6.1 names the claims.

    Args:
        caller: a person.
        max_age: the greatest age of the sign-in, in seconds; None for any.
        acr: the accepted values of `acr`; none for any.
        lacking: the scopes that the route asks for, if the token lacks some of them: the new sign-in can bring them as well.
        now: seconds since the epoch.
        leeway: seconds of difference between the clocks.

    Raises:
        InsufficientUserAuthentication: 401. A claim that is missing or cannot be read counts as a sign-in that is not good enough.
    """
    found = (None if max_age is None else _too_old(caller.claims, max_age, now, leeway)) or (
        _other_kind(caller.claims, acr) if acr else None
    )
    if found is not None:
        raise InsufficientUserAuthentication(
            found.reason,
            acr_values=acr,
            max_age=max_age,
            scopes=lacking,
            problem=found.problem,
            claim=found.claim,
            expected=found.expected,
            got=found.got,
        )


def _too_old(claims: Mapping[str, object], max_age: int, now: float, leeway: float) -> _Shortfall | None:
    signed_in = claims.get("auth_time")
    problem: TokenProblem | None = None
    got: tuple[str, ...] = ()
    if type(signed_in) is int or type(signed_in) is float:  # RFC 7519 section 2: a bool is a number in Python only
        if now - max_age - leeway <= signed_in <= now + leeway:
            return None
        problem, got = "contradiction" if signed_in > now + leeway else None, (moment(signed_in),)
    else:
        problem = "wrong_type" if "auth_time" in claims else "missing"
    return _Shortfall("max_age", problem, "auth_time", (f"at most {max_age} s ago",), got)


def _other_kind(claims: Mapping[str, object], accepted: tuple[str, ...]) -> _Shortfall | None:
    value = claims.get("acr")
    if isinstance(value, str):
        return None if value in accepted else _Shortfall("acr", None, "acr", accepted, (value,))
    return _Shortfall("acr", "wrong_type" if "acr" in claims else "missing", "acr", accepted, ())
