"""Classifies a token: an access token of an application or a person, an ID token, a refresh token, a workload's token. Pure.

Each product has its own claims for that. Two rules apply to every issuer: `nonce`, `at_hash` and `c_hash` are claims of an ID token
(OpenID Connect Core 1.0 section 3.1.3.6), and the typ `at+jwt` is the typ of an access token (RFC 9068 section 2.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from m2mguard._cli.recognition.recognised_token import IssuerKind, TokenKind

Claims = Mapping[str, object]
_ID_TOKEN_CLAIMS = ("nonce", "at_hash", "c_hash")
_ENTRA_ACCESS_CLAIMS = ("azp", "azpacr", "appid", "appidacr", "scp", "idtyp")  # its ID tokens never have these
_REFRESH = ("rt+jwt", "refresh+jwt")


def classify_token(kind: IssuerKind | None, claims: Claims, typ: str) -> TokenKind:
    """Return the kind of a token.

    Args:
        kind: the product, or None if it is unknown.
        claims: the token's claims.
        typ: the header's typ in lower case, without "application/".
    """
    if set(claims) <= {"iss"}:
        return "unknown"
    if typ in _REFRESH:
        return "refresh"
    classify = None if kind is None else _CLASSIFIERS.get(kind)
    if classify is not None:
        return classify(claims, typ)
    return _classify_by_rfc9068(claims, typ)


def _classify_by_rfc9068(claims: Claims, typ: str) -> TokenKind:
    if typ == "at+jwt":
        return _classify_by_subject(claims, "client_id")
    if any(name in claims for name in _ID_TOKEN_CLAIMS) and "scope" not in claims:
        return "id_token"
    return "unknown"


def _classify_by_subject(claims: Claims, app_id_claim: str) -> TokenKind:
    if "sub" not in claims:
        return "unknown"
    signs_of_a_person = {"act", "acr", "amr", "auth_time"} & claims.keys()
    is_same = claims.get("sub") is not None and claims.get("sub") == claims.get(app_id_claim)
    return "app_access" if is_same and not signs_of_a_person else "person_access"


def _classify_logto(claims: Claims, typ: str) -> TokenKind:
    return _classify_by_subject(claims, "client_id") if typ == "at+jwt" or "client_id" in claims else "id_token"


def _classify_entra(claims: Claims, _typ: str) -> TokenKind:
    if claims.get("idtyp") == "app":
        return "app_access"
    person = any(name in claims for name in ("scp", "name", "preferred_username", "unique_name", "upn", "email"))
    if any(name in claims for name in _ENTRA_ACCESS_CLAIMS):
        return "person_access" if person or claims.get("idtyp") == "user" else "app_access"
    return "id_token" if person or any(name in claims for name in _ID_TOKEN_CLAIMS) else "unknown"


def _classify_okta(claims: Claims, _typ: str) -> TokenKind:
    if "cid" in claims or "scp" in claims:
        return "app_access" if "uid" not in claims and claims.get("sub") == claims.get("cid") else "person_access"
    return (
        "id_token"
        if any(name in claims for name in (*_ID_TOKEN_CLAIMS, "idp", "amr", "preferred_username"))
        else "unknown"
    )


def _classify_auth0(claims: Claims, typ: str) -> TokenKind:
    subject = str(claims.get("sub", ""))
    if claims.get("gty") == "client-credentials" or subject.endswith("@clients"):
        return "app_access"
    if typ == "at+jwt" or "azp" in claims or "scope" in claims or "permissions" in claims or "gty" in claims:
        return "person_access"
    return (
        "id_token"
        if any(name in claims for name in (*_ID_TOKEN_CLAIMS, "nickname", "sid", "name", "email"))
        else "unknown"
    )


def _classify_cognito(claims: Claims, _typ: str) -> TokenKind:
    if claims.get("token_use") == "id":
        return "id_token"
    if claims.get("token_use") == "access":
        return "app_access" if claims.get("sub") == claims.get("client_id") else "person_access"
    return "unknown"


def _classify_keycloak(claims: Claims, typ: str) -> TokenKind:
    match claims.get("typ"):
        case "ID":
            return "id_token"
        case "Refresh" | "Offline":
            return "refresh"
        case "Bearer":
            name = claims.get("preferred_username")
            if name is not None:  # a person may have any other name; a mapper may add client_id to every token
                service = name == f"service-account-{claims.get('azp')}".lower()
                return "app_access" if service else "person_access"
            return "person_access" if "sid" in claims else "app_access"
        case _:
            return _classify_by_rfc9068(claims, typ)


def _classify_zitadel(claims: Claims, _typ: str) -> TokenKind:
    if any(name in claims for name in (*_ID_TOKEN_CLAIMS, "amr", "auth_time")):
        return "id_token"
    return "app_access" if "nbf" in claims or "jti" in claims else "unknown"


def _classify_google(claims: Claims, _typ: str) -> TokenKind:
    return "app_access" if is_google_service_account(claims) else "id_token"


def is_google_service_account(claims: Claims) -> bool:
    """Whether a Google ID token belongs to a service account."""
    subject = claims.get("sub")
    is_own_azp = subject is not None and claims.get("azp") == subject
    return is_own_azp or str(claims.get("email", "")).endswith(".gserviceaccount.com")


def _classify_hydra(claims: Claims, _typ: str) -> TokenKind:
    if any(name in claims for name in _ID_TOKEN_CLAIMS) and "client_id" not in claims:
        return "id_token"
    return _classify_by_subject(claims, "client_id") if "client_id" in claims else "unknown"


def _classify_workload(_claims: Claims, _typ: str) -> TokenKind:
    return "workload"


def _classify_person(claims: Claims, _typ: str) -> TokenKind:
    return "id_token" if any(name in claims for name in _ID_TOKEN_CLAIMS) else "person_access"


def _classify_firebase(_claims: Claims, _typ: str) -> TokenKind:
    return "id_token"


_CLASSIFIERS: Mapping[IssuerKind, Callable[[Claims, str], TokenKind]] = {
    "logto": _classify_logto,
    "entra": _classify_entra,
    "okta": _classify_okta,
    "auth0": _classify_auth0,
    "cognito": _classify_cognito,
    "keycloak": _classify_keycloak,
    "zitadel": _classify_zitadel,
    "google": _classify_google,
    "hydra": _classify_hydra,
    "kubernetes": _classify_workload,
    "github_actions": _classify_workload,
    "gitlab": _classify_workload,
    "aws": _classify_workload,
    "firebase": _classify_firebase,
    "supabase": _classify_person,
    "clerk": _classify_person,
}
