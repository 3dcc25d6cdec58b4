"""What the refusals of Logto mean, as observed on Logto 1.42 and its successors. Pure.

Logto sends one code for different troubles. Statuses tell most of them apart; behind `invalid_request` only the description does,
so this is the one place where a sentence of a server is read.
"""

from __future__ import annotations

from m2mguard.client._refusals import Meaning, RefusedRequest, read_refusal

_EXPIRED = "the App Secret has expired: create a new one in Logto, and give that"
_NOT_A_MACHINE = "the application may not use client_credentials: it must be a machine-to-machine application, not one of another type"
_CLAIMS_SCRIPT = "the tenant's custom token claims script failed: look at it, and at Logto's audit log"
_LACKING = (
    "the request lacks what the issuer wants: check the parameters, and that no proxy removes the Authorization field"
)


def read_logto_refusal(refused: RefusedRequest) -> Meaning:
    """Return what a refusal of Logto means; codes that Logto has no use of its own for are read as any other issuer's."""
    match refused.error:
        case "invalid_client" if refused.status == 401:
            return "wrong_secret", (
                "the secret is wrong, or the App ID is one of an application without a secret: copy both again from a "
                "machine-to-machine application"
            )
        case "invalid_client":
            return (
                "unknown_client",
                "no application has this App ID: check it, and that the endpoint is its own tenant's",
            )
        case "invalid_target":
            return "resource", _about_resource(refused.target.resource)
        case "access_denied" if refused.status == 403 and refused.target.organization_id is not None:
            return "organization", (
                f"the application is not in the organization {refused.target.organization_id!r}, or there is none of that id: "
                "add the application to the organization, with a role"
            )
        case "access_denied":
            return (
                "denied",
                "the issuer denies this application a token: look at its custom token claims script and its rules",
            )
        case "unauthorized_client" | "unsupported_grant_type":
            return "grant_type", _NOT_A_MACHINE
        case "invalid_request":
            return _about_invalid_request(refused.description)
        case _:
            return read_refusal(refused)


def _about_invalid_request(description: str | None) -> Meaning:
    sentence = (description or "").lower()
    if "secret has expired" in sentence:
        return "expired_secret", _EXPIRED
    if "grant type is not allowed" in sentence:
        return "grant_type", _NOT_A_MACHINE
    if sentence.startswith("custom claims script error"):
        return "claims_script", f"{_CLAIMS_SCRIPT} (Logto says: {description})"
    if "client authentication mechanism" in sentence:
        return "malformed_request", _LACKING
    words = "" if description is None else f" (Logto says: {description})"
    return "malformed_request", (
        f"Logto finds the request invalid, for one of these causes: {_EXPIRED}; or {_NOT_A_MACHINE}; or {_CLAIMS_SCRIPT}; or "
        f"{_LACKING}{words}"
    )


def _about_resource(resource: str | None) -> str:
    if resource is None:
        return "the issuer wants to know for which API the token is: give resource, the API identifier"
    other = resource.removesuffix("/") if resource.endswith("/") else f"{resource}/"
    return (
        f"the resource {resource!r} is not registered: create an API resource with exactly this identifier, or give the one that "
        f"there is. It is compared whole; {other!r} would be another"
    )
