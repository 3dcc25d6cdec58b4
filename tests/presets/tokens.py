"""Tokens from the public documentation of each issuer: of a machine, of a person, and an ID token of the same issuer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from m2mguard import Issuer
from m2mguard.presets import auth0, cognito, entra, google_service_accounts, hydra, keycloak, okta, zitadel

NOW = 1_800_000_000
API = "https://shopping.api"
TIMES = {"iat": NOW - 10, "exp": NOW + 3600}
JWT = {"typ": "JWT"}
NO_TYP: Mapping[str, str] = {}
Claims = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One issuer with its tokens. `person` and `id_token` replace the claims of `machine` completely."""

    issuer: Issuer
    machine: Claims
    app_id: str
    scopes: frozenset[str]
    person: Claims
    id_token: Claims
    audience: str = API
    header: Mapping[str, str] = field(default_factory=lambda: JWT)
    person_is_refused_with: tuple[int, str] = (403, "not_a_machine")
    id_token_is_refused_with: tuple[int, str] = (401, "claim")


def _auth0() -> Case:
    common = {"iss": "https://tenant.eu.auth0.com/", **TIMES}
    return Case(
        issuer=auth0("tenant.eu.auth0.com"),
        machine={
            **common,
            "sub": "K1AUPhZq8mRi0Q0p@clients",
            "aud": API,
            "azp": "K1AUPhZq8mRi0Q0p",
            "scope": "read:orders",
            "gty": "client-credentials",
            "permissions": ["read:orders", "write:orders"],
        },
        app_id="K1AUPhZq8mRi0Q0p",
        scopes=frozenset(("read:orders", "write:orders")),
        person={
            **common,
            "sub": "auth0|6553da60a54af58e29493993",
            "aud": [API, "https://tenant.eu.auth0.com/userinfo"],
            "azp": "K1AUPhZq8mRi0Q0p",
            "scope": "openid profile read:orders",
        },
        id_token={**common, "sub": "auth0|6553da60a54af58e29493993", "aud": API, "name": "Jane Doe", "sid": "s", "nonce": "n"},
    )  # fmt: skip


def _auth0_rfc9068() -> Case:
    common = {"iss": "https://tenant.eu.auth0.com/", **TIMES}
    access = {
        **common,
        "aud": API,
        "client_id": "K1AUPhZq8mRi0Q0p",
        "jti": "73WakrfVbNJBaAmhQtEeDv",
        "scope": "read:orders",
    }
    return Case(
        issuer=auth0("tenant.eu.auth0.com", profile="rfc9068"),
        header={"typ": "at+jwt"},
        machine={**access, "sub": "K1AUPhZq8mRi0Q0p@clients"},
        app_id="K1AUPhZq8mRi0Q0p",
        scopes=frozenset(("read:orders",)),
        person={**access, "sub": "auth0|6553da60a54af58e29493993"},
        id_token={**common, "sub": "auth0|6553da60a54af58e29493993", "aud": API, "sid": "s", "nonce": "n"},
    )  # fmt: skip


TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
ENTRA_API = "00001111-aaaa-2222-bbbb-3333cccc4444"
ENTRA_APP = "11112222-bbbb-3333-cccc-4444dddd5555"
SERVICE_PRINCIPAL = "22223333-cccc-4444-dddd-5555eeee6666"


def _entra() -> Case:
    common = {
        "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
        "aud": ENTRA_API,
        "tid": TENANT,
        "ver": "2.0",
        **TIMES,
    }
    common |= {"nbf": NOW - 10, "uti": "q0vF8AHc8EqQ3Vy4A2QcAA", "rh": "0.AX"}
    person = {"oid": "33334444-dddd-5555-eeee-6666ffff7777", "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ"}
    return Case(
        issuer=entra(TENANT),
        audience=ENTRA_API,
        machine={
            **common,
            "azp": ENTRA_APP,
            "azpacr": "1",
            "idtyp": "app",
            "oid": SERVICE_PRINCIPAL,
            "sub": SERVICE_PRINCIPAL,
            "roles": ["Orders.Read.All"],
        },
        app_id=ENTRA_APP,
        scopes=frozenset(("Orders.Read.All",)),
        person={**common, **person, "azp": ENTRA_APP, "azpacr": "1", "scp": "Orders.Read", "roles": ["Orders.Read.All"]},
        id_token={**common, **person, "name": "Jane Doe", "preferred_username": "jane@example.com", "roles": ["Orders.Read.All"]},
    )  # fmt: skip


