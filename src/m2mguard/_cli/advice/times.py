"""Causes around time: expired, too early, and whose clock is wrong, measured against the issuer's Date. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice import Advice, api, caller, issuer
from m2mguard._cli.context import ExplainContext
from m2mguard._formatting import formatted_number, moment, span
from m2mguard.errors import AnswerableError

_MILLISECONDS = 1e11  # seconds since the epoch have as many digits in the year 5138
_CLOCKS_S = 300.0  # a token that is early by less is more likely a matter of clocks
_NOTABLE_S = 5.0
_NTP = "Correct this machine's clock, and keep it right by NTP."


def expired(error: AnswerableError, context: ExplainContext) -> Advice:
    """The token has expired, or this machine's clock is fast."""
    del error
    exp = formatted_number(context.token.claim("exp")) or 0.0
    begun = [one for name in ("iat", "nbf") if (one := formatted_number(context.token.claim(name))) is not None]
    ago, offset = context.now - exp, context.clock_offset_s if context.is_now else None
    if offset is not None and offset > _NOTABLE_S and ago - offset <= context.settings.leeway:
        return Advice(
            code="clock_ahead",
            wrong="clock",
            cause=f"This machine's clock is {span(offset)} ahead of the issuer's. By the issuer's clock the token has not expired.",
            cures=(api(_NTP),),
        )
    lived = f" It was valid for {span(exp - min(begun))}." if begun and exp > min(begun) else ""
    if begun and exp <= min(begun):
        lived = f" It was never valid: it begins at {moment(min(begun))}, after its end."
    return Advice(
        code="expired",
        wrong="token",
        cause=f"The token expired {span(ago)} ago, at {moment(exp)}.{lived}{_clocks(context)}",
        cures=(caller("Get a new token, and again shortly before it expires; m2mguard.client does that by itself."),),
    )


def not_yet_valid(error: AnswerableError, context: ExplainContext) -> Advice:
    """The token begins in the future, or this machine's clock is slow."""
    begins = {name: one for name in ("nbf", "iat") if (one := formatted_number(context.token.claim(name))) is not None}
    if any(one > _MILLISECONDS for one in begins.values()):
        return Advice(
            code="milliseconds",
            wrong="issuer",
            cause="The token's times are in milliseconds. They must be in seconds since 1970 (RFC 7519 section 2).",
            cures=(issuer("Write exp, iat and nbf in seconds. Look at scripts that add claims."),),
        )
    name, latest = max(begins.items(), key=lambda item: item[1], default=(error.claim or "nbf", context.now))
    early, offset = latest - context.now, context.clock_offset_s if context.is_now else None
    if offset is not None and offset < -_NOTABLE_S and early + offset <= context.settings.leeway:
        return Advice(
            code="clock_behind",
            wrong="clock",
            cause=f"This machine's clock is {span(-offset)} behind the issuer's. By the issuer's clock the token is valid.",
            cures=(api(_NTP),),
        )
    script = "" if early < _CLOCKS_S else " A script that adds claims at the issuer may have set it."
    return Advice(
        code="early",
        wrong="unclear",
        cause=f"The token is not valid for another {span(early)}: {name} is {moment(latest)}.{script}{_clocks(context)}",
        cures=(
            api("Compare this machine's clock with the issuer's (m2mguard doctor does), and keep both right by NTP."),
            *((issuer("Look at scripts that add claims."),) if script else ()),
        ),
    )


def _clocks(context: ExplainContext) -> str:
    """How the clocks compare, as a further sentence; "" where that is not known."""
    offset = context.clock_offset_s if context.is_now else None
    if offset is None:
        return ""
    if abs(offset) <= _NOTABLE_S:
        return " The clocks of this machine and the issuer agree."
    return f" This machine's clock is {span(abs(offset))} {'ahead of' if offset > 0 else 'behind'} the issuer's."
