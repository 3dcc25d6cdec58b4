"""What the token endpoint's answer means: a token, or one of the two families of error (RFC 6749 sections 5.1 and 5.2). Pure.

Issuers differ in details of their answers, so a good answer is read with tolerance: a `null` member is an absent one, `expires_in` may
be text, `scope` a list. What would not be a bearer token, or not fit into a header, is still refused.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from m2mguard._authentication.proof import Proof
from m2mguard._reasons.codes import TokenRequestReason
from m2mguard._token.strict_json import NotStrictJson, parse_object
from m2mguard._validation import strings
from m2mguard.client._errors import TokenEndpointUnavailable, TokenRequestError, TokenRequestRefused
from m2mguard.client._issuer_text import MAX_LENGTH, safe_text
from m2mguard.client._refusals import OUTAGES, ReadRefusal, RefusedRequest, read_refusal
from m2mguard.client._token_request import TokenTarget
from m2mguard.errors import ConfigurationError
from m2mguard.net._protocol import Response
from m2mguard.net._retry_after import retry_after_s

ASSUMED_LIFETIME_S = 300.0
_TOKEN = re.compile(r"[\x21-\x7e]+")  # RFC 6749 appendix A.12, without the space: nothing that could end a header field
_SECONDS = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
_REFUSING = (200, 400, 401, 403)  # some issuers refuse with 200
_NOT_BEARER = frozenset(("dpop", "mac", "n_a", "pop"))  # RFC 9449, RFC 8693, and drafts
_MAX_CODE_LENGTH = 80
DPOP_TOKEN_TYPES: Final[frozenset[str | None]] = frozenset(("dpop",))  # RFC 9449 section 5
_ISSUED = "urn:ietf:params:oauth:token-type:"
_USABLE = (f"{_ISSUED}access_token", f"{_ISSUED}jwt")  # RFC 8693 section 3
_OUTAGES: dict[TokenRequestReason, str] = {
    "too_many_requests": "too many requests",
    "temporarily_unavailable": "it is temporarily unavailable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A good answer: the token, for how many seconds it is valid, and its scopes. The repr leaves the token out."""

    value: str = field(repr=False)
    lifetime_s: float
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRules:
    """How one kind of issuer answers.

    Attributes:
        token_types: the values of `token_type` that mean a bearer token, in lower case; None among them: it may be missing.
        missing_scope_grants: whether an answer without `scope` grants what was asked for (RFC 6749 section 5.1), or nothing (Logto).
        read_refusal: says what a refusal means.
    """

    token_types: frozenset[str | None]
    missing_scope_grants: bool
    read_refusal: ReadRefusal = read_refusal


def bearer_token_types(given: object) -> frozenset[str | None]:
    """Check the setting `token_types`.

    Raises:
        ConfigurationError: it is not a list of names and None, or it names a type that is not a bearer token's.
    """
    if isinstance(given, str | Mapping) or not isinstance(given, Collection) or not given:
        raise ConfigurationError('token_types must be a list of names and None, such as token_types=["Bearer", None].')
    names = strings("token_types", [name for name in given if name is not None], what="names")
    other = sorted({name for name in names if name.lower() in _NOT_BEARER})
    if other:
        raise ConfigurationError(
            f"token_types: {', '.join(other)} is not a bearer token's type, so its token cannot be sent."
        )
    return frozenset({name.lower() for name in names} | {None} & set(given))


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """What was sent: for which token, by whom."""

    target: TokenTarget
    client_id: str
    proof: Proof

    def safe(self, text: object, *, most: int) -> str | None:
        """Return text of the issuer's as `safe_text` does; None for anything but text."""
        if not isinstance(text, str) or not text.strip():
            return None
        target = self.target
        audiences = [value for name, value in target.parameters if name == "audience"]
        known = (self.client_id, target.resource, target.organization_id, *target.scopes, *audiences)
        return safe_text(text, secrets=self.proof.secrets, known=[value for value in known if value], most=most)


