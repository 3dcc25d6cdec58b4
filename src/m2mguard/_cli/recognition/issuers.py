"""Which product an issuer is, by its URL and the claims that only its tokens have. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit

from m2mguard._cli.recognition.recognised import IssuerKind
from m2mguard._cli.recognition.token_kinds import is_google_service_account

Claims = Mapping[str, object]
Confidence = Literal["sure", "likely"]
GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
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


class Named(NamedTuple):
    """A product, how sure that is, and the preset for this issuer, where there is one."""

    kind: IssuerKind
    confidence: Confidence
    preset: str | None = None
    version: str = ""


def issuer_kind(claims: Claims, typ: str) -> Named | None:
    """Tell which product issued a token, by its claims; None where nothing is known.

    Args:
        claims: the token's; `iss` alone will do.
        typ: the header's typ in lower case, or "".
    """
    said = claims.get("iss")
    if not isinstance(said, str):
        return None
    try:
        url = urlsplit(said if "://" in said else f"https://{said}")
        host = (url.hostname or "").lower()
    except ValueError:
        return None
    for tell in _BY_HOST:
        named = tell(url, host, claims, typ)
        if named is not None:
            return named
    return None


def _logto(url: SplitResult, host: str, claims: Claims, _typ: str) -> Named | None:
    if url.path.rstrip("/") != "/oidc" or "ver" in claims:
        return None
    return Named("logto", "sure" if host.endswith(".logto.app") else "likely", f"logto:{_origin(url)}")


def _entra(url: SplitResult, host: str, claims: Claims, _typ: str) -> Named | None:
    v1 = host in _ENTRA_V1
    if not v1 and host not in _ENTRA_CLOUDS and not host.endswith((".ciamlogin.com", ".b2clogin.com")):
        return None
    tenant = GUID.search(url.path)
    preset = None
    if tenant is not None and host == "sts.windows.net":
        preset = f"entra:{tenant[0].lower()},1"
    elif tenant is not None and host == "login.microsoftonline.com":
        preset = f"entra:{tenant[0].lower()}"
    return Named("entra", "sure", preset, "1" if v1 or claims.get("ver") == "1.0" else "2")


def _okta(url: SplitResult, host: str, claims: Claims, _typ: str) -> Named | None:
    own = host.endswith((".okta.com", ".oktapreview.com", ".okta-emea.com"))
    server = re.fullmatch(r"/oauth2/([A-Za-z0-9_-]+)", url.path.rstrip("/"))
    if not own and not (server and "cid" in claims):
        return None
    return Named("okta", "sure" if own else "likely", f"okta:{host},{server[1]}" if server else None)


def _auth0(url: SplitResult, host: str, claims: Claims, typ: str) -> Named | None:
    own = host.endswith(".auth0.com")
    marked = "gty" in claims or str(claims.get("sub", "")).endswith("@clients")
    if not own and not (marked and url.path == "/"):
        return None
    return Named("auth0", "sure" if own else "likely", f"auth0:{host}{',rfc9068' if typ == 'at+jwt' else ''}")


def _cognito(url: SplitResult, host: str, _claims: Claims, _typ: str) -> Named | None:
    found = re.fullmatch(r"cognito-idp\.[a-z0-9-]+\.amazonaws\.com(\.cn)?", host)
    return None if found is None else Named("cognito", "sure", f"cognito:{url.path.strip('/')}")


def _keycloak(url: SplitResult, _host: str, claims: Claims, _typ: str) -> Named | None:
    found = _REALM.fullmatch(url.path)
    if found is None:
        return None
    sure = bool({"realm_access", "resource_access"} & claims.keys()) or claims.get("typ") in _KEYCLOAK_TYPES
    preset = f"keycloak:{_origin(url)}{found['base']},{found['realm']}"
    return Named("keycloak", "sure" if sure else "likely", preset)


def _zitadel(url: SplitResult, host: str, claims: Claims, _typ: str) -> Named | None:
    marked = any(name.startswith("urn:zitadel:") for name in claims)
    if not marked and not host.endswith((".zitadel.cloud", ".zitadel.app")):
        return None
    subject = claims.get("sub")
    listed = isinstance(subject, str) and subject.isalnum()
    return Named("zitadel", "sure", f"zitadel:{_origin(url)},{subject}" if listed else None)


def _google(_url: SplitResult, host: str, claims: Claims, _typ: str) -> Named | None:
    if host != "accounts.google.com":
        return None
    subject = claims.get("sub")
    return Named("google", "sure", f"google_service_accounts:{subject}" if is_google_service_account(claims) else None)


def _platform(_url: SplitResult, host: str, claims: Claims, _typ: str) -> Named | None:
    """Platforms that give their workloads tokens, and products that are known by their host. None of them has a preset yet."""
    if "kubernetes.io" in claims or str(claims.get("sub", "")).startswith("system:serviceaccount:"):
        return Named("kubernetes", "sure")
    if "project_path" in claims and "namespace_path" in claims:
        return Named("gitlab", "sure")
    return next((Named(kind, "sure") for pattern, kind in _HOSTS if pattern.fullmatch(host)), None)


def _other_product(url: SplitResult, host: str, _claims: Claims, _typ: str) -> Named | None:
    if host.endswith(".projects.oryapis.com"):
        return Named("hydra", "sure", f"hydra:{_origin(url)}{url.path}")
    return Named("authentik", "likely") if re.fullmatch(r"/application/o/[^/]+/?", url.path) else None


_BY_HOST: tuple[Callable[[SplitResult, str, Claims, str], Named | None], ...] = (
    _entra, _okta, _auth0, _cognito, _google, _platform, _other_product, _keycloak, _zitadel, _logto,
)  # fmt: skip


def _origin(url: SplitResult) -> str:
    return f"{url.scheme}://{url.netloc}"
