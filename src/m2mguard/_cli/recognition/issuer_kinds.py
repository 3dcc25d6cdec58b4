"""Recognises the product of an issuer by its URL and by claims that only its tokens have. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit

from m2mguard._cli.recognition.recognised_token import IssuerKind
from m2mguard._cli.recognition.token_kinds import is_google_service_account

Claims = Mapping[str, object]
Confidence = Literal["sure", "likely"]
GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
LOGTO_APP_ID = re.compile(r"[a-z0-9]{21,25}")
_HOSTS: tuple[tuple[re.Pattern[str], IssuerKind], ...] = (
    (re.compile(r"token\.actions\.githubusercontent\.com"), "github_actions"),
    (re.compile(r".*\.tokens\.sts\.global\.api\.aws"), "aws"),
    (re.compile(r"securetoken\.google\.com"), "firebase"),
    (re.compile(r".*\.supabase\.co"), "supabase"),
    (re.compile(r".*\.clerk\.accounts\.dev"), "clerk"),
    (re.compile(r"auth\.pingone\.[a-z.]+"), "pingone"),
)
_ENTRA_V1 = ("sts.windows.net", "sts.chinacloudapi.cn")
_ENTRA_CLOUDS = (
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.windows.net",
)
_KEYCLOAK_TYPES = ("Bearer", "ID", "Refresh", "Offline")
_REALM = re.compile(r"(?P<base>.*)/realms/(?P<realm>[^/]+)/?")


class IssuerMatch(NamedTuple):
    """A product, the confidence, the preset for this issuer if there is one, and the version of the token."""

    kind: IssuerKind
    confidence: Confidence
    preset: str | None = None
    version: str = ""


def match_issuer(claims: Claims, typ: str) -> IssuerMatch | None:
    """Recognise the product that issued a token; None if it is unknown.

    Args:
        claims: the claims of the token; `iss` alone is enough.
        typ: the header's typ in lower case, or "".
    """
    iss = claims.get("iss")
    if not isinstance(iss, str):
        return None
    try:
        url = urlsplit(iss if "://" in iss else f"https://{iss}")
        host = (url.hostname or "").lower()
    except ValueError:
        return None
    for match_product in _MATCHERS:
        found = match_product(url, host, claims, typ)
        if found is not None:
            return found
    return None


def _match_logto(url: SplitResult, host: str, claims: Claims, _typ: str) -> IssuerMatch | None:
    if url.path.rstrip("/") != "/oidc" or "ver" in claims:
        return None
    return IssuerMatch("logto", "sure" if host.endswith(".logto.app") else "likely", f"logto:{_format_origin(url)}")


def _match_entra(url: SplitResult, host: str, claims: Claims, _typ: str) -> IssuerMatch | None:
    v1 = host in _ENTRA_V1
    if not v1 and host not in _ENTRA_CLOUDS and not host.endswith((".ciamlogin.com", ".b2clogin.com")):
        return None
    tenant = GUID.search(url.path)
    preset = None
    if tenant is not None and host == "sts.windows.net":
        preset = f"entra:{tenant[0].lower()},1"
    elif tenant is not None and host == "login.microsoftonline.com":
        preset = f"entra:{tenant[0].lower()}"
    return IssuerMatch("entra", "sure", preset, "1" if v1 or claims.get("ver") == "1.0" else "2")


def _match_okta(url: SplitResult, host: str, claims: Claims, _typ: str) -> IssuerMatch | None:
    is_own_host = host.endswith((".okta.com", ".oktapreview.com", ".okta-emea.com"))
    server = re.fullmatch(r"/oauth2/([A-Za-z0-9_-]+)", url.path.rstrip("/"))
    if not is_own_host and not (server and "cid" in claims):
        return None
    return IssuerMatch("okta", "sure" if is_own_host else "likely", f"okta:{host},{server[1]}" if server else None)


def _match_auth0(url: SplitResult, host: str, claims: Claims, typ: str) -> IssuerMatch | None:
    is_own_host = host.endswith(".auth0.com")
    has_claims = "gty" in claims or str(claims.get("sub", "")).endswith("@clients")
    if not is_own_host and not (has_claims and url.path == "/"):
        return None
    return IssuerMatch(
        "auth0", "sure" if is_own_host else "likely", f"auth0:{host}{',rfc9068' if typ == 'at+jwt' else ''}"
    )


def _match_cognito(url: SplitResult, host: str, _claims: Claims, _typ: str) -> IssuerMatch | None:
    found = re.fullmatch(r"cognito-idp\.[a-z0-9-]+\.amazonaws\.com(\.cn)?", host)
    return None if found is None else IssuerMatch("cognito", "sure", f"cognito:{url.path.strip('/')}")


def _match_keycloak(url: SplitResult, _host: str, claims: Claims, _typ: str) -> IssuerMatch | None:
    found = _REALM.fullmatch(url.path)
    if found is None:
        return None
    sure = bool({"realm_access", "resource_access"} & claims.keys()) or claims.get("typ") in _KEYCLOAK_TYPES
    preset = f"keycloak:{_format_origin(url)}{found['base']},{found['realm']}"
    return IssuerMatch("keycloak", "sure" if sure else "likely", preset)


def _match_zitadel(url: SplitResult, host: str, claims: Claims, _typ: str) -> IssuerMatch | None:
    has_claims = any(name.startswith("urn:zitadel:") for name in claims)
    if not has_claims and not host.endswith((".zitadel.cloud", ".zitadel.app")):
        return None
    subject = claims.get("sub")
    is_service_user = isinstance(subject, str) and subject.isalnum()
    return IssuerMatch("zitadel", "sure", f"zitadel:{_format_origin(url)},{subject}" if is_service_user else None)


def _match_google(_url: SplitResult, host: str, claims: Claims, _typ: str) -> IssuerMatch | None:
    if host != "accounts.google.com":
        return None
    subject = claims.get("sub")
    return IssuerMatch(
        "google", "sure", f"google_service_accounts:{subject}" if is_google_service_account(claims) else None
    )


def _match_platform(_url: SplitResult, host: str, claims: Claims, _typ: str) -> IssuerMatch | None:
    """Match platforms that issue tokens to their workloads, and products with a fixed host.

    No preset is proposed: the token cannot say who may call.
    """
    if "kubernetes.io" in claims or str(claims.get("sub", "")).startswith("system:serviceaccount:"):
        return IssuerMatch("kubernetes", "sure")
    if "project_path" in claims and "namespace_path" in claims:
        return IssuerMatch("gitlab", "sure")
    return next((IssuerMatch(kind, "sure") for pattern, kind in _HOSTS if pattern.fullmatch(host)), None)


def _match_other_product(url: SplitResult, host: str, _claims: Claims, _typ: str) -> IssuerMatch | None:
    if host.endswith(".projects.oryapis.com"):
        return IssuerMatch("hydra", "sure", f"hydra:{_format_origin(url)}{url.path}")
    return IssuerMatch("authentik", "likely") if re.fullmatch(r"/application/o/[^/]+/?", url.path) else None


_MATCHERS: tuple[Callable[[SplitResult, str, Claims, str], IssuerMatch | None], ...] = (
    _match_entra, _match_okta, _match_auth0, _match_cognito, _match_google, _match_platform, _match_other_product, _match_keycloak,
    _match_zitadel, _match_logto,
)  # fmt: skip


def _format_origin(url: SplitResult) -> str:
    return f"{url.scheme}://{url.netloc}"
