"""What to change, for the traps that operators of Logto and other issuers walk into. One small function per reason of refusal."""

from __future__ import annotations

from collections.abc import Callable

from m2mguard.cli.evidence import Evidence
from m2mguard.cli.words import listed, number, quoted
from m2mguard.errors import Refusal
from m2mguard.token.claims import ORGANIZATION_AUDIENCE

_CLOCKS_S = 300  # a token that is early by less is more likely a matter of clocks
_WRONG_KIND = "This looks like an ID token, which tells an app who signed in. Send the access token to the API."
_ENCRYPTED_SEGMENTS = 5


def hint(error: Refusal, evidence: Evidence) -> str | None:
    """One sentence or two on what to change, or None where nothing can be said beyond the reason itself."""
    advise = _ADVICE.get(error.reason)
    return None if advise is None else advise(evidence)


def _field(_: Evidence) -> str:
    return (
        "Send one field 'Authorization: Bearer TOKEN', with the token alone: no quotes, no line breaks, no second word."
    )


def _malformed(evidence: Evidence) -> str | None:
    reading = evidence.reading
    if reading.segments == 1:
        return (
            "This is an opaque token, which only the issuer can read. Logto gives one where no resource was asked for: "
            f"ask for the token with resource={evidence.audiences[0]}."
        )
    if reading.segments == _ENCRYPTED_SEGMENTS:
        return "This is an encrypted token (JWE). Only signed ones are read: switch encryption off at the issuer."
    return "The token was changed or cut off on its way, or is no access token. Copy it whole."


def _unknown_issuer(evidence: Evidence) -> str:
    said = evidence.reading.claim("iss")
    trusted = [issuer.url for issuer in evidence.issuers]
    if not isinstance(said, str):
        return "The token names no issuer."
    if any(said.rstrip("/") == url.rstrip("/") for url in trusted):
        return f"Only a slash at the end differs, and issuers are compared exactly: configure {quoted(said)}."
    if any(said == f"{url.rstrip('/')}/oidc" for url in trusted):
        return "Logto's issuer is its endpoint plus '/oidc': use --logto (M2MGUARD_LOGTO_ENDPOINT) with the endpoint."
    return (
        "The token is another issuer's or tenant's. If it is one you trust, configure it, too: a Logto tenant with a custom "
        "domain has two issuers, and Management API tokens may come from the admin tenant."
    )


def _other_issuer(evidence: Evidence) -> str:
    return f"The route accepts tokens of {listed(evidence.requirement.issuers)} only."


def _unknown_key(evidence: Evidence) -> str:
    header = evidence.reading.header
    if header is None:
        return "No issuer names its key by so long a kid. The token is forged or damaged."
    if header.kid is None:
        return (
            "The token names no key (kid), and the issuer does not have exactly one key for its alg, so nobody can tell which one is "
            "meant. Let the issuer write kid into its tokens."
        )
    return (
        "The issuer does not publish this key. The key was withdrawn (two rotations do that to tokens that have not expired), the "
        "token is of another tenant or forged. Get a new token."
    )


def _algorithm(_: Evidence) -> str:
    return "The key decides which algorithm it is for, and the settings which are accepted (M2MGUARD_ALGORITHMS)."


def _signature(_: Evidence) -> str:
    return "The token was changed or cut off on its way, or is forged. Copy it whole, or get a new one."


def _token_type(evidence: Evidence) -> str:
    if evidence.reading.claim("client_id") is None and evidence.reading.claim("scope") is None:
        return _WRONG_KIND
    return (
        "If this is the issuer's access token, the issuer does not follow RFC 9068: see whether m2mguard.presets has it, or accept "
        "its typ by M2MGUARD_TOKEN_TYPES, but know what else it signs with that typ."
    )


