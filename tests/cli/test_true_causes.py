"""Wrong tokens and settings, and for each the cause that `m2mguard explain` must name; where it can be run, the cure is followed."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from m2mguard.testing import REMOVED, SigningKey
from m2mguard.testing._signing import sign_with_secret
from tests.cli import issuer_tokens as of
from tests.presets.tokens import API, ENTRA_API, ENTRA_APP, NOW, TENANT

KEY = SigningKey.generate("RS256", kid="k1")
OTHER_KEY = SigningKey.generate("RS256", kid="k1")
LOGTO = ("--logto", "https://tenant.logto.app")
ORDERS = ("--audience", API)
SERVICE = "284356339122085070"
ENTRA = (f"--preset=entra:{TENANT}", "--audience", ENTRA_API)
OKTA = ("--preset=okta:example.okta.com,default", *ORDERS)
AUTH0 = ("--preset=auth0:tenant.eu.auth0.com", *ORDERS)
COGNITO = ("--preset=cognito:eu-central-1_AbCdEfGhI", *ORDERS)
KEYCLOAK = ("--preset=keycloak:https://sso.example.com,shop", *ORDERS)
ZITADEL = (f"--preset=zitadel:https://example.zitadel.cloud,{SERVICE}", "--audience", "231402830936789415")


class Row(NamedTuple):
    """One situation.

    Attributes:
        given: the token or text, or what makes it with the issuer's key.
        settings: the options.
        cause: the code of the true cause.
        wrong: what has to change.
        cure: the options with the cure followed, which must accept the token; None where the token is what has to change.
    """

    given: str | Callable[[SigningKey], str]
    settings: tuple[str, ...]
    cause: str
    wrong: str = "token"
    cure: tuple[str, ...] | None = None


def logto(*more: str) -> tuple[str, ...]:
    return (*LOGTO, *ORDERS, *more)


def issuer(url: str, audience: str = API) -> tuple[str, ...]:
    return ("--issuer", url, "--audience", audience)


def token(make: Callable[..., str], *arguments: Any, **claims: Any) -> Callable[[SigningKey], str]:
    return lambda key: make(key, *arguments, **claims)


GOOD = of.logto_app(KEY)
HEAD, BODY, SIGNATURE = GOOD.split(".")
HS256 = sign_with_secret(
    {"alg": "HS256", "typ": "JWT"}, {"sub": "1234567890", "name": "John Doe", "iat": 1516239022}, b"secret"
)
ANSWER = json.dumps({"access_token": GOOD, "token_type": "Bearer", "expires_in": 3600})

PASTED = {
    "a secret of Logto": Row("aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gI", logto(), "app_secret"),
    "a secret of Entra": Row("abc8Q~" + "d" * 34, logto(), "app_secret"),
    "a secret of Google": Row("GOCSPX-abcdefghijklmnopqrstuvwx", logto(), "app_secret"),
    "an App ID of Logto": Row("cimy6xa2xuw3nm6kn7vnt", logto(), "app_id"),
    "a GUID": Row(ENTRA_APP, logto(), "app_id"),
    "Basic credentials": Row("Basic YXBwOnNlY3JldA==", logto(), "basic_credentials"),
    "a Basic field": Row("Authorization: Basic YXBwOnNlY3JldA==", logto(), "basic_credentials"),
    "a shell variable": Row("${ACCESS_TOKEN}", logto(), "variable"),
    "a variable after Bearer": Row("Bearer $ACCESS_TOKEN", logto(), "variable"),
    "a template": Row("{{ access_token }}", logto(), "variable"),
    "a Windows variable": Row("%ACCESS_TOKEN%", logto(), "variable"),
    "a placeholder": Row("<access token>", logto(), "variable"),
    "None": Row("None", logto(), "empty_value"),
    "Bearer None": Row("Bearer None", logto(), "empty_value"),
    "null": Row("null", logto(), "empty_value"),
    "undefined": Row("Bearer undefined", logto(), "empty_value"),
    "an object of JavaScript": Row("[object Object]", logto(), "empty_value"),
    "Bearer alone": Row("Bearer", logto(), "empty_value"),
    "cut at the end": Row(GOOD[:-40], logto(), "cut_off"),
    "cut in the claims": Row(GOOD[: len(HEAD) + 30], logto(), "cut_off"),
    "cut in the header": Row(GOOD[:30], logto(), "cut_off"),
    "without its signature": Row(f"{HEAD}.{BODY}", logto(), "cut_off"),
    "cut at the start": Row(GOOD[20:], logto(), "cut_off"),
    "without its header": Row(f"{BODY}.{SIGNATURE}", logto(), "cut_off"),
    "an ellipsis at the end": Row(f"{GOOD[:60]}...", logto(), "cut_off"),
    "an ellipsis in the middle": Row(f"{GOOD[:60]}…{GOOD[-20:]}", logto(), "cut_off"),
    "an ellipsis at the start": Row(f"...{GOOD[-60:]}", logto(), "cut_off"),
    "a JWE": Row(
        "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..c2hvcnRpdg.Y2lwaGVydGV4dA.dGFn", logto(), "encrypted", "issuer"
    ),
    "an opaque token": Row("4Hf0Xz-9aB_cD1eF2gH3iJ4kL5mN6oP7qR8sT9uV0wX", logto(), "opaque"),
    "Google's opaque token": Row("ya29.a0AfH6SMBx" + "x" * 60, logto(), "opaque"),
    "a refresh token of Google": Row("1//0gabcdefghijklmnopqrstuvwxyz", logto(), "refresh_token"),
    "an answer without access token": Row('{"id_token": "x.y.z", "token_type": "Bearer"}', logto(), "no_access_token"),
    "an error answer": Row('{"error": "invalid_client", "error_description": "x"}', logto(), "error_answer"),
    "claims": Row('{"iss": "https://tenant.logto.app/oidc", "sub": "a", "exp": 1}', logto(), "claims_alone"),
    "a header": Row(HEAD, logto(), "header_alone"),
    "a key set": Row('{"keys": []}', logto(), "key_set"),
    "a PEM": Row("-----BEGIN PUBLIC KEY-----\nMII\n-----END PUBLIC KEY-----", logto(), "pem"),
    "two tokens": Row(f"{GOOD} {of.logto_app(KEY, scope='write:orders')}", logto(), "several_tokens"),
    "a sentence": Row("the token is in the other window", logto(), "text"),
    "Cloud Run": Row(f"{HEAD}.{BODY}.SIGNATURE_REMOVED_BY_GOOGLE", logto(), "signature_removed"),
    "the sample of HS256": Row(
        sign_with_secret(
            {"alg": "HS256", "typ": "JWT"}, {"iss": "https://tenant.logto.app/oidc", "sub": "1234567890"}, b"x"
        ),
        logto(),
        "sample",
    ),
}

ISSUERS = {
    "the sample without an issuer": Row(HS256, logto(), "sample"),
    "no issuer": Row(token(of.logto_app, iss=REMOVED), logto(), "no_issuer"),
    "another tenant of Logto's cloud": Row(
        token(of.logto_app, "https://other.logto.app/oidc"), logto(), "other_tenant"
    ),
    "a slash too few": Row(of.auth0_app, issuer("https://tenant.eu.auth0.com"), "issuer_spelling", "setting"),
    "a slash too many": Row(
        of.logto_app,
        issuer("https://tenant.logto.app/oidc/"),
        "issuer_spelling",
        "setting",
        issuer("https://tenant.logto.app/oidc"),
    ),
    "Logto's endpoint": Row(of.logto_app, issuer("https://tenant.logto.app"), "logto_endpoint", "setting", logto()),
    "capital letters": Row(
        of.logto_app, issuer("https://Tenant.logto.app/oidc"), "issuer_spelling", "setting", logto()
    ),
    "a port": Row(
        token(of.logto_app, "https://auth.example.com:8443/oidc"),
        issuer("https://auth.example.com/oidc"),
        "issuer_spelling",
        "setting",
        issuer("https://auth.example.com:8443/oidc"),
    ),
    "named with http": Row(
        token(of.logto_app, "http://auth.example.com/oidc"),
        issuer("https://auth.example.com/oidc"),
        "issuer_names_itself_http",
        "issuer",
    ),
    "the key set's address": Row(
        of.logto_app, issuer("https://tenant.logto.app/oidc/jwks"), "document_as_issuer", "setting", logto()
    ),
    "the token endpoint": Row(
        of.okta_app, issuer("https://example.okta.com/oauth2/default/v1/token"), "document_as_issuer", "setting", OKTA
    ),
    "another tenant or domain of Logto": Row(
        token(of.logto_app, "https://login.example.com/oidc"), logto(), "custom_domain", "unclear"
    ),
    "another tenant of Entra": Row(
        token(of.entra_v2, ENTRA_API, "99999999-0000-cccc-1111-dddd2222eeee"), ENTRA, "other_tenant"
    ),
    "version 1 of Entra": Row(of.entra_v1, ENTRA, "token_version", "setting", None),
    "version 2 of Entra": Row(
        of.entra_v2, (f"--preset=entra:{TENANT},1", "--audience", ENTRA_API), "token_version", "setting"
    ),
    "common of Entra": Row(
        of.entra_v2, issuer("https://login.microsoftonline.com/common/v2.0", ENTRA_API), "tenant_placeholder", "setting"
    ),
    "Okta's org server": Row(token(of.okta_app, "https://example.okta.com"), OKTA, "org_authorization_server"),
    "another realm": Row(
        token(of.keycloak_app, "https://sso.example.com/realms/test"), KEYCLOAK, "other_realm", "unclear"
    ),
    "old Keycloak": Row(
        token(of.keycloak_app, "https://sso.example.com/auth/realms/shop"), KEYCLOAK, "issuer_path", "setting"
    ),
    "Keycloak's inner name": Row(
        token(of.keycloak_app, "http://keycloak:8080/realms/shop"), KEYCLOAK, "internal_name", "unclear"
    ),
    "another tenant of Auth0": Row(token(of.auth0_app, "https://other.eu.auth0.com/"), AUTH0, "other_tenant"),
    "another server of Okta": Row(token(of.okta_app, "https://other.okta.com/oauth2/default"), OKTA, "other_tenant"),
    "another pool": Row(token(of.cognito_app, "eu-central-1_ZZZZZZZZZ"), COGNITO, "other_tenant"),
    "Auth0's at Logto's": Row(of.auth0_app, logto(), "other_issuer", "unclear"),
    "Entra's at Logto's": Row(of.entra_v2, logto(), "other_issuer", "unclear"),
    "Google's at Logto's": Row(of.google_app, logto(), "other_issuer", "unclear"),
    "Kubernetes' at Logto's": Row(of.kubernetes, logto(), "other_issuer", "unclear"),
    "GitHub's at Logto's": Row(of.github_actions, logto(), "other_issuer", "unclear"),
    "Zitadel's at Logto's": Row(of.zitadel_app, logto(), "other_issuer", "unclear"),
    "Cognito's at Logto's": Row(of.cognito_app, logto(), "other_issuer", "unclear"),
    "Keycloak's at Logto's": Row(of.keycloak_app, logto(), "other_issuer", "unclear"),
    "Okta's at Logto's": Row(of.okta_app, logto(), "other_issuer", "unclear"),
    "an ID token of Firebase at Logto's": Row(of.firebase, logto(), "other_issuer", "unclear"),
}

KINDS = {
    "Kubernetes' token without settings for it": Row(
        of.kubernetes, issuer("https://kubernetes.default.svc.cluster.local"), "workload_token", "setting"
    ),
    "GitHub's token without settings for it": Row(
        of.github_actions, issuer("https://token.actions.githubusercontent.com"), "workload_token", "setting"
    ),
    "Google's person": Row(of.google_id, ("--preset=google_service_accounts:1", *ORDERS), "id_token"),
    "no sub": Row(token(of.logto_app, sub=REMOVED), logto(), "missing_claim"),
    "no exp": Row(token(of.logto_app, exp=REMOVED), logto(), "missing_claim"),
    "Logto's ID token": Row(of.logto_id, logto(), "id_token"),
    "Entra's ID token": Row(of.entra_v2_id, ENTRA, "id_token"),
    "Okta's ID token": Row(of.okta_id, OKTA, "id_token"),
    "Auth0's ID token": Row(of.auth0_id, AUTH0, "id_token"),
    "Cognito's ID token": Row(of.cognito_id, COGNITO, "id_token"),
    "Keycloak's ID token": Row(of.keycloak_id, KEYCLOAK, "id_token"),
    "Zitadel's ID token": Row(of.zitadel_id, ZITADEL, "id_token"),
    "Keycloak's refresh token": Row(of.keycloak_refresh, KEYCLOAK, "refresh_token"),
    "Entra's token without the preset": Row(
        of.entra_v2, issuer(f"https://login.microsoftonline.com/{TENANT}/v2.0", ENTRA_API), "needs_preset", "setting"
    ),
    "Okta's token without the preset": Row(
        of.okta_app, issuer("https://example.okta.com/oauth2/default"), "needs_preset", "setting", OKTA
    ),
    "Auth0's token without the preset": Row(
        of.auth0_app, issuer("https://tenant.eu.auth0.com/"), "needs_preset", "setting", AUTH0
    ),
    "Cognito's token without the preset": Row(
        of.cognito_app,
        issuer("https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI"),
        "needs_preset",
        "setting",
        COGNITO,
    ),
    "Keycloak's token without the preset": Row(
        of.keycloak_app, issuer("https://sso.example.com/realms/shop"), "needs_preset", "setting", KEYCLOAK
    ),
    "Zitadel's token without the preset": Row(
        of.zitadel_app,
        issuer("https://example.zitadel.cloud", "231402830936789415"),
        "needs_preset",
        "setting",
        ZITADEL,
    ),
    "Entra's token without idtyp": Row(of.entra_v2, ENTRA, "machine_mark", "issuer"),
    "Zitadel's service that is not listed": Row(
        of.zitadel_app,
        ("--preset=zitadel:https://example.zitadel.cloud,1", "--audience", "231402830936789415"),
        "service_not_listed",
        "setting",
        ZITADEL,
    ),
    "Logto's person": Row(of.logto_person, logto(), "person"),
    "Okta's person": Row(of.okta_person, OKTA, "person"),
    "Auth0's person": Row(of.auth0_person, AUTH0, "person"),
    "Cognito's person": Row(of.cognito_person, COGNITO, "person"),
    "a token exchange": Row(token(of.logto_app, sub="user-1", act={"sub": "x"}), logto(), "token_exchange"),
    "typ JWT": Row(
        lambda key: of.minted(key, {}, json.loads(json.dumps(claims_of(of.logto_app(key)))), "JWT"),
        logto(),
        "not_rfc9068",
        "unclear",
    ),
    "a logout token": Row(
        lambda key: of.minted(key, {}, claims_of(of.logto_app(key)), "logout+jwt"), logto(), "other_kind"
    ),
    "a DPoP proof": Row(
        lambda key: of.minted(key, {}, claims_of(of.logto_app(key)), "dpop+jwt"), logto(), "other_kind"
    ),
    "no jti": Row(token(of.logto_app, jti=REMOVED), logto(), "missing_claim", "unclear"),
    "a scope list": Row(
        token(of.logto_app, "https://id.example.com", scope=["read:orders"]),
        issuer("https://id.example.com"),
        "scope_as_list",
        "setting",
    ),
    "exp a string": Row(token(of.logto_app, exp="soon"), logto(), "wrong_type", "issuer"),
    "bound to a key": Row(token(of.logto_app, cnf={"jkt": "x"}), logto(), "bound", "unclear"),
    "Keycloak without basic": Row(token(of.keycloak_app, sub=REMOVED), KEYCLOAK, "keycloak_basic", "issuer"),
}

AUDIENCES = {
    "Keycloak without an audience": Row(token(of.keycloak_app, aud=REMOVED), KEYCLOAK, "no_audience"),
    "another API of Cognito": Row(token(of.cognito_app, scope="https://other.api/read"), COGNITO, "other_api"),
    "a slash": Row(
        token(of.logto_app, aud=f"{API}/"), logto(), "audience_spelling", "setting", (*LOGTO, "--audience", f"{API}/")
    ),
    "no scheme": Row(of.logto_app, (*LOGTO, "--audience", "shopping.api"), "audience_spelling", "setting", logto()),
    "http": Row(of.logto_app, (*LOGTO, "--audience", "http://shopping.api"), "audience_spelling", "setting", logto()),
    "capital letters": Row(
        of.logto_app, (*LOGTO, "--audience", "https://Shopping.api"), "audience_spelling", "setting", logto()
    ),
    "a port": Row(
        of.logto_app, (*LOGTO, "--audience", "https://shopping.api:443"), "audience_spelling", "setting", logto()
    ),
    "an App ID": Row(of.logto_app, (*LOGTO, "--audience", of.APP), "app_id_as_audience", "setting", logto()),
    "another App ID": Row(
        of.logto_app, (*LOGTO, "--audience", "zzzz6xa2xuw3nm6kn7vnt"), "app_id_as_audience", "setting", logto()
    ),
    "the issuer": Row(
        of.logto_app, (*LOGTO, "--audience", "https://tenant.logto.app"), "audience_is_issuer", "setting", logto()
    ),
    "another API": Row(token(of.logto_app, aud="https://billing.api"), logto(), "other_api"),
    "several other APIs": Row(
        token(of.logto_app, aud=["https://billing.api", "https://stock.api"]), logto(), "other_api"
    ),
    "an organization token": Row(token(of.logto_app, aud="urn:logto:organization:o1"), logto(), "organization_token"),
    "the Management API": Row(token(of.logto_app, aud="https://tenant.logto.app/api"), logto(), "issuers_own_api"),
    "Auth0's Management API": Row(
        token(of.auth0_app, aud="https://tenant.eu.auth0.com/api/v2/"), AUTH0, "issuers_own_api"
    ),
    "Microsoft Graph": Row(token(of.entra_v2, "https://graph.microsoft.com"), ENTRA, "issuers_own_api"),
    "api:// of Entra": Row(
        of.entra_v2, (f"--preset=entra:{TENANT}", "--audience", f"api://{ENTRA_API}"), "api_scheme_of_entra", "setting"
    ),
    "Keycloak's account": Row(token(of.keycloak_app, aud="account"), KEYCLOAK, "issuers_own_api"),
}

TIMES = {
    "expired": Row(token(of.logto_app, iat=NOW - 7200, exp=NOW - 3600), logto(), "expired"),
    "expired just now": Row(token(of.logto_app, iat=NOW - 3600, exp=NOW - 40), logto(), "expired"),
    "early": Row(token(of.logto_app, iat=NOW + 120), logto(), "early", "unclear"),
    "far too early": Row(token(of.logto_app, nbf=NOW + 7200), logto(), "early", "unclear"),
    "milliseconds": Row(
        token(of.logto_app, iat=NOW * 1000, exp=NOW * 1000 + 3_600_000), logto(), "milliseconds", "issuer"
    ),
}

KEYS = {
    "none": Row(
        lambda key: of.minted(key, {}, claims_of(of.logto_app(key)), "at+jwt").replace(
            HEAD, "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0", 1
        ),
        logto(),
        "unsigned",
    ),
    "a shared secret": Row(
        lambda key: sign_with_secret(
            {"alg": "HS256", "typ": "at+jwt", "kid": "k1"}, claims_of(of.logto_app(key)), b"x"
        ),
        logto(),
        "shared_secret",
        "issuer",
    ),
    "an algorithm that is not listed": Row(
        lambda key: of.logto_app(key.using(algorithm="RS512")), logto(), "algorithm_not_listed", "setting"
    ),
    "a forged signature": Row(lambda _: of.logto_app(OTHER_KEY), logto(), "forged_or_changed"),
    "changed claims": Row(
        lambda key: ".".join((HEAD, of.logto_app(key, scope="admin").split(".")[1], SIGNATURE)),
        logto(),
        "forged_or_changed",
    ),
    "another key": Row(lambda key: of.logto_app(key.using(kid="k9")), logto(), "old_key_file", "unclear"),
}

ACCESS = {
    "no scopes": Row(token(of.logto_app, scope=REMOVED), logto("--scope", "write:orders"), "no_scopes"),
    "another scope": Row(of.logto_app, logto("--scope", "write:orders"), "missing_scope"),
    "a scope's spelling": Row(
        of.logto_app, logto("--scope", "Read:orders"), "scope_spelling", "setting", logto("--scope", "read:orders")
    ),
    "a scope in front of which the API stands": Row(
        of.cognito_app,
        (*COGNITO, "--scope", "read:orders"),
        "scope_prefix",
        "setting",
        (*COGNITO, "--scope", f"{API}/read:orders"),
    ),
    "scopes in another claim": Row(
        token(of.logto_app, scope=REMOVED, permissions=["read:orders"]),
        logto("--scope", "read:orders"),
        "scopes_elsewhere",
        "setting",
    ),
    "another application": Row(
        of.logto_app, logto("--app-id", "app-billing"), "other_application", "unclear", logto("--app-id", of.APP)
    ),
    "an application's spelling": Row(
        of.logto_app, logto("--app-id", of.APP.upper()), "application_spelling", "setting", logto("--app-id", of.APP)
    ),
    "an organization": Row(
        token(of.logto_app, organization_id="o1"), logto(), "organization", "unclear", logto("--organization", "o1")
    ),
    "another organization": Row(
        token(of.logto_app, organization_id="o1"), logto("--organization", "o2"), "other_organization"
    ),
    "no organization": Row(of.logto_app, logto("--organization", "o2"), "other_organization"),
}

ROWS = {
    f"{table}: {name}": row
    for table, rows in (
        ("pasted", PASTED),
        ("issuer", ISSUERS),
        ("kind", KINDS),
        ("audience", AUDIENCES),
        ("time", TIMES),
        ("key", KEYS),
        ("access", ACCESS),
    )
    for name, row in rows.items()
}


def claims_of(compact: str) -> dict[str, Any]:
    from m2mguard._cli.pasted.token_segments import decode_json_segment

    return dict(decode_json_segment(compact.split(".")[1]) or {})


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    file = tmp_path_factory.mktemp("keys") / "jwks.json"
    file.write_text(json.dumps({"keys": [KEY.public_jwk]}))
    return str(file)


@pytest.mark.parametrize("name", ROWS)
def test_the_true_cause_is_named(run, keys, name):
    row = ROWS[name]
    given = row.given if isinstance(row.given, str) else row.given(KEY)
    status, page = run("explain", "--json", "--at", str(NOW), "--jwks", keys, *row.settings, given=given)
    told = json.loads(page)
    assert status == 1
    assert (told["cause"]["code"], told["cause"]["wrong"]) == (row.cause, row.wrong)
    assert told["cures"]
    assert_nothing_misleads(told)
    if row.cure is not None:
        cured = run("explain", "--json", "--at", str(NOW), "--jwks", keys, *row.cure, given=given)[1]
        assert json.loads(cured)["accepted"] is True


def assert_nothing_misleads(told: dict[str, Any]) -> None:
    """No check is weakened without its price, and somebody who can act is named first."""
    whose = {"token": ("caller", "issuer"), "setting": ("api", "issuer"), "issuer": ("issuer",), "clock": ("api",)}
    first = told["cures"][0]
    assert first["who"] in whose.get(told["cause"]["wrong"], ("api", "caller", "issuer"))
    for cure in told["cures"]:
        weakens = (
            "MACHINE_ONLY=false",
            "TOKEN_TYPES",
            "REQUIRED_CLAIMS",
            "allow-unauthenticated",
            "ALGORITHMS=",
            "ALIASES=",
        )
        assert cure["opens"] or not any(word in cure["text"] for word in weakens), cure
        kept = cure["text"].partition('REQUIRED_CLAIMS="')[2].partition('"')[0].split()
        assert not kept or {"aud", "exp", "iss", "sub"} <= set(kept), (
            "no cure gives up a claim that tells for whom, until when or whose"
        )


@pytest.mark.parametrize(
    "form",
    [
        "{}", " {}\n", "Bearer {}", "bearer {}", "Authorization: Bearer {}\r\n", '"{}"', "'{}'", "b'{}'", 'b"{}"', "Bearer Bearer {}",
        "curl -H 'Authorization: Bearer {}' https://shopping.api/orders", "https://x.example/cb#access_token={}&token_type=Bearer",
        "GET /orders HTTP/1.1\r\nHost: shopping.api\r\nAuthorization: Bearer {}\r\n\r\n", "{}\u200b", "\ufeff{}", "{},",
    ],
)  # fmt: skip
def test_what_people_copy_along_is_taken_off(run, keys, form):
    status, page = run("explain", "--json", "--at", str(NOW), "--jwks", keys, *logto(), given=form.replace("{}", GOOD))
    assert (status, json.loads(page)["app_id"]) == (0, of.APP)


def test_a_whole_answer_and_a_wrapped_token_are_read(run, keys):
    wrapped = "\n".join(GOOD[start : start + 64] for start in range(0, len(GOOD), 64))
    for text, note in (
        (ANSWER, "json_answer"),
        (wrapped, "line_breaks"),
        (wrapped.replace("\n", "\r\n  "), "line_breaks"),
    ):
        status, page = run("explain", "--json", "--at", str(NOW), "--jwks", keys, *logto(), given=text)
        assert status == 0
        assert note in {one["code"] for one in json.loads(page)["pasted"]["notes"]}


def test_there_are_at_least_120_situations():
    assert len(ROWS) >= 120
