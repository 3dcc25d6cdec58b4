"""What the token endpoint's answer means: a token, or one of the two families of error (RFC 6749 sections 5.1 and 5.2). Pure.

Of what the endpoint sent, nothing but the token and its scopes goes further: every sentence here is our own.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from m2mguard.client.errors import TokenEndpointUnavailable, TokenRequestError, TokenRequestRefused
from m2mguard.client.token_request import TokenTarget
from m2mguard.net.protocol import Response
from m2mguard.token.strict_json import NotStrictJson, parse_object

ASSUMED_LIFETIME_S = 300.0
MAX_RETRY_AFTER_S = 300.0
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750 section 2.1: nothing that could break out of a header
_SECONDS = re.compile(r"\d{1,9}")
_REFUSING = (400, 401, 403)


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A good answer: the token, for how many seconds it is valid, and its scopes. The repr leaves the token out."""

    value: str = field(repr=False)
    lifetime_s: float
    scopes: frozenset[str]


def read(response: Response, target: TokenTarget, *, silence_grants: bool) -> Granted:
    """Read an answer.

    Args:
        response: of the token endpoint.
        target: what was asked for.
        silence_grants: whether an answer without `scope` grants what was asked for (RFC 6749 section 5.1), or nothing (Logto).

    Raises:
        TokenRequestRefused: the endpoint refuses, by status 400, 401 or 403 and an error of RFC 6749 section 5.2.
        TokenEndpointUnavailable: any other answer.
    """
    if response.status != 200:
        raise _failure(response, target)
    try:
        answer = parse_object(response.body)
    except NotStrictJson:
        raise _unusable("it is not a JSON object") from None
    token = answer.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise _unusable("it holds no access token that fits into a header")
    kind = answer.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise _unusable("its token is not a bearer token")
    scope = answer.get("scope")
    if scope is not None and not isinstance(scope, str):
        raise _unusable("its scope is not a string")
    silent = frozenset(target.scopes) if silence_grants else frozenset[str]()
    return Granted(
        value=token,
        lifetime_s=_lifetime(answer.get("expires_in")),
        scopes=silent if scope is None else frozenset(scope.split()),
    )


def _lifetime(expires_in: object) -> float:
    if expires_in is None:
        return ASSUMED_LIFETIME_S
    if isinstance(expires_in, str) and _SECONDS.fullmatch(expires_in):  # not RFC 6749, but not rare either
        expires_in = int(expires_in)
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float) or not 0 < expires_in < math.inf:
        raise _unusable("its expires_in is no number of seconds above 0")
    return float(expires_in)


def _unusable(what: str) -> TokenEndpointUnavailable:
    return TokenEndpointUnavailable("unusable_answer", f"the token endpoint's answer cannot be used: {what}")


def _failure(response: Response, target: TokenTarget) -> TokenRequestError:
    status = response.status
    if status in _REFUSING:
        try:
            error = parse_object(response.body).get("error")
        except NotStrictJson:
            error = None
        if isinstance(error, str):
            return TokenRequestRefused(*_refusal(error, status, target))
    seconds = response.headers.get("retry-after", "").strip()
    wait = min(MAX_RETRY_AFTER_S, float(seconds)) if _SECONDS.fullmatch(seconds) else 0.0
    if status == 429:
        return TokenEndpointUnavailable("too_many_requests", "the token endpoint says 429: too many", retry_after=wait)
    sentence = f"the token endpoint answered with status {status}"
    if 300 <= status < 400:
        sentence += ", a redirect, which is not followed: configure the URL that it leads to"
    elif status in (404, 405, *_REFUSING):
        sentence += ", and not as an authorization server does: check its URL, and what stands between"
    return TokenEndpointUnavailable("status", sentence, retry_after=wait)


def _refusal(error: str, status: int, target: TokenTarget) -> tuple[str, str]:
    """The reason, and what to do about it. Codes: RFC 6749 section 5.2, RFC 8707 section 2; the statuses tell Logto's cases apart."""
    match error:
        case "invalid_client" if status == 401:
            return "wrong_secret", (
                "the secret is wrong (or the App ID, where the issuer does not tell which): copy the App Secret anew; some issuers "
                "want another client_authentication"
            )
        case "invalid_client":
            return (
                "unknown_client",
                "no application has this App ID: check it, and that the endpoint is its own tenant's",
            )
        case "invalid_target":
            return "resource", _about_resource(target.resource)
        case "access_denied" if status == 403 and target.organization_id is not None:
            return "organization", (
                f"the application is not in the organization {target.organization_id!r}, or there is none of that id: "
                "add the application to the organization, with a role"
            )
        case "access_denied":
            return (
                "denied",
                "the issuer denies this application a token: look at its custom token claims script and its rules",
            )
        case "invalid_scope":
            return (
                "scope",
                f"one of the scopes {' '.join(target.scopes)!r} does not exist there, or is not for this application",
            )
        case "unauthorized_client" | "unsupported_grant_type":
            return (
                "grant_type",
                "the application may not use client_credentials: it must be of the machine-to-machine kind",
            )
        case "invalid_request":
            return "malformed_request", (
                "the request lacks what the issuer wants: check the parameters, and that no proxy removes the Authorization field"
            )
        case _:
            return (
                "other",
                f"the token endpoint refuses with status {status} and an error of its own: look at the issuer's log",
            )


def _about_resource(resource: str | None) -> str:
    if resource is None:
        return "the issuer wants to know for which API the token is: give resource, the API identifier"
    other = resource.removesuffix("/") if resource.endswith("/") else f"{resource}/"
    return (
        f"the resource {resource!r} is not registered: create an API resource with exactly this identifier, or give the one that "
        f"there is. It is compared whole; {other!r} would be another"
    )