def _audience(evidence: Evidence) -> str:
    said = evidence.reading.claim("aud")
    tokens = [one for one in (said if isinstance(said, list) else [said]) if isinstance(one, str)]
    for one in tokens:
        for expected in evidence.audiences:
            if one.rstrip("/") == expected.rstrip("/"):
                return (
                    f"Only a slash at the end differs, and that is another API: ask for the token with resource={expected}, or "
                    f"configure {quoted(one)}, whichever is registered at the issuer."
                )
    if any(one.startswith(ORGANIZATION_AUDIENCE) for one in tokens):
        return (
            f"This is an organization token. For an API's scopes ask with both resource={evidence.audiences[0]} and "
            "organization_id; or accept such tokens by M2MGUARD_ORGANIZATIONS=true, and let routes name the organization."
        )
    return f"The token was issued for another API. Ask for it with resource={evidence.audiences[0]}."


def _expired(_: Evidence) -> str:
    return "Get a new token: a caller keeps it until shortly before exp (m2mguard.client does). If it is new, compare the clocks."


def _not_yet_valid(evidence: Evidence) -> str:
    starts = [number(evidence.reading.claim(name)) for name in ("nbf", "iat")]
    early = max((start - evidence.now for start in starts if start is not None), default=0)
    if early < _CLOCKS_S:
        return "Compare this machine's clock with the issuer's."
    return "A custom-claims script may have set nbf; else compare this machine's clock with the issuer's."


def _claim(evidence: Evidence) -> str:
    claims = evidence.reading.claims or {}
    if "cnf" in claims:
        return "The issuer bound the token to a key (DPoP or mTLS). Switch that off for this application."
    if evidence.issuer is not None and not frozenset(evidence.issuer.required_claims) <= claims.keys():
        return "The issuer does not follow RFC 9068: see whether m2mguard.presets has it, and name your Issuer by --issuer-from."
    for name, accepted in evidence.issuer.claim_values.items() if evidence.issuer else ():
        if claims.get(name) not in list(accepted):  # a list, since the claim may be of any type
            return f"By its {name} this is another kind of token. Send the access token to the API."
    if isinstance(claims.get("scope"), list) and evidence.issuer and "scope" not in evidence.issuer.scope_lists:
        return 'This issuer writes scope as a list. Accept that with Issuer(..., scope_lists=["scope"]), named by --issuer-from.'
    return "The claim has not the form that RFC 9068 asks for. A custom-claims script at the issuer may have set it."


def _not_a_machine(_: Evidence) -> str:
    return (
        "A person signed in for this token. Let the calling service use client_credentials with an application of its own, "
        "or accept persons by M2MGUARD_MACHINE_ONLY=false."
    )


def _organization(evidence: Evidence) -> str:
    if evidence.requirement.organization is None:
        return (
            "The token holds in one organization only, so a route must say which (--organization, in code "
            "Requirement(organization=...)). For a global token ask without organization_id."
        )
    return f"Ask for the token with organization_id={quoted(evidence.requirement.organization)}."


def _application(evidence: Evidence) -> str:
    return f"The route accepts {listed(evidence.requirement.app_ids)} only. Add this application, if it may."


def _scope(evidence: Evidence) -> str:
    lists = evidence.issuer.scope_lists if evidence.issuer else ()
    if any(evidence.reading.claim(name) for name in ("scope", *lists)):
        return (
            "The application asked for fewer scopes, or its roles grant fewer: Logto drops what is not granted without a word. "
            "Give its role the permission, then get a new token that asks for it in scope."
        )
    return (
        "The token has no scopes at all: the application has no role that grants any, or it asked for none in scope. In Logto any "
        "machine-to-machine application gets such a token. Assign a role, then get a new token."
    )


_ADVICE: dict[str, Callable[[Evidence], str | None]] = {
    "missing": _field,
    "other_scheme": _field,
    "several_credentials": _field,
    "credential_grammar": _field,
    "malformed": _malformed,
    "unknown_issuer": _unknown_issuer,
    "unknown_key": _unknown_key,
    "issuer": _other_issuer,
    "algorithm": _algorithm,
    "signature": _signature,
    "token_type": _token_type,
    "audience": _audience,
    "expired": _expired,
    "not_yet_valid": _not_yet_valid,
    "claim": _claim,
    "not_a_machine": _not_a_machine,
    "organization": _organization,
    "application": _application,
    "scope": _scope,
}
