"""Presets by name: a variable or an option makes the same issuer as code."""

import re
from pathlib import Path

import pytest

from m2mguard import ConfigurationError, Issuer, ResourceServer, presets
from m2mguard.presets._named import issuer_named

TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
API = "https://shopping.api"
ROLE = "arn:aws:iam::123456789012:role/Orders"
SAME = {
    "logto:https://tenant.logto.app": Issuer.logto("https://tenant.logto.app"),
    "auth0:tenant.eu.auth0.com": presets.auth0("tenant.eu.auth0.com"),
    "auth0:tenant.eu.auth0.com,rfc9068": presets.auth0("tenant.eu.auth0.com", profile="rfc9068"),
    f"entra:{TENANT}": presets.entra(TENANT),
    f"entra:{TENANT},1": presets.entra(TENANT, version=1),
    "okta:example.okta.com": presets.okta("example.okta.com"),
    "okta:example.okta.com, orders": presets.okta("example.okta.com", authorization_server="orders"),
    "cognito:eu-west-1_abcdEFGHI": presets.cognito("eu-west-1_abcdEFGHI"),
    "google_service_accounts:1234,5678": presets.google_service_accounts(["1234", "5678"]),
    "keycloak:https://sso.example.com,shop": presets.keycloak("https://sso.example.com", "shop"),
    "zitadel:https://a.zitadel.cloud,7": presets.zitadel("https://a.zitadel.cloud", service_users=["7"]),
    " hydra:https://hydra.example.com ": presets.hydra("https://hydra.example.com"),
    "kubernetes:https://cluster.example": presets.kubernetes("https://cluster.example"),
    "github_actions:74,75": presets.github_actions(repository_ids=["74", "75"]),
    f"aws_outbound:https://a.example,{ROLE}": presets.aws_outbound("https://a.example", role_arns=[ROLE]),
}


def test_every_preset_has_a_name():
    assert {text.strip().partition(":")[0] for text in SAME} == {*presets.__all__, "logto"}


def test_the_page_lists_every_name():
    page = (Path(__file__).parents[2] / "docs" / "guides" / "issuers.md").read_text()
    table = page.split("## By name, in a setting")[1].split("```python")[0]
    assert set(re.findall(r"^\| `(\w+):", table, re.MULTILINE)) == {*presets.__all__, "logto"}


@pytest.mark.parametrize("text", SAME)
def test_a_named_preset_is_the_same_issuer(text):
    named, in_code = issuer_named(text), SAME[text]
    assert (named.url, named.algorithms, named.token_types) == (in_code.url, in_code.algorithms, in_code.token_types)
    assert (named.app_id_claim, named.required_claims) == (in_code.app_id_claim, in_code.required_claims)
    assert (named.claim_values, named.default_audiences) == (in_code.claim_values, in_code.default_audiences)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("entre:x", "there is no preset 'entre'. Did you mean entra?"),
        ("", "There are: logto, auth0"),
        ("entra", "is written entra:TENANT"),
        ("keycloak:https://sso.example.com", "is written keycloak:ENDPOINT,REALM"),
        ("hydra:https://a.example,b", "is written hydra:URL"),
        (f"entra:{TENANT},3", "version"),
        (f"entra:{TENANT},v2", "version"),
        ("auth0:tenant.eu.auth0.com,other", "profile"),
        ("okta:https://example.okta.com", "domain"),
        ("kubernetes", "is written kubernetes:ISSUER"),
        ("github_actions", "is written github_actions:REPOSITORY_ID"),
        ("github_actions:octo-org/octo-repo", "numeric ids of repositories"),
        ("aws_outbound:https://a.example", "is written aws_outbound:ISSUER,ROLE_ARN"),
    ],
)
def test_an_invalid_name_is_rejected_with_advice(text, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        issuer_named(text)


def server(**variables: str) -> ResourceServer:
    given = {f"M2MGUARD_{name}": value for name, value in variables.items()}
    return ResourceServer.from_env({"M2MGUARD_AUDIENCE": API, **given})


def test_other_variables_change_the_details_of_a_preset():
    [issuer] = server(
        PRESET="keycloak:https://sso.example.com,shop", ALGORITHMS="ES256", JWKS_URI="https://k.example/"
    ).settings.issuers
    assert (issuer.url, issuer.algorithms) == ("https://sso.example.com/realms/shop", {"ES256"})
    assert issuer.jwks_uri == "https://k.example/"
    assert issuer.app_id_claim == presets.keycloak("https://sso.example.com", "shop").app_id_claim


def test_claim_values_add_to_those_of_a_preset_and_never_drop_one():
    """They keep other tokens of the issuer out: for GitHub, every repository in the world."""
    [issuer] = server(PRESET="github_actions:74", CLAIM_VALUES='{"environment": ["prod"]}').settings.issuers
    assert issuer.claim_values["repository_id"] == {"74"}
    assert issuer.claim_values["environment"] == {"prod"}
    assert "pull_request" not in issuer.claim_values["event_name"]
    [issuer] = server(PRESET="github_actions:74", CLAIM_VALUES='{"event_name": ["release"]}').settings.issuers
    assert issuer.claim_values["event_name"] == {"release"}


def test_scopes_are_granted_to_the_workloads_of_a_preset():
    grants = '{"system:serviceaccount:shop:*": ["read:orders"]}'
    [issuer] = server(PRESET="kubernetes:https://cluster.example", GRANTS=grants).settings.issuers
    assert issuer.grants == {"system:serviceaccount:shop:*": {"read:orders"}}


def test_there_is_a_variable_for_each_detail_of_an_issuer():
    [issuer] = server(
        ISSUER="https://id.example", SCOPE_LISTS="scope permissions", REQUIRED_CLAIMS="iss aud exp sub", APP_ID_CLAIM="azp",
        CLAIM_VALUES='{"token_use": ["access"]}',
    ).settings.issuers  # fmt: skip
    assert (issuer.scope_lists, issuer.app_id_claim) == (("scope", "permissions"), "azp")
    assert issuer.required_claims == {"iss", "aud", "exp", "sub"}
    assert issuer.claim_values == {"token_use": {"access"}}


def test_a_tenant_of_logto_cloud_with_details_stays_a_logto_tenant():
    """Otherwise a token that is limited to an organization counts as a global one."""
    for variables in ({"ISSUER": "https://t.logto.app/oidc"}, {"LOGTO_ENDPOINT": "https://t.logto.app"}):
        [issuer] = server(**variables, ALGORITHMS="ES384").settings.issuers
        assert (issuer.url, issuer.algorithms) == ("https://t.logto.app/oidc", {"ES384"})
        assert issuer.organization_claim == "organization_id"


def test_an_issuer_and_a_preset_exclude_each_other():
    with pytest.raises(ConfigurationError, match="M2MGUARD_ISSUER and M2MGUARD_PRESET both name an issuer"):
        server(ISSUER="https://id.example", PRESET="hydra:https://id.example")