def _entra_v1() -> Case:
    common = {
        "iss": f"https://sts.windows.net/{TENANT}/",
        "aud": f"api://{ENTRA_API}",
        "tid": TENANT,
        "ver": "1.0",
        **TIMES,
    }
    person = {"oid": "33334444-dddd-5555-eeee-6666ffff7777", "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ"}
    return Case(
        issuer=entra(TENANT, version=1),
        audience=f"api://{ENTRA_API}",
        machine={
            **common,
            "appid": ENTRA_APP,
            "appidacr": "1",
            "idtyp": "app",
            "oid": SERVICE_PRINCIPAL,
            "sub": SERVICE_PRINCIPAL,
            "roles": ["Orders.Read.All"],
        },
        app_id=ENTRA_APP,
        scopes=frozenset(("Orders.Read.All",)),
        person={**common, **person, "appid": ENTRA_APP, "scp": "Orders.Read", "unique_name": "jane@example.com"},
        id_token={**common, **person, "unique_name": "jane@example.com"},
    )  # fmt: skip


def _okta() -> Case:
    common = {"ver": 1, "iss": "https://example.okta.com/oauth2/default", **TIMES}
    return Case(
        issuer=okta("example.okta.com"),
        header=NO_TYP,
        machine={
            **common,
            "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
            "aud": API,
            "cid": "0oa1nunpo1K0Ua8s70g4",
            "scp": ["read:orders"],
            "sub": "0oa1nunpo1K0Ua8s70g4",
        },
        app_id="0oa1nunpo1K0Ua8s70g4",
        scopes=frozenset(("read:orders",)),
        person={
            **common,
            "jti": "AT.MNAoEQ_jbKqoinrQo1D0XKjMX28U5d7ZszBceot7-Ts",
            "aud": API,
            "cid": "0oa1nunpo1K0Ua8s70g4",
            "uid": "00uk1u7AsAk6dZL3z0g3",
            "scp": ["openid", "read:orders"],
            "sub": "jane@example.com",
        },
        id_token={**common, "jti": "ID.radCQMOQUmyvcTBmmIL0J6BaS60apUEiC7-vI7pOmkw", "aud": API, "sub": "00uk1u7AsAk6dZL3z0g3",
                  "amr": ["pwd"], "at_hash": "fPlsvVszI29LU2UhDyJ9vg"},
    )  # fmt: skip


