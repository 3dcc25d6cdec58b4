"""Realistic tokens of each issuer, signed with real keys: what an application, a person and an ID token get there.

One function for each kind of token: `entra_v2(key, aud=..., **claims) -> str`. A claim that is given replaces the usual one; `REMOVED`
takes it out. Times are `NOW` of `tests.presets.tokens`. Claims follow each vendor's public documentation.
"""

from collections.abc import Mapping
from typing import Any

from m2mguard.testing import REMOVED, SigningKey
from tests.presets.tokens import API, ENTRA_API, ENTRA_APP, NOW, SERVICE_PRINCIPAL, TENANT

TIMES: dict[str, object] = {"iat": NOW - 10, "exp": NOW + 3600}
APP = "cimy6xa2xuw3nm6kn7vnt"
"""A Logto App ID."""
PERSON = "xdr5mkynd2gp"
GITHUB = "https://token.actions.githubusercontent.com"


def minted(key: SigningKey, usual: Mapping[str, object], claims: Mapping[str, object], typ: str | None = "JWT") -> str:
    header = {"alg": key.algorithm, "kid": key.kid} | ({} if typ is None else {"typ": typ})
    return key.sign_compact(
        header, {name: value for name, value in {**usual, **claims}.items() if value is not REMOVED}
    )


# Logto


def logto_app(key: SigningKey, iss: str = "https://tenant.logto.app/oidc", **claims: Any) -> str:
    usual = {"jti": "j-1", "sub": APP, **TIMES, "client_id": APP, "iss": iss, "aud": API, "scope": "read:orders"}
    return minted(key, usual, claims, "at+jwt")


def logto_person(key: SigningKey, **claims: Any) -> str:
    return logto_app(key, **{"sub": PERSON, "acr": "1", "auth_time": NOW - 20, **claims})


def logto_id(key: SigningKey, iss: str = "https://tenant.logto.app/oidc", **claims: Any) -> str:
    usual = {"sub": PERSON, "name": "Jane", "at_hash": "fPlsvVszI29LU2UhDyJ9vg", "aud": APP, **TIMES, "iss": iss}
    return minted(key, usual, claims, None)


# Microsoft Entra ID


def entra_v2(key: SigningKey, aud: str = ENTRA_API, tenant: str = TENANT, **claims: Any) -> str:
    usual = {
        "aud": aud, "iss": f"https://login.microsoftonline.com/{tenant}/v2.0", **TIMES, "nbf": NOW - 10, "aio": "ASQA2/8",
        "azp": ENTRA_APP, "azpacr": "1", "oid": SERVICE_PRINCIPAL, "rh": "0.AS", "roles": ["Orders.Read.All"],
        "sub": SERVICE_PRINCIPAL, "tid": tenant, "uti": "u", "ver": "2.0",
    }  # fmt: skip
    return minted(key, usual, claims)


def entra_v2_person(key: SigningKey, **claims: Any) -> str:
    person = {
        "name": "Jane",
        "preferred_username": "jane@example.com",
        "scp": "Orders.Read",
        "sub": "AAAAAIkzqFVrSaSaFHy",
    }
    return entra_v2(key, **{**person, "roles": REMOVED, **claims})


def entra_v2_id(key: SigningKey, **claims: Any) -> str:
    person = {"name": "Jane", "preferred_username": "jane@example.com", "nonce": "n", "sub": "AAAAAIkzqFVrSaSaFHy"}
    return entra_v2(key, **{**person, "azp": REMOVED, "azpacr": REMOVED, "roles": REMOVED, "aud": ENTRA_APP, **claims})


def entra_v1(key: SigningKey, aud: str = f"api://{ENTRA_API}", **claims: Any) -> str:
    usual = {
        "aud": aud, "iss": f"https://sts.windows.net/{TENANT}/", **TIMES, "nbf": NOW - 10, "aio": "E2Zg", "appid": ENTRA_APP,
        "appidacr": "1", "idp": f"https://sts.windows.net/{TENANT}/", "oid": SERVICE_PRINCIPAL, "roles": ["Orders.Read.All"],
        "sub": SERVICE_PRINCIPAL, "tid": TENANT, "uti": "u", "ver": "1.0",
    }  # fmt: skip
    return minted(key, usual, claims)


