"""Whose token it is and of which kind, for tokens as each issuer writes them, and for what only looks like one of theirs."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2mguard._cli.recognition import recognise_token
from m2mguard._token.base64url import base64url_decode
from m2mguard.presets._named import issuer_named
from m2mguard.testing import REMOVED, SigningKey
from tests.cli import issuer_tokens as tokens
from tests.presets.tokens import TENANT

KEY = SigningKey.generate("ES256", kid="key-1")
POOL = "eu-central-1_AbCdEfGhI"


def recognised(token: str):
    header, claims, _ = token.split(".")
    return recognise_token(json.loads(base64url_decode(header)), json.loads(base64url_decode(claims)))


def row(build, kind, token_kind, confidence="sure", preset=None, **claims):
    name = "-".join((build.__name__, *(f"{name}={value}" for name, value in claims.items())))
    return pytest.param(build, kind, token_kind, confidence, preset, claims, id=name[:90])


LOGTO = "logto:https://tenant.logto.app"
V2 = f"entra:{TENANT}"
OKTA = "okta:example.okta.com,default"
AUTH0 = "auth0:tenant.eu.auth0.com"
SHOP = "keycloak:https://sso.example.com,shop"
ZITADEL = "zitadel:https://example.zitadel.cloud,284356339122085070"
ORY = "hydra:https://slug.projects.oryapis.com"
GOOGLE = "google_service_accounts:104215798253567890123"
ROWS = [
    row(tokens.logto_app, "logto", "app_access", preset=LOGTO),
    row(tokens.logto_app, "logto", "app_access", preset=LOGTO, aud="urn:logto:organization:o1", scope=""),
    row(tokens.logto_app, "logto", "app_access", preset=LOGTO, organization_id="o1"),
    row(tokens.logto_app, "logto", "app_access", "likely", "logto:https://auth.example.com", iss="https://auth.example.com/oidc"),
    row(tokens.logto_app, "logto", "app_access", "likely", "logto:http://127.0.0.1:3001", iss="http://127.0.0.1:3001/oidc"),
    row(tokens.logto_person, "logto", "person_access", preset=LOGTO),
    row(tokens.logto_person, "logto", "person_access", preset=LOGTO, sub=tokens.APP),
    row(tokens.logto_id, "logto", "id_token", preset=LOGTO),
    row(tokens.logto_id, "logto", "id_token", preset=LOGTO, at_hash=REMOVED, name=REMOVED),
    row(tokens.entra_v2, "entra", "app_access", preset=V2),
    row(tokens.entra_v2, "entra", "app_access", preset=V2, idtyp="app"),
    row(tokens.entra_v2, "entra", "app_access", preset=V2, roles=REMOVED),
    row(tokens.entra_v2, "entra", "app_access", preset=V2, azpacr=REMOVED, roles=REMOVED),
    row(tokens.entra_v2, "entra", "app_access", iss=f"https://login.microsoftonline.us/{TENANT}/v2.0"),
    row(tokens.entra_v2, "entra", "app_access", iss=f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0"),
    row(tokens.entra_v2_person, "entra", "person_access", preset=V2),
    row(tokens.entra_v2_person, "entra", "person_access", preset=V2, roles=["Admin"]),
    row(tokens.entra_v2_person, "entra", "person_access", preset=V2, scp=REMOVED, idtyp="user"),
    row(tokens.entra_v2_person, "entra", "person_access", preset=V2, scp=REMOVED, roles=["Admin"]),
    row(tokens.entra_v2, "entra", "person_access", preset=V2, roles=REMOVED, idtyp="user"),
    row(tokens.entra_v2_id, "entra", "id_token", preset=V2),
    row(tokens.entra_v2_id, "entra", "id_token", preset=V2, nonce=REMOVED),
    row(tokens.entra_v2_id, "entra", "id_token", preset=V2, roles=["Admin"]),
    row(tokens.entra_v2_id, "entra", "unknown", preset=V2, nonce=REMOVED, name=REMOVED, preferred_username=REMOVED),
    row(tokens.entra_v2_id, "entra", "unknown", preset=V2, nonce=REMOVED, name=REMOVED, preferred_username=REMOVED, roles=["Admin"]),
    row(tokens.entra_v2_id, "entra", "id_token", iss=f"https://shop.b2clogin.com/{TENANT}/v2.0/", tfp="B2C_1_signin"),
    row(tokens.entra_v1, "entra", "app_access", preset=f"{V2},1"),
    row(tokens.entra_v1_person, "entra", "person_access", preset=f"{V2},1"),
    row(tokens.okta_app, "okta", "app_access", preset=OKTA),
    row(tokens.okta_app, "okta", "app_access", "likely", "okta:id.example.com,aus9", iss="https://id.example.com/oauth2/aus9"),
    row(tokens.okta_app, "okta", "app_access", iss="https://example.okta.com"),
    row(tokens.okta_person, "okta", "person_access", preset=OKTA),
    row(tokens.okta_id, "okta", "id_token", preset=OKTA),
    row(tokens.okta_id, "okta", "id_token", iss="https://example.okta.com"),
    row(tokens.auth0_app, "auth0", "app_access", preset=AUTH0),
    row(tokens.auth0_app, "auth0", "app_access", "likely", "auth0:id.example.com", iss="https://id.example.com/"),
    row(tokens.auth0_app_rfc9068, "auth0", "app_access", preset=f"{AUTH0},rfc9068"),
    row(tokens.auth0_app_rfc9068, "auth0", "app_access", "likely", "auth0:id.example.com,rfc9068", iss="https://id.example.com/"),
    row(tokens.auth0_person, "auth0", "person_access", preset=AUTH0),
    row(tokens.auth0_person, "auth0", "person_access", preset=AUTH0, gty="password"),
    row(tokens.auth0_id, "auth0", "id_token", preset=AUTH0),
    row(tokens.cognito_app, "cognito", "app_access", preset=f"cognito:{POOL}"),
    row(tokens.cognito_person, "cognito", "person_access", preset=f"cognito:{POOL}"),
    row(tokens.cognito_id, "cognito", "id_token", preset=f"cognito:{POOL}"),
    row(tokens.keycloak_app, "keycloak", "app_access", preset=SHOP),
    row(tokens.keycloak_app, "keycloak", "app_access", preset=SHOP, client_id=REMOVED, clientId="orders"),
    row(tokens.keycloak_app, "keycloak", "app_access", preset="keycloak:https://sso.example.com/auth,shop", iss="https://sso.example.com/auth/realms/shop"),
    row(tokens.keycloak_person, "keycloak", "person_access", preset=SHOP),
    row(tokens.keycloak_person, "keycloak", "person_access", preset=SHOP, client_id="orders"),
    row(tokens.keycloak_person, "keycloak", "person_access", preset=SHOP, sid=REMOVED),
    row(tokens.keycloak_person, "keycloak", "person_access", preset=SHOP, preferred_username="service-account-else"),
    row(tokens.keycloak_app, "keycloak", "app_access", preset=SHOP, preferred_username=REMOVED),
    row(tokens.keycloak_person, "keycloak", "person_access", preset=SHOP, preferred_username=REMOVED),
    row(tokens.keycloak_id, "keycloak", "id_token", preset=SHOP),
    row(tokens.keycloak_refresh, "keycloak", "refresh", preset=SHOP),
    row(tokens.keycloak_refresh, "keycloak", "refresh", preset=SHOP, typ="Offline"),
    row(tokens.zitadel_app, "zitadel", "app_access", preset=ZITADEL),
    row(tokens.zitadel_app, "zitadel", "app_access", preset="zitadel:https://id.example.com,284356339122085070", iss="https://id.example.com"),
    row(tokens.zitadel_id, "zitadel", "id_token", preset=ZITADEL),
    row(tokens.hydra_app, "hydra", "app_access", preset=ORY),
    row(tokens.hydra_app, "hydra", "person_access", preset=ORY, sub="jane@example.com"),
    row(tokens.hydra_id, "hydra", "id_token", preset=ORY),
    row(tokens.google_app, "google", "app_access", preset=GOOGLE),
    row(tokens.google_app, "google", "app_access", preset=GOOGLE, email=REMOVED),
    row(tokens.google_app, "google", "app_access", preset=GOOGLE, azp="1234.apps.googleusercontent.com"),
    row(tokens.google_id, "google", "id_token"),
    row(tokens.google_id, "google", "id_token", email="jane@evilgserviceaccount.com"),
    row(tokens.kubernetes, "kubernetes", "workload"),
    row(tokens.kubernetes, "kubernetes", "workload", iss="https://container.googleapis.com/v1/projects/p/locations/l/clusters/c"),
    row(tokens.kubernetes, "kubernetes", "workload", iss="https://oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF"),
    row(tokens.github_actions, "github_actions", "workload"),
    row(tokens.gitlab, "gitlab", "workload"),
    row(tokens.aws_outbound, "aws", "workload"),
    row(tokens.firebase, "firebase", "id_token"),
    row(tokens.supabase, "supabase", "person_access"),
    row(tokens.clerk, "clerk", "person_access"),
    row(tokens.authentik, "authentik", "unknown", "likely"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "kind", "token_kind", "confidence", "preset", "claims"), ROWS)
def test_each_issuers_tokens_are_recognised(build, kind, token_kind, confidence, preset, claims):
    found = recognised(build(KEY, **claims))
    assert found is not None
    assert (found.issuer_kind, found.token_kind, found.confidence) == (kind, token_kind, confidence)
    assert found.preset == preset


@pytest.mark.parametrize("preset", sorted({entry.values[4] for entry in ROWS if entry.values[4] is not None}))
def test_a_preset_that_is_named_can_be_used(preset):
    assert issuer_named(preset).url


@pytest.mark.parametrize(
    ("build", "claims"),
    [
        (tokens.keycloak_app, {"iss": "https://sso.example.com/$(reboot)/realms/shop"}),
        (tokens.keycloak_app, {"iss": "https://sso.example.com/realms/shop;reboot"}),
        (tokens.keycloak_app, {"iss": "https://sso.example.com/realms/a,b"}),
        (tokens.keycloak_app, {"iss": "https://jane:secret@sso.example.com/realms/shop"}),
        (tokens.keycloak_app, {"iss": "https://sso.example.com/realms/shop\x1b[2J"}),
        (tokens.logto_app, {"iss": "https://`reboot`.logto.app/oidc"}),
        (tokens.logto_app, {"iss": "https://a'b.logto.app/oidc"}),
        (tokens.okta_app, {"iss": "https://a&b.okta.com/oauth2/default"}),
        (tokens.auth0_app, {"iss": "https://a|b.auth0.com/"}),
        (tokens.hydra_app, {"iss": "https://a.projects.oryapis.com/>x"}),
        (tokens.cognito_app, {"iss": "https://cognito-idp.eu-central-1.amazonaws.com/other/path"}),
        (tokens.google_app, {"sub": "1 || reboot", "azp": "1 || reboot"}),
        (tokens.zitadel_app, {"sub": "\u0661\u0662"}),
    ],
)
def test_no_preset_is_made_of_what_a_stranger_could_have_chosen(build, claims):
    """People paste it into a shell."""
    found = recognised(build(KEY, **claims))
    assert found is not None
    assert found.preset is None


@pytest.mark.parametrize(
    "iss",
    [
        "https://tenant.logto.app.attacker.example/other",
        "https://login.microsoftonline.com.attacker.example/x/v2.0",
        "https://attacker.example/login.microsoftonline.com",
        "https://okta.com.attacker.example",
        "https://notauth0.com/",
        "https://cognito-idp.eu-central-1.amazonaws.com.attacker.example/eu-central-1_AbCdEfGhI",
        "https://accounts.google.com.attacker.example",
        "https://token.actions.githubusercontent.com.attacker.example",
        "https://id.example.com",
        "not a url",
        "",
        "https://[broken",
    ],
)
def test_a_host_that_only_looks_like_theirs_is_not_recognised(iss):
    assert recognised(tokens.duende(KEY, iss=iss)) is None


@pytest.mark.parametrize("iss", [REMOVED, None, 7, ["https://tenant.logto.app/oidc"], {}])
def test_without_an_issuer_that_is_text_nothing_is_recognised(iss):
    assert recognised(tokens.duende(KEY, iss=iss)) is None


@pytest.mark.parametrize("iss", ["https://tenant.logto.app/oidc", "https://example.okta.com/oauth2/default"])
def test_the_issuer_alone_tells_the_product_and_not_the_kind(iss):
    assert recognise_token({}, {"iss": iss}).token_kind == "unknown"


@pytest.mark.parametrize("build", [tokens.entra_v2, tokens.entra_v2_person, tokens.entra_v1, tokens.entra_v1_person, tokens.okta_app,
                                   tokens.okta_person, tokens.auth0_app, tokens.auth0_app_rfc9068, tokens.auth0_person])  # fmt: skip
@pytest.mark.parametrize(
    "extra", [{"nonce": "n"}, {"at_hash": "h"}, {"email": "jane@example.com"}, {"name": "J", "sid": "s"}]
)
def test_an_access_token_with_a_persons_claims_is_never_called_an_id_token(build, extra):
    assert recognised(build(KEY, **extra)).token_kind in ("app_access", "person_access")


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3)
                     | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8)  # fmt: skip
_NAMES = st.sampled_from(
    (
        "sub",
        "aud",
        "azp",
        "email",
        "ver",
        "typ",
        "scp",
        "client_id",
        "clientId",
        "gty",
        "token_use",
        "kubernetes.io",
        "preferred_username",
    )
)
_ISSUERS = st.sampled_from([json.loads(base64url_decode(entry.values[0](KEY).split(".")[1]))["iss"] for entry in ROWS])


@given(header=st.dictionaries(st.just("typ"), _JSON), iss=_ISSUERS | _JSON, claims=st.dictionaries(_NAMES, _JSON))
def test_claims_of_any_shape_raise_nothing(header, iss, claims):
    found = recognise_token(header, {"iss": iss, **claims})
    assert found is None or found.vocabulary.audience
    assert found is None or found.preset is None or issuer_named(found.preset).url
