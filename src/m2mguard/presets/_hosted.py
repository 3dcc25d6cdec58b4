"""Presets for issuers that only their vendor runs. Each docstring says what differs from RFC 9068, and why that is still safe.

Pure settings, after the vendors' public documentation. What a token must hold is said here; how that is checked, in `token.claims`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal

from m2mguard._token.token_profile import RFC9068_CLAIMS, Claims
from m2mguard._validation import one_or_more
from m2mguard.errors import ConfigurationError
from m2mguard.issuer import Issuer

_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_USER_POOL = re.compile(r"([a-z]+(?:-[a-z]+)+-\d)_[A-Za-z0-9]+")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_GOOGLE_ID = re.compile(r"\d{1,32}")
_WITHOUT_CLIENT_ID = frozenset(("iss", "aud", "exp", "iat", "sub"))


def auth0(domain: str, *, profile: Literal["auth0", "rfc9068"] = "auth0") -> Issuer:
    """An Auth0 tenant.

    With the Auth0 profile, which is what an Auth0 API issues unless told otherwise: `typ` is `JWT`; the App ID is `azp`; a token
    is a machine's where `gty` is `client-credentials` and `sub` is the App ID and "@clients"; scopes are in `scope`, and in the
    list `permissions` where the API adds it; RS256 or PS256. Relaxed: `typ`, `client_id` and `jti`. An ID token has `typ` `JWT`,
    too: it is kept out since it has no `azp`, since its audience is an application, and since Auth0 does not let customers set `gty`.

    With the RFC 9068 profile nothing is relaxed but that `sub` is not the App ID, `client_id`, alone. Choose it if you can.

    Args:
        domain: the tenant's domain or custom domain, "tenant.eu.auth0.com".
        profile: the access token profile that is set for the API at Auth0.

    Raises:
        ConfigurationError: an invalid value.
    """
    url = f"https://{_host('domain', domain)}/"
    algorithms = ("RS256", "PS256")
    if profile == "rfc9068":
        return Issuer(url=url, algorithms=algorithms, app_id_claim="client_id", is_machine=_is_auth0_client)
    if profile != "auth0":
        raise ConfigurationError('profile must be "auth0" or "rfc9068", as set for the API at Auth0.')
    return Issuer(
        url=url,
        algorithms=algorithms,
        token_types=("JWT",),
        required_claims=_WITHOUT_CLIENT_ID | {"azp"},
        app_id_claim="azp",
        is_machine=_is_auth0_machine,
        scope_lists=("permissions",),
    )


def entra(tenant_id: str, *, version: Literal[1, 2] = 2) -> Issuer:
    """A tenant of Microsoft Entra ID (Azure AD), in Microsoft's global cloud.

    `typ` is `JWT`; the App ID is `azp` (v1.0: `appid`); a token is a machine's where `idtyp` is `app`, an optional claim that must
    be added to the API's registration, since without it every token is refused; app roles are in the list `roles`; RS256. The audience
    is the API's client id, a GUID (v1.0: often its App ID URI). Relaxed: `typ`, `client_id` and `jti` (`uti` replaces it). An ID
    token has `typ` `JWT`, too, and for an API that people sign in to even the same audience: it has neither `azp` nor `appid`,
    and cannot have `idtyp`.

    Args:
        tenant_id: the tenant's GUID. There is no "common": any tenant in the world would be let in.
        version: of the access tokens, as `requestedAccessTokenVersion` in the API's manifest says (null there is 1).

    Raises:
        ConfigurationError: an invalid value.
    """
    if not isinstance(tenant_id, str) or not _GUID.fullmatch(tenant_id):
        raise ConfigurationError(
            "tenant_id must be the tenant's GUID in lower case; 'common' and names are not accepted."
        )
    login = f"https://login.microsoftonline.com/{tenant_id}"
    if version not in (1, 2) or isinstance(version, bool):
        raise ConfigurationError("version must be 1 or 2, as requestedAccessTokenVersion in the API's manifest.")
    app_id = "azp" if version == 2 else "appid"
    return Issuer(
        url=f"{login}/v2.0" if version == 2 else f"https://sts.windows.net/{tenant_id}/",
        jwks_uri=f"{login}/discovery/v2.0/keys" if version == 2 else f"{login}/discovery/keys",
        algorithms=("RS256",),
        token_types=("JWT",),
        required_claims=_WITHOUT_CLIENT_ID | {app_id},
        app_id_claim=app_id,
        is_machine=_is_entra_app,
        scope_lists=("roles",),
    )


def okta(domain: str, *, authorization_server: str = "default") -> Issuer:
    """A custom authorization server of an Okta organization; the organization's own issues tokens that only Okta may read.

    There is no `typ`; the App ID is `cid`; a token is a machine's where `sub` is `cid` and there is no `uid`; scopes are in the
    list `scp`; RS256. Relaxed: `typ` and `client_id`. An ID token has no `typ` either: it has neither `cid` nor `scp`, and its
    audience is an application.

    Args:
        domain: the organization's domain or custom domain, "example.okta.com".
        authorization_server: its id, default "default".

    Raises:
        ConfigurationError: an invalid value.
    """
    if not isinstance(authorization_server, str) or not _NAME.fullmatch(authorization_server):
        raise ConfigurationError(
            "authorization_server must be the id of a custom authorization server, as in its issuer URI."
        )
    return Issuer(
        url=f"https://{_host('domain', domain)}/oauth2/{authorization_server}",
        algorithms=("RS256",),
        token_types=(None, "at+jwt"),
        required_claims=_WITHOUT_CLIENT_ID | {"jti", "cid", "scp"},
        app_id_claim="cid",
        is_machine=_is_okta_service,
        scope_lists=("scp",),
    )


def cognito(user_pool_id: str) -> Issuer:
    """A user pool of Amazon Cognito.

    There is no `typ`; the App ID is `sub`, which is `client_id` for a machine and else a person's; scopes are in `scope`; RS256.
    Relaxed: `typ` and `aud`. A machine's token has no `aud`: the audience is the identifier of a resource server, which Cognito puts
    in front of each of its scopes ("https://shopping.api/read:orders"). A token is for this API if one of its scopes begins
    so, and a route names the whole scope. An ID token has no `typ` either: its `token_use` is not `access`.

    Args:
        user_pool_id: "eu-central-1_AbCdEfGhI".

    Raises:
        ConfigurationError: an invalid value.
    """
    pool = _USER_POOL.fullmatch(user_pool_id) if isinstance(user_pool_id, str) else None
    if pool is None:
        raise ConfigurationError("user_pool_id must be the id of a user pool, such as eu-central-1_AbCdEfGhI.")
    suffix = ".cn" if pool[1].startswith("cn-") else ""
    return Issuer(
        url=f"https://cognito-idp.{pool[1]}.amazonaws.com{suffix}/{user_pool_id}",
        algorithms=("RS256",),
        token_types=(None, "at+jwt"),
        required_claims=RFC9068_CLAIMS - {"aud"},
        claim_values={"token_use": ["access"]},
        audience_in_scope=True,
    )


def google_service_accounts(unique_ids: Collection[str]) -> Issuer:
    """Service accounts of Google Cloud, by the ID tokens that Google signs for them. Google's access tokens are no JWTs.

    `typ` is `JWT`; the App ID is `sub`, the account's unique id, which is never given away again; a token is a machine's where `azp`
    is that id or the account's `email`; there are no scopes, so a route asks for `app_ids`; RS256. Relaxed: `typ`, `client_id` and
    `jti`. These are ID tokens, and anyone with a service account anywhere gets one for any audience. Hence the accounts
    are listed here, and no other is let in; a person's token has another `sub`, and in `azp` an application. The audience must be
    your API's own URL and never an OAuth client id.

    Args:
        unique_ids: the unique ids (numbers, as strings) of the service accounts that may call. Not their e-mail addresses.

    Raises:
        ConfigurationError: an invalid value.
    """
    accounts = one_or_more("unique_ids", unique_ids, what="unique ids of service accounts")
    if not all(_GOOGLE_ID.fullmatch(account) for account in accounts):
        raise ConfigurationError(
            "unique_ids must hold the numeric ids of service accounts, not their e-mail addresses."
        )
    return Issuer(
        url="https://accounts.google.com",
        jwks_uri="https://www.googleapis.com/oauth2/v3/certs",
        algorithms=("RS256",),
        token_types=("JWT",),
        required_claims=_WITHOUT_CLIENT_ID | {"azp"},
        claim_values={"sub": accounts},
        is_machine=_is_service_account,
    )


def _host(setting: str, value: object) -> str:
    if not isinstance(value, str) or not _HOST.fullmatch(value):
        raise ConfigurationError(
            f"{setting} must be a plain host name in lower case, without https:// and without a path."
        )
    return value


def _is_auth0_client(claims: Claims) -> bool:
    return claims["sub"] == f"{claims['client_id']}@clients"


def _is_auth0_machine(claims: Claims) -> bool:
    return claims.get("gty") == "client-credentials" and claims["sub"] == f"{claims['azp']}@clients"


def _is_entra_app(claims: Claims) -> bool:
    return claims.get("idtyp") == "app"


def _is_okta_service(claims: Claims) -> bool:
    return claims["sub"] == claims["cid"] and "uid" not in claims


def _is_service_account(claims: Claims) -> bool:
    return claims["azp"] in (claims["sub"], claims.get("email"))