def entra_v1_person(key: SigningKey, **claims: Any) -> str:
    person = {"scp": "Orders.Read", "unique_name": "jane@example.com", "upn": "jane@example.com", "amr": ["pwd"]}
    return entra_v1(key, **{**person, "roles": REMOVED, **claims})


# Okta


def okta_app(key: SigningKey, iss: str = "https://example.okta.com/oauth2/default", **claims: Any) -> str:
    cid = "0oa1nunpo1K0Ua8s70g4"
    usual = {
        "ver": 1,
        "jti": "AT.0mP4",
        "iss": iss,
        "aud": API,
        **TIMES,
        "cid": cid,
        "scp": ["read:orders"],
        "sub": cid,
    }
    return minted(key, usual, claims, None)


def okta_person(key: SigningKey, **claims: Any) -> str:
    person = {
        "uid": "00uk1u7AsAk6dZL3z0g3",
        "sub": "jane@example.com",
        "scp": ["openid", "read:orders"],
        "auth_time": NOW,
    }
    return okta_app(key, **{**person, **claims})


def okta_id(key: SigningKey, iss: str = "https://example.okta.com/oauth2/default", **claims: Any) -> str:
    usual = {
        "sub": "00uk1u7AsAk6dZL3z0g3", "ver": 1, "iss": iss, "aud": "0oa1nunpo1K0Ua8s70g4", **TIMES, "jti": "ID.radC",
        "amr": ["pwd"], "idp": "00o1nunpo", "auth_time": NOW, "at_hash": "fPlsvVszI29LU2UhDyJ9vg",
    }  # fmt: skip
    return minted(key, usual, claims, None)


# Auth0


def auth0_app(key: SigningKey, iss: str = "https://tenant.eu.auth0.com/", **claims: Any) -> str:
    azp = "K1AUPhZq8mRi0Q0pXyz4nTgd2sLw7vBe"
    usual = {"iss": iss, "sub": f"{azp}@clients", "aud": API, **TIMES, "azp": azp, "gty": "client-credentials"}
    return minted(key, usual, claims)


def auth0_app_rfc9068(key: SigningKey, iss: str = "https://tenant.eu.auth0.com/", **claims: Any) -> str:
    app = "K1AUPhZq8mRi0Q0pXyz4nTgd2sLw7vBe"
    usual = {
        "iss": iss,
        "sub": f"{app}@clients",
        "aud": API,
        **TIMES,
        "client_id": app,
        "jti": "73Wa",
        "scope": "read:orders",
    }
    return minted(key, usual, claims, "at+jwt")


def auth0_person(key: SigningKey, **claims: Any) -> str:
    person = {
        "sub": "auth0|6553da60a54af58e29493993",
        "aud": [API, "https://tenant.eu.auth0.com/userinfo"],
        "gty": REMOVED,
    }
    return auth0_app(key, **{**person, "scope": "openid profile read:orders", **claims})


def auth0_id(key: SigningKey, iss: str = "https://tenant.eu.auth0.com/", **claims: Any) -> str:
    usual = {
        "nickname": "jane", "name": "Jane", "email": "jane@example.com", "iss": iss, "sub": "auth0|6553da60a54af58e29493993",
        "aud": "K1AUPhZq8mRi0Q0pXyz4nTgd2sLw7vBe", **TIMES, "sid": "s", "nonce": "n",
    }  # fmt: skip
    return minted(key, usual, claims)


# Amazon Cognito


def cognito_app(key: SigningKey, pool: str = "eu-central-1_AbCdEfGhI", **claims: Any) -> str:
    region = pool.partition("_")[0]
    usual = {
        "sub": "1example23456789", "token_use": "access", "scope": f"{API}/read:orders", "auth_time": NOW - 10,
        "iss": f"https://cognito-idp.{region}.amazonaws.com/{pool}", **TIMES, "version": 2, "jti": "j",
        "client_id": "1example23456789",
    }  # fmt: skip
    return minted(key, usual, claims, None)


