"""What the error codes of a token endpoint mean at any issuer: RFC 6749 section 5.2 and RFC 8707 section 2, and nothing more. Pure.

Issuers use these codes loosely, so each piece of advice names every usual cause, and the issuer's own sentence follows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from m2mguard._reasons.codes import TokenRequestReason
from m2mguard.client._token_request import TokenTarget

OUTAGES: dict[str, TokenRequestReason] = {
    "temporarily_unavailable": "temporarily_unavailable",
    "server_error": "temporarily_unavailable",
    "internal_error": "temporarily_unavailable",
    "internal_server_error": "temporarily_unavailable",
    "service_unavailable": "temporarily_unavailable",
    "slow_down": "too_many_requests",
    "too_many_requests": "too_many_requests",
    "rate_limit_exceeded": "too_many_requests",
}
"""Error codes that say nothing about the request, so that asking again is all there is to do, whatever the status."""

_CREDENTIALS = (
    "the issuer does not accept the client's credentials: check client_id and client_secret, that the secret has not expired, and "
    "whether the issuer wants another client_authentication"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRequest:
    """An OAuth error answer: its status, code and description, all as safe text, and what had been asked for."""

    status: int
    error: str
    description: str | None
    target: TokenTarget


Meaning = tuple[TokenRequestReason, str]
"""The reason, and a sentence that says what to do."""

ReadRefusal = Callable[[RefusedRequest], Meaning]
"""Says what a refusal of one kind of issuer means."""


def read_refusal(refused: RefusedRequest) -> Meaning:
    """Return what the refusal means, and the issuer's own words behind it."""
    reason, advice = _meaning(refused)
    words = refused.error if refused.description is None else f"{refused.error}, {refused.description}"
    return reason, f"{advice} (the issuer says: {words})"


def _meaning(refused: RefusedRequest) -> Meaning:
    match refused.error:
        case "invalid_client" | "invalid_client_id" | "invalid_client_credentials":
            return "client_authentication", _CREDENTIALS
        case "invalid_target" | "invalid_resource":
            return "resource", _about_resource(refused.target.resource)
        case "invalid_scope":
            return "scope", _about_scopes(refused.target.scopes)
        case "unsupported_grant_type":
            return (
                "grant_type",
                "the issuer does not allow the grant type client_credentials, at all or for this client",
            )
        case "invalid_request":
            return "malformed_request", (
                "the issuer finds a parameter missing, repeated or invalid: check resource, scopes and parameters, and that no proxy "
                "removes the Authorization field"
            )
        case _ if refused.status == 401:  # RFC 9110 section 15.5.2: who asks is not accepted, whatever the code says
            return "client_authentication", _CREDENTIALS
        case "unauthorized_client":
            return "unauthorized_client", (
                "the issuer does not let this client use client_credentials, or does not know it: allow the grant type for the "
                "client, and check client_id and that the issuer is its own"
            )
        case "access_denied" | "invalid_grant":
            return "denied", (
                "the issuer does not authorize this client: grant it access to the API there, and look at the issuer's rules"
            )
        case _:
            return (
                "other",
                f"the issuer refuses with status {refused.status} and an error code of its own: look it up there",
            )


def _about_resource(resource: str | None) -> str:
    if resource is None:
        return (
            "the issuer wants to know for which API the token is: give resource, or the parameter that it has for that"
        )
    return (
        f"the issuer does not accept the resource {resource!r}: give the API's identifier exactly as it is registered there, and check "
        "that this client may have tokens for it"
    )


def _about_scopes(scopes: tuple[str, ...]) -> str:
    if not scopes:
        return "the issuer wants to know which scopes the token is for: give scopes"
    return (
        f"the issuer does not accept the scopes {' '.join(scopes)!r}: check their names and their form, and that this client may have "
        "them"
    )
