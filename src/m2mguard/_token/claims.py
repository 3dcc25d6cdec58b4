"""What the claims of an access token must say: RFC 9068 section 4 as a table of small rules.

Pure: the time is an argument. The signature is checked elsewhere (`jws`), and so is what a route asks of its Caller (`requirement`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from m2mguard._token.jwk import describe
from m2mguard.caller import Caller, freeze_claims, verified_caller
from m2mguard.errors import InsufficientScope, InvalidToken

Claims = Mapping[str, object]
ORGANIZATION_AUDIENCE = "urn:logto:organization:"  # and then the id; a prefix alone accepts nothing
_ANY_ORGANIZATION_AUDIENCE = re.compile(ORGANIZATION_AUDIENCE + "[A-Za-z0-9_-]{1,128}")
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
    return sub_is_client_id(claims) and _SIGNS_OF_A_PERSON.isdisjoint(claims)


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
        leeway: seconds of difference between the clocks, for `exp`, `nbf` and `iat`.
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
    leeway: float


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
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or issuer not in profile.issuer_names:  # RFC 9068 section 4: character for character
        raise InvalidToken(
            "unknown_issuer",
            problem="contradiction",
            claim="iss",
            expected=tuple(sorted(profile.issuer_names)),
            got=_shown(claims, "iss"),
        )
    if not claims.keys() >= profile.required_claims:  # RFC 9068 section 2.2
        missing = sorted(profile.required_claims - claims.keys())
        raise InvalidToken("claim", problem="missing", claim=", ".join(missing), expected=tuple(missing), got=())
    if profile.claim_values:
        _check_values(claims, profile)
    if "cnf" in claims:  # RFC 9449 section 7.2, RFC 8705 section 3
        raise InvalidToken("claim", problem="bound", claim="cnf")
    audiences = _audiences(claims, profile)
    audience = _accepted_audience(audiences, profile)
    expires_at = _unexpired(claims, profile, now)
    starts_at = _started(claims, profile, now)
    subject = _text(claims, "sub")
    _text(claims, "client_id")
    token_id = _text(claims, "jti")
    scopes = _scopes(claims, profile)
    organization_id = _organization_id(claims, audiences, profile.organization_claim)
    read_only = freeze_claims(claims)  # from here on, lists are tuples
    is_machine = _is_machine(read_only, profile)
    app_id = _app_id(claims, profile, is_machine=is_machine)
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
    app_id = _text(claims, profile.app_id_claim)
    if profile.machine_only and app_id is not None and not is_machine:
        raise InsufficientScope("not_a_machine")
    name = app_id_claim(profile, is_machine=is_machine)
    if not is_machine:
        app_id = _text(claims, name)
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
                "claim", problem="wrong_value", claim=name, expected=tuple(sorted(accepted)), got=_shown(claims, name)
            )


def _audiences(claims: Claims, profile: TokenProfile) -> tuple[str, ...]:
    """RFC 7519 section 4.1.3: a string or a list of strings. Where an issuer writes none, its scopes name the audience."""
    if profile.audience_in_scope and "aud" not in claims:
        return tuple(scope.rpartition("/")[0] for scope in _scopes(claims, profile))
    value = claims.get("aud")
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(audience, str) for audience in value):
        raise InvalidToken(
            "audience",
            problem="wrong_type" if "aud" in claims else None,
            claim="aud",
            expected=_expected_audiences(profile),
            got=_shown(claims, "aud"),
        )
    return tuple(value)


def _accepted_audience(audiences: tuple[str, ...], profile: TokenProfile) -> str:
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


def _unexpired(claims: Claims, profile: TokenProfile, now: float) -> float:
    """RFC 7519 section 4.1.4: on or after exp is expired. A token that never ends is not accepted."""
    expires_at = _numeric_date(claims, "exp")
    if expires_at is None:
        raise InvalidToken("claim", problem="missing", claim="exp", expected=("exp",), got=())
    if now >= expires_at + profile.leeway:
        raise InvalidToken(
            "expired",
            claim="exp",
            expected=(f"after {_moment(now - profile.leeway)}",),
            got=(_moment(expires_at),),
        )
    return expires_at


def _started(claims: Claims, profile: TokenProfile, now: float) -> float:
    """RFC 7519 section 4.1.5: before nbf is early; so is a token that was issued in the future."""
    starts_at = -math.inf
    for name in ("nbf", "iat"):
        start = _numeric_date(claims, name)
        if start is not None:
            if now < start - profile.leeway:
                raise InvalidToken(
                    "not_yet_valid",
                    problem="contradiction",
                    claim=name,
                    expected=(f"until {_moment(now + profile.leeway)}",),
                    got=(_moment(start),),
                )
            if start > starts_at:
                starts_at = start
    return starts_at


def _organization_id(claims: Claims, audiences: tuple[str, ...], claim: str | None) -> str | None:
    """The one organization a token is limited to, by its claim or by its audience; two that differ refuse it."""
    found = [
        audience.removeprefix(ORGANIZATION_AUDIENCE)
        for audience in audiences
        if audience.startswith(ORGANIZATION_AUDIENCE)
    ]
    if claim is not None and claim in claims:
        found.append(_text(claims, claim) or "")
    if not found:
        return None
    if len(set(found)) > 1:
        raise InvalidToken("claim", problem="contradiction", claim=claim or "aud", got=tuple(found))
    return found[0]


def _scopes(claims: Claims, profile: TokenProfile) -> frozenset[str]:
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
            raise _wrong_type(claims, name, "a string or a list of strings")
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


def _is_machine(claims: Claims, profile: TokenProfile) -> bool:
    try:
        return bool(profile.is_machine(claims))
    except Exception as error:  # noqa: BLE001 - a callable of the user: if it fails on a token, that token is refused
        failed = type(error).__name__
    raise InvalidToken(
        "claim", f"the function is_machine failed with these claims: it raised {failed}", problem="is_machine_failed"
    )


def _numeric_date(claims: Claims, name: str) -> float | None:
    """RFC 7519 section 2: a JSON number. A bool is an int in Python only."""
    value = claims.get(name)
    if type(value) is int or type(value) is float:
        return value
    if name in claims:
        raise _wrong_type(claims, name, "a number")
    return None


def _text(claims: Claims, name: str) -> str | None:
    """RFC 7519 section 4.1: sub, jti and their like are strings, and name something."""
    value = claims.get(name)
    if isinstance(value, str) and value:
        return value
    if name in claims:
        raise _wrong_type(claims, name, "a string that is not empty")
    return None


def _wrong_type(claims: Claims, name: str, expected: str) -> InvalidToken:
    value = claims[name]
    got = "an empty string" if value == "" else describe(value) if not isinstance(value, str) else "a string"
    return InvalidToken("claim", problem="wrong_type", claim=name, expected=(expected,), got=(got,))


def _shown(claims: Claims, name: str) -> tuple[str, ...]:
    """The value of a claim, for `got`: strings as they are, else the type."""
    if name not in claims:
        return ()
    value = claims[name]
    values = value if isinstance(value, list) else [value]
    return tuple(one if isinstance(one, str) else describe(one) for one in values)


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g} seconds since 1970"