def cognito_person(key: SigningKey, **claims: Any) -> str:
    return cognito_app(key, **{"sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "username": "jane", **claims})


def cognito_id(key: SigningKey, **claims: Any) -> str:
    person = {
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "token_use": "id",
        "aud": "1example23456789",
        "cognito:username": "j",
    }
    return cognito_app(key, **{**person, "client_id": REMOVED, "scope": REMOVED, **claims})


# Keycloak


def keycloak_app(key: SigningKey, iss: str = "https://sso.example.com/realms/shop", **claims: Any) -> str:
    usual = {
        **TIMES, "jti": "trrtcc:20cda5b8", "iss": iss, "aud": [API, "account"], "sub": "1f4db6ad-5e75-479c-b289-b8096ec1f4f4",
        "typ": "Bearer", "azp": "orders", "acr": "1", "scope": "email profile read:orders", "clientHost": "192.0.2.1",
        "preferred_username": "service-account-orders", "clientAddress": "192.0.2.1", "client_id": "orders",
        "realm_access": {"roles": ["offline_access"]}, "email_verified": False,
    }  # fmt: skip
    return minted(key, usual, claims)


def keycloak_person(key: SigningKey, **claims: Any) -> str:
    gone = {"client_id": REMOVED, "clientHost": REMOVED, "clientAddress": REMOVED}
    return keycloak_app(key, **{"preferred_username": "jane", "sid": "s", "scope": "openid profile", **gone, **claims})


def keycloak_id(key: SigningKey, **claims: Any) -> str:
    gone = {"scope": REMOVED, "realm_access": REMOVED}
    return keycloak_person(key, **{"typ": "ID", "aud": "orders", "at_hash": "fPls", **gone, **claims})


def keycloak_refresh(key: SigningKey, **claims: Any) -> str:
    return keycloak_person(
        key, **{"typ": "Refresh", "aud": "https://sso.example.com/realms/shop", "realm_access": REMOVED, **claims}
    )


# Zitadel and Ory Hydra


def zitadel_app(key: SigningKey, iss: str = "https://example.zitadel.cloud", **claims: Any) -> str:
    usual = {
        "iss": iss, "sub": "284356339122085070", "aud": ["231402830936789415"], **TIMES, "nbf": NOW - 10, "jti": "V2_2-at_3",
        "urn:zitadel:iam:org:project:roles": {"reader": {"165461784851365888": "example.zitadel.cloud"}},
    }  # fmt: skip
    return minted(key, usual, claims)


def zitadel_id(key: SigningKey, **claims: Any) -> str:
    person = {"aud": ["252856053933356542@shop"], "azp": "252856053933356542@shop", "amr": ["pwd"], "at_hash": "fPls"}
    return zitadel_app(key, **{**person, "nbf": REMOVED, "jti": REMOVED, **claims})


def hydra_app(key: SigningKey, iss: str = "https://slug.projects.oryapis.com", **claims: Any) -> str:
    usual = {
        "aud": [API], "client_id": "app-orders", **TIMES, "ext": {}, "iss": iss, "jti": "7f3a", "nbf": NOW, "scp": ["read:orders"],
        "sub": "app-orders",
    }  # fmt: skip
    return minted(key, usual, claims)


def hydra_id(key: SigningKey, iss: str = "https://slug.projects.oryapis.com", **claims: Any) -> str:
    usual = {
        "aud": ["app-orders"],
        "iss": iss,
        **TIMES,
        "sub": "jane@example.com",
        "at_hash": "fPls",
        "auth_time": NOW,
        "rat": NOW,
    }
    return minted(key, usual, claims)


# Platforms


def google_app(key: SigningKey, **claims: Any) -> str:
    sub = "104215798253567890123"
    email = "orders@project.iam.gserviceaccount.com"
    usual = {
        "aud": API,
        "azp": sub,
        "email": email,
        "email_verified": True,
        "iss": "https://accounts.google.com",
        "sub": sub,
    }
    return minted(key, usual | TIMES, claims)


def google_id(key: SigningKey, **claims: Any) -> str:
    client = "1234-a.apps.googleusercontent.com"
    usual = {
        "aud": client,
        "azp": client,
        "iss": "https://accounts.google.com",
        "sub": "110169484474386276334",
        "email": "j@e.com",
    }
    return minted(key, usual | TIMES, claims)


def kubernetes(key: SigningKey, iss: str = "https://kubernetes.default.svc.cluster.local", **claims: Any) -> str:
    account = {"name": "orders", "uid": "u"}
    usual = {
        "aud": [API], **TIMES, "iss": iss, "jti": "j", "nbf": NOW, "sub": "system:serviceaccount:shop:orders",
        "kubernetes.io": {"namespace": "shop", "serviceaccount": account},
    }  # fmt: skip
    return minted(key, usual, claims, None)


def github_actions(key: SigningKey, **claims: Any) -> str:
    usual = {
        "jti": "j", "sub": "repo:example@1/shop@2:ref:refs/heads/main", "aud": API, "iss": GITHUB, **TIMES, "nbf": NOW,
        "repository": "example/shop", "repository_id": "2", "workflow_ref": "w", "event_name": "push",
    }  # fmt: skip
    return minted(key, usual, claims)


def gitlab(key: SigningKey, iss: str = "https://gitlab.example.com", **claims: Any) -> str:
    sub = "project_path:shop/orders:ref_type:branch:ref:main"
    usual = {
        "iss": iss,
        "sub": sub,
        "aud": API,
        **TIMES,
        "project_path": "shop/orders",
        "namespace_path": "shop",
        "pipeline_id": "1",
    }
    return minted(key, usual, claims)


def aws_outbound(key: SigningKey, **claims: Any) -> str:
    iss = "https://aaaabbbb-0000-cccc-1111-dddd2222eeee.tokens.sts.global.api.aws"
    usual = {"iss": iss, "aud": API, "sub": "arn:aws:iam::123456789012:role/orders", **TIMES, "jti": "j"}
    return minted(key, usual | {"https://sts.amazonaws.com/": {"aws_account": "123456789012"}}, claims)


def firebase(key: SigningKey, **claims: Any) -> str:
    usual = {"iss": "https://securetoken.google.com/shop-1", "aud": "shop-1", "sub": "u", **TIMES, "auth_time": NOW}
    return minted(key, usual | {"user_id": "u", "firebase": {"identities": {}, "sign_in_provider": "password"}}, claims)


def supabase(key: SigningKey, **claims: Any) -> str:
    usual = {
        "iss": "https://abcdefgh.supabase.co/auth/v1",
        "aud": "authenticated",
        "sub": "u",
        **TIMES,
        "role": "authenticated",
    }
    return minted(key, usual | {"session_id": "s", "aal": "aal1"}, claims)


def clerk(key: SigningKey, **claims: Any) -> str:
    usual = {
        "iss": "https://clean-cat-1.clerk.accounts.dev",
        "azp": "https://shop.example",
        "sub": "user_2",
        **TIMES,
        "sid": "sess_2",
    }
    return minted(key, usual | {"nbf": NOW, "v": 2}, claims)


def duende(key: SigningKey, iss: str = "https://id.example.com", **claims: Any) -> str:
    usual = {"iss": iss, "nbf": NOW, **TIMES, "aud": API, "scope": ["read:orders"], "client_id": "orders", "jti": "J"}
    return minted(key, usual, claims, "at+jwt")


def authentik(key: SigningKey, iss: str = "https://auth.example.com/application/o/shop/", **claims: Any) -> str:
    usual = {"iss": iss, "sub": "5f3c", "aud": "client", **TIMES, "azp": "client", "uid": "u", "scope": "openid"}
    return minted(key, usual, claims)
