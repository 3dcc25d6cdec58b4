"""Advice about exp, nbf and iat: expired, not yet valid, or a wrong clock, measured against the issuer's Date field. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice_types import Advice, Cure
from m2mguard._cli.context import ExplainContext
from m2mguard._formatting import format_duration, format_time, read_number
from m2mguard.errors import AnswerableError

_MILLISECONDS = 1e11  # seconds since the epoch have as many digits in the year 5138
_CLOCK_ERROR_S = 300.0  # if a token is early by less, a wrong clock is more likely than a script
_CLOCK_TOLERANCE_S = 5.0
_NTP = "Correct this machine's clock, and keep it right by NTP."


def advise_on_expired(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on a token that has expired, or on a fast clock of this machine."""
    del error
    exp = read_number(context.token.claim("exp")) or 0.0
    begun = [one for name in ("iat", "nbf") if (one := read_number(context.token.claim(name))) is not None]
    ago, offset = context.now - exp, context.clock_offset_s if context.is_now else None
    if offset is not None and offset > _CLOCK_TOLERANCE_S and ago - offset <= context.settings.leeway:
        return Advice(
            code="clock_ahead",
            wrong="clock",
            cause=f"This machine's clock is {format_duration(offset)} ahead of the issuer's. By the issuer's clock "
            "the token has not expired.",
            cures=(Cure.by_api(_NTP),),
        )
    validity = f" It was valid for {format_duration(exp - min(begun))}." if begun and exp > min(begun) else ""
    if begun and exp <= min(begun):
        validity = f" It was never valid: it starts at {format_time(min(begun))}, after it expires."
    return Advice(
        code="expired",
        wrong="token",
        cause=f"The token expired {format_duration(ago)} ago, at {format_time(exp)}.{validity}{_compare_clocks(context)}",
        cures=(
            Cure.by_caller(
                "Get a new token, and again shortly before it expires; m2mguard.client does that automatically."
            ),
        ),
    )


def advise_on_not_yet_valid(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on a token that is not valid yet, or on a slow clock of this machine."""
    begins = {name: one for name in ("nbf", "iat") if (one := read_number(context.token.claim(name))) is not None}
    if any(one > _MILLISECONDS for one in begins.values()):
        return Advice(
            code="milliseconds",
            wrong="issuer",
            cause="The token's times are in milliseconds. They must be in seconds since 1970 (RFC 7519 section 2).",
            cures=(Cure.by_issuer("Write exp, iat and nbf in seconds. Check the scripts that add claims."),),
        )
    name, latest = max(begins.items(), key=lambda item: item[1], default=(error.claim or "nbf", context.now))
    early, offset = latest - context.now, context.clock_offset_s if context.is_now else None
    if offset is not None and offset < -_CLOCK_TOLERANCE_S and early + offset <= context.settings.leeway:
        return Advice(
            code="clock_behind",
            wrong="clock",
            cause=f"This machine's clock is {format_duration(-offset)} behind the issuer's. By the issuer's clock the token is valid.",
            cures=(Cure.by_api(_NTP),),
        )
    script = "" if early < _CLOCK_ERROR_S else " A script that adds claims at the issuer may have set it."
    return Advice(
        code="early",
        wrong="unclear",
        cause=f"The token is not valid for another {format_duration(early)}: {name} is "
        f"{format_time(latest)}.{script}{_compare_clocks(context)}",
        cures=(
            Cure.by_api(
                "Compare this machine's clock with the issuer's (m2mguard doctor does), and keep both right by NTP."
            ),
            *((Cure.by_issuer("Check the scripts that add claims."),) if script else ()),
        ),
    )


def _compare_clocks(context: ExplainContext) -> str:
    """Compare the clocks in one more sentence; return "" if the difference is unknown."""
    offset = context.clock_offset_s if context.is_now else None
    if offset is None:
        return ""
    if abs(offset) <= _CLOCK_TOLERANCE_S:
        return " The clocks of this machine and the issuer agree."
    return f" This machine's clock is {format_duration(abs(offset))} {'ahead of' if offset > 0 else 'behind'} the issuer's."