def _cognito() -> Case:
    common = {
        "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI",
        "auth_time": NOW - 10,
        **TIMES,
    }
    access = {**common, "token_use": "access", "client_id": "1example23456789", "version": 2,
              "jti": "aaaaaaaa-1111-2222-3333-bbbbbbbbbbbb"}  # fmt: skip
    return Case(
        issuer=cognito("eu-central-1_AbCdEfGhI"),
        header=NO_TYP,
        machine={**access, "sub": "1example23456789", "scope": f"{API}/read:orders https://billing.api/read"},
        app_id="1example23456789",
        scopes=frozenset((f"{API}/read:orders", "https://billing.api/read")),
        person={**access, "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "username": "jane", "scope": f"openid {API}/read:orders"},
        id_token={**common, "token_use": "id", "aud": API, "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "jti": "i",
                  "client_id": "real ID tokens have no such claim"},
    )  # fmt: skip


def _google() -> Case:
    account = {
        "email": "orders@project.iam.gserviceaccount.com",
        "email_verified": True,
        "sub": "104215798253567890123",
    }
    return Case(
        issuer=google_service_accounts(["104215798253567890123"]),
        machine={"iss": "https://accounts.google.com", "aud": API, "azp": account["sub"], **account, **TIMES},
        app_id="104215798253567890123",
        scopes=frozenset(),
        person={"iss": "https://accounts.google.com", "aud": API, "azp": "1234.apps.googleusercontent.com", **TIMES,
                "sub": "110169484474386276334", "email": "jane@example.com", "email_verified": True, "hd": "example.com"},
        person_is_refused_with=(401, "claim"),
        id_token={"iss": "https://accounts.google.com", "aud": "1234.apps.googleusercontent.com", **TIMES,
                  "azp": "1234.apps.googleusercontent.com", "sub": "104215798253567890123"},
        id_token_is_refused_with=(401, "audience"),
    )  # fmt: skip


def _keycloak() -> Case:
    common = {"iss": "https://sso.example.com/realms/shop", "aud": [API, "account"], "azp": "app-Orders", **TIMES}
    common |= {
        "jti": "trrtcc:20cda5b8-8b46-4046-976d-0a477d66e919",
        "sub": "1f4db6ad-5e75-479c-b289-b8096ec1f4f4",
        "acr": "1",
    }
    return Case(
        issuer=keycloak("https://sso.example.com", "shop"),
        machine={
            **common,
            "typ": "Bearer",
            "scope": "email profile read:orders",
            "client_id": "app-Orders",
            "clientHost": "192.0.2.1",
            "clientAddress": "192.0.2.1",
            "preferred_username": "service-account-app-orders",
            "realm_access": {"roles": ["offline_access", "default-roles-shop"]},
            "email_verified": False,
        },
        app_id="app-Orders",
        scopes=frozenset(("email", "profile", "read:orders")),
        person={**common, "typ": "Bearer", "scope": "openid profile read:orders", "sid": "s", "preferred_username": "jane"},
        id_token={**common, "typ": "ID", "sid": "s", "at_hash": "fPlsvVszI29LU2UhDyJ9vg", "preferred_username": "jane"},
    )  # fmt: skip


def _zitadel() -> Case:
    project = "231402830936789415"
    common = {"iss": "https://example.zitadel.cloud", **TIMES}
    return Case(
        issuer=zitadel("https://example.zitadel.cloud", service_users=["284356339122085070"]),
        audience=project,
        machine={
            **common,
            "aud": [project],
            "sub": "284356339122085070",
            "nbf": NOW - 10,
            "jti": "V2_284372262897903968-at_284372262897969504",
            "urn:zitadel:iam:org:project:roles": {"reader": {"165461784851365888": "example.zitadel.cloud"}},
        },
        app_id="284356339122085070",
        scopes=frozenset(),
        person={**common, "aud": ["252856053933356542@shop", project], "sub": "163840776835432705", "nbf": NOW - 10,
                "jti": "V2_2-at_3", "client_id": "252856053933356542@shop"},
        id_token={**common, "aud": ["252856053933356542@shop", project], "sub": "284356339122085070",
                  "azp": "252856053933356542@shop", "amr": ["pwd"], "at_hash": "fPlsvVszI29LU2UhDyJ9vg"},
    )  # fmt: skip


def _hydra() -> Case:
    common = {"iss": "https://hydra.example.com/", "jti": "7f3a6d7a-5b8e-4b8c-9f0e-3c9d0a1b2c3d", **TIMES}
    access = {**common, "aud": [API], "client_id": "app-orders", "ext": {}, "nbf": NOW - 10, "scp": ["read:orders"]}
    return Case(
        issuer=hydra("https://hydra.example.com/"),
        machine={**access, "sub": "app-orders"},
        app_id="app-orders",
        scopes=frozenset(("read:orders",)),
        person={**access, "sub": "jane@example.com"},
        id_token={**common, "aud": [API], "sub": "jane@example.com", "rat": NOW - 20, "auth_time": NOW - 20, "sid": "s",
                  "at_hash": "fPlsvVszI29LU2UhDyJ9vg"},
    )  # fmt: skip


CASES = {
    "auth0": _auth0(),
    "auth0-rfc9068": _auth0_rfc9068(),
    "entra": _entra(),
    "entra-v1": _entra_v1(),
    "okta": _okta(),
    "cognito": _cognito(),
    "google": _google(),
    "keycloak": _keycloak(),
    "zitadel": _zitadel(),
    "hydra": _hydra(),
}
