"""What the claims of an access token must say: RFC 9068 section 4 as a table of small rules.

Pure: the time is an argument. The signature is checked elsewhere (`jws`), and so is what a route asks of its Caller (`requirement`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from m2mguard._token.audiences import accepted_audience, audiences_of, organization_id_of
from m2mguard._token.claim_values import moment, numeric_date, shown, text
from m2mguard._token.confirmation import check_confirmation
from m2mguard._token.scopes import scopes_of
from m2mguard._token.token_profile import Claims, TokenProfile, media_type
from m2mguard.caller import Caller, freeze_claims, verified_caller
from m2mguard.errors import InsufficientScope, InvalidToken


class Verdict(NamedTuple):
    """A token whose claims are good: the Caller, and from when until when it is valid, in seconds since the epoch, leeway included."""

    caller: Caller
    valid_from: float
    valid_until: float


def check_claims(claims: dict[str, object], typ: str | None, profile: TokenProfile, now: float) -> Verdict:
    """Check verified claims, and make the Caller.

    Args:
        claims: the claims of a token whose signature is good. Taken over: the giver must not use them afterwards.
        typ: the header's `typ`.
        profile: what a good token looks like.
        now: seconds since the epoch.

    Raises:
        InvalidToken: `token_type`, `unknown_issuer`, `claim`, `audience`, `expired` or `not_yet_valid`.
        InsufficientScope: `not_a_machine`: a person's token, where only machines are accepted.
    """
    if typ not in profile.token_types:  # RFC 9068 section 4
        _check_spelling(typ, profile)
    issuer = claims.get("iss", profile.implied_issuer)
    if not isinstance(issuer, str) or issuer not in profile.issuer_names:  # RFC 9068 section 4: character for character
        raise InvalidToken(
            "unknown_issuer",
            problem="contradiction",
            claim="iss",
            expected=tuple(sorted(profile.issuer_names)),
            got=shown(claims, "iss"),
        )
    if not claims.keys() >= profile.required_claims:  # RFC 9068 section 2.2
        missing = sorted(profile.required_claims - claims.keys())
        raise InvalidToken("claim", problem="missing", claim=", ".join(missing), expected=tuple(missing), got=())
    if profile.claim_values:
        _check_values(claims, profile)
    if "cnf" in claims:  # RFC 9449 section 7.2, RFC 8705 section 3
        check_confirmation(claims)
    audiences = audiences_of(claims, profile)
    audience = accepted_audience(audiences, profile)
    expires_at = _unexpired(claims, profile, now)
    starts_at = _started(claims, profile, now)
    subject = text(claims, "sub")
    text(claims, "client_id")
    token_id = text(claims, "jti")
    scopes = scopes_of(claims, profile) if profile.grants is None else frozenset[str]()
    organization_id = organization_id_of(claims, audiences, profile.organization_claim)
    read_only = freeze_claims(claims)  # from here on, lists are tuples
    is_machine = _is_machine(read_only, profile)
    app_id = _app_id(claims, profile, is_machine=is_machine)
    if profile.grants is not None and is_machine:  # a person's token is never its application
        scopes = profile.grants.scopes_of(app_id)
    caller = verified_caller(
        app_id=app_id,
        subject=subject or app_id,
        scopes=scopes,
        organization_id=organization_id,
        issuer=profile.issuer,
        audience=audience,
        expires_at=expires_at,
        token_id=token_id,
        is_machine=is_machine,
        claims=read_only,
    )
    return Verdict(caller, starts_at - profile.leeway, expires_at + profile.leeway)


def _app_id(claims: Claims, profile: TokenProfile, *, is_machine: bool) -> str:
    app_id = text(claims, profile.app_id_claim)
    if profile.machine_only and app_id is not None and not is_machine:
        raise InsufficientScope("not_a_machine")
    name = app_id_claim(profile, is_machine=is_machine)
    if not is_machine:
        app_id = text(claims, name)
    if app_id is None:
        raise InvalidToken("claim", problem="missing", claim=name, expected=(name,), got=())
    return app_id


def app_id_claim(profile: TokenProfile, *, is_machine: bool) -> str:
    """The claim that names the application. A person's `sub` never does: then it is `client_id` (RFC 9068 section 2.2)."""
    return "client_id" if profile.app_id_claim == "sub" and not is_machine else profile.app_id_claim


def named_app_id(claims: Claims, profile: TokenProfile) -> str | None:
    """The application that a refused token names, as far as its claims tell; its signature must have been good."""
    has_client_id = "client_id" in claims or "client_id" in profile.required_claims  # then a `sub` may be a person's
    value = claims.get(app_id_claim(profile, is_machine=not has_client_id))
    return value if isinstance(value, str) and value else None


def _check_spelling(typ: str | None, profile: TokenProfile) -> None:
    """A media type in another spelling, or another type: ID tokens, logout tokens, client assertions stay out (RFC 8725 section 3.11)."""
    name = media_type(typ) if typ is not None and typ.isascii() else typ
    if name not in profile.token_types:
        accepted = sorted(one or "no typ" for one in profile.token_types)
        raise InvalidToken("token_type", claim="typ", expected=tuple(accepted), got=() if typ is None else (typ,))


def _check_values(claims: Claims, profile: TokenProfile) -> None:
    """RFC 8725 section 3.12: where `typ` does not tell an issuer's kinds of token apart, a claim must."""
    for name, accepted in profile.claim_values:
        value = claims.get(name)
        if not isinstance(value, str) or value not in accepted:
            raise InvalidToken(
                "claim", problem="wrong_value", claim=name, expected=tuple(sorted(accepted)), got=shown(claims, name)
            )


def _unexpired(claims: Claims, profile: TokenProfile, now: float) -> float:
    """RFC 7519 section 4.1.4: on or after exp is expired. A token that never ends is not accepted."""
    expires_at = numeric_date(claims, "exp")
    if expires_at is None:
        raise InvalidToken("claim", problem="missing", claim="exp", expected=("exp",), got=())
    if now >= expires_at + profile.leeway:
        raise InvalidToken(
            "expired",
            claim="exp",
            expected=(f"after {moment(now - profile.leeway)}",),
            got=(moment(expires_at),),
        )
    return expires_at


def _started(claims: Claims, profile: TokenProfile, now: float) -> float:
    """RFC 7519 section 4.1.5: before nbf is early; so is a token that was issued in the future."""
    starts_at = -math.inf
    for name in ("nbf", "iat"):
        start = numeric_date(claims, name)
        if start is not None:
            if now < start - profile.leeway:
                raise InvalidToken(
                    "not_yet_valid",
                    problem="contradiction",
                    claim=name,
                    expected=(f"until {moment(now + profile.leeway)}",),
                    got=(moment(start),),
                )
            if start > starts_at:
                starts_at = start
    return starts_at


def _is_machine(claims: Claims, profile: TokenProfile) -> bool:
    try:
        return bool(profile.is_machine(claims))
    except Exception as error:  # noqa: BLE001 - a callable of the user: if it fails on a token, that token is refused
        failed = type(error).__name__
    raise InvalidToken(
        "claim", f"the function is_machine failed with these claims: it raised {failed}", problem="is_machine_failed"
    )