def parse_token_response(response: Response, asked: SentRequest, rules: AnswerRules, *, now_s: float) -> Granted:
    """Read an answer.

    Args:
        response: of the token endpoint.
        asked: what was sent.
        rules: how this issuer answers.
        now_s: seconds since the epoch, for a `Retry-After` that is a date.

    Raises:
        TokenRequestRefused: the endpoint refuses, by an error of RFC 6749 section 5.2 and status 400, 401, 403 or even 200.
        TokenEndpointUnavailable: any other answer, and an error that means an outage.
    """
    answer = _json_object(response.body)
    if response.status != 200 or _is_an_error(answer):
        raise _failure(response, answer or {}, asked, rules, now_s)
    if answer is None:
        raise _unusable("it is not a JSON object")
    token = answer.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise _unusable("it holds no access token that fits into a header")
    _check_type(answer.get("token_type"), asked, rules)
    issued = answer.get("issued_token_type")
    if issued is not None and issued not in _USABLE:
        raise _unusable("its issued_token_type says that it is no access token")
    scopes = _scopes(answer.get("scope"))
    unnamed = frozenset(asked.target.scopes) if rules.missing_scope_grants else frozenset[str]()
    return Granted(
        value=token, lifetime_s=_lifetime(answer.get("expires_in")), scopes=unnamed if scopes is None else scopes
    )


def _json_object(body: bytes) -> dict[str, object] | None:
    try:
        return parse_object(body.removeprefix(codecs.BOM_UTF8))
    except NotStrictJson:
        return None


def _is_an_error(answer: dict[str, object] | None) -> bool:
    return answer is not None and answer.get("access_token") is None and isinstance(answer.get("error"), str)


def _check_type(kind: object, asked: SentRequest, rules: AnswerRules) -> None:
    """RFC 6749 section 7.1: a token of a type that is unknown to the client must not be used."""
    if kind is None:
        if None not in rules.token_types:
            raise _unusable("its token_type is missing, and token_types does not hold None")
    elif not isinstance(kind, str) or kind.strip().lower() not in rules.token_types:
        shown = asked.safe(kind, most=_MAX_CODE_LENGTH)
        if rules.token_types == DPOP_TOKEN_TYPES:
            raise _unusable(f"its token is not bound to our key: token_type is {shown!r}, expected DPoP")
        raise _unusable(f"its token is not a bearer token: token_type is {shown!r}, which is not among token_types")


def _scopes(scope: object) -> frozenset[str] | None:
    if scope is None:
        return None
    if isinstance(scope, str):
        return frozenset(scope.split())
    if not isinstance(scope, list) or not all(isinstance(member, str) for member in scope):
        raise _unusable("its scope is neither text nor a list of text")
    return frozenset(name for member in scope for name in member.split())


def _lifetime(expires_in: object) -> float:
    if expires_in is None:
        return ASSUMED_LIFETIME_S
    if isinstance(expires_in, str) and _SECONDS.fullmatch(expires_in.strip()):  # not RFC 6749, but not rare either
        expires_in = float(expires_in)
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float) or not 0 < expires_in < math.inf:
        raise _unusable("its expires_in is no number of seconds above 0")
    return float(expires_in)


def _unusable(what: str) -> TokenEndpointUnavailable:
    return TokenEndpointUnavailable("unusable_answer", f"the token endpoint's answer cannot be used: {what}")


def _failure(
    response: Response, answer: dict[str, object], asked: SentRequest, rules: AnswerRules, now_s: float
) -> TokenRequestError:
    status = response.status
    error = asked.safe(answer.get("error"), most=_MAX_CODE_LENGTH)
    description = asked.safe(answer.get("error_description"), most=MAX_LENGTH)
    outage = "too_many_requests" if status == 429 else OUTAGES.get((error or "").lower())
    if error is not None and outage is None and status in _REFUSING:
        refused = RefusedRequest(status=status, error=error, description=description, target=asked.target)
        return TokenRequestRefused(*rules.read_refusal(refused), error=error, error_description=description)
    sentence = f"the token endpoint answered with status {status}"
    if outage is not None:
        sentence += f": {_OUTAGES[outage]}"
    elif 300 <= status < 400:
        sentence += ", a redirect, which is not followed: configure the URL that it leads to"
    elif status in (404, 405, *_REFUSING):
        sentence += ", and not as an authorization server does: check its URL, and any proxy in between"
    if error is not None:
        sentence += f" (the issuer says: {error if description is None else f'{error}, {description}'})"
    return TokenEndpointUnavailable(
        outage or "status",
        sentence,
        retry_after=retry_after_s(response.headers, now_s=now_s),
        error=error,
        error_description=description,
    )
