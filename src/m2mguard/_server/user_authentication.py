"""Whether a person signed in recently enough, and by means that a route accepts (RFC 9470). Pure: the time is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from m2mguard._token.claim_values import moment
from m2mguard.errors import InsufficientUserAuthentication

if TYPE_CHECKING:
    from m2mguard._reasons.codes import TokenProblem
    from m2mguard.caller import Caller


class AskedSignIn(NamedTuple):
    """What a route asks of a sign-in.

    Attributes:
        max_age: its greatest age, in seconds; None for any.
        acr: the accepted values of `acr`, the preferred one first; none for any.
        lacking: the scopes that the route asks for, if the token lacks some of them: a new sign-in can bring them as well.
    """

    max_age: int | None
    acr: tuple[str, ...]
    lacking: tuple[str, ...] = ()


def shortfall(
    caller: Caller, asked: AskedSignIn, *, now: float, leeway: float
) -> InsufficientUserAuthentication | None:
    """Why a person must sign in again, or None. RFC 9470 section 6.1 names the claims.

    A claim that is missing or cannot be read counts as a sign-in that is not good enough.

    Args:
        caller: a person.
        asked: what the route asks for.
        now: seconds since the epoch.
        leeway: seconds of difference between the clocks.
    """
    return _too_old(caller, asked, now, leeway) or _by_other_means(caller, asked)


def _too_old(caller: Caller, asked: AskedSignIn, now: float, leeway: float) -> InsufficientUserAuthentication | None:
    if asked.max_age is None:
        return None
    signed_in = caller.claims.get("auth_time")
    problem: TokenProblem | None = "wrong_type" if "auth_time" in caller.claims else "missing"
    got: tuple[str, ...] = ()
    if type(signed_in) is int or type(signed_in) is float:  # RFC 7519 section 2: a bool is a number in Python only
        if now - asked.max_age - leeway <= signed_in <= now + leeway:
            return None
        problem, got = "contradiction" if signed_in > now else None, (moment(signed_in),)
    return InsufficientUserAuthentication(
        "max_age",
        "",
        asked.acr,
        asked.max_age,
        asked.lacking,
        problem=problem,
        claim="auth_time",
        expected=(f"at most {asked.max_age} s ago",),
        got=got,
    )


def _by_other_means(caller: Caller, asked: AskedSignIn) -> InsufficientUserAuthentication | None:
    value = caller.claims.get("acr")
    is_text = isinstance(value, str)
    if not asked.acr or (is_text and value in asked.acr):
        return None
    return InsufficientUserAuthentication(
        "acr",
        "",
        asked.acr,
        asked.max_age,
        asked.lacking,
        problem=None if is_text else "wrong_type" if "acr" in caller.claims else "missing",
        claim="acr",
        expected=asked.acr,
        got=(value,) if isinstance(value, str) else (),
    )
