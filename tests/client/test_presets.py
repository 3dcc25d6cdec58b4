"""Token sources for other issuers: what each asks for, where, in that issuer's own words."""

import base64
import json

import pytest

from m2mguard import ConfigurationError
from m2mguard.client import ClientSecret, PrivateKeyJwt, presets
from m2mguard.testing import SigningKey
from tests.client.recorder import Recorder
from tests.client_keys import Certificate, private_pem

TENANT = "11111111-2222-3333-4444-555555555555"
LOGIN = f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"
RSA = SigningKey.generate("RS256")
RSA_CERTIFICATE = Certificate.of(RSA)


def asked(make, *arguments, issuer="", **options) -> tuple[str, dict[str, list[str]]]:
    """Where a source asks for a token, and with which parameters, besides the grant type."""
    recorder = Recorder(issuer)
    source = make(*arguments, client_id="app-orders", **({"client_secret": "secret"} | options), transport=recorder)
    form = recorder.record(source).form
    assert form.pop("grant_type") == ["client_credentials"]
    return recorder.url, form


def assertion_of(form) -> tuple[dict, dict]:
    header, claims, _ = form["client_assertion"][0].split(".")
    read = [json.loads(base64.urlsafe_b64decode(one + "=" * (-len(one) % 4))) for one in (header, claims)]
    return read[0], read[1]


def test_auth0_is_asked_for_an_audience():
    found = asked(
        presets.auth0,
        "t.eu.auth0.com",
        audience="https://shopping.api",
        scopes=["b", "a"],
        issuer="https://t.eu.auth0.com/",
    )
    assert found == ("https://t.eu.auth0.com/discovered", {"audience": ["https://shopping.api"], "scope": ["a b"]})


def test_entra_is_asked_for_the_default_scope_of_the_api():
    assert asked(presets.entra, TENANT, api="api://shopping") == (LOGIN, {"scope": ["api://shopping/.default"]})


def test_entra_gets_an_assertion_with_its_algorithm_audience_and_certificate():
    way = PrivateKeyJwt(private_pem(RSA), certificate=RSA_CERTIFICATE)
    _, form = asked(presets.entra, TENANT, api="api://shopping", client_secret=None, authentication=way)
    header, claims = assertion_of(form)
    assert (header["alg"], header["typ"], len(header["x5t#S256"])) == ("PS256", "JWT", 43)
    assert claims["aud"] == LOGIN
    own = PrivateKeyJwt(
        private_pem(RSA), "RS256", certificate=RSA_CERTIFICATE, assertion_audience="https://own.example"
    )
    header, claims = assertion_of(
        asked(presets.entra, TENANT, api="api://shopping", client_secret=None, authentication=own)[1]
    )
    assert (header["alg"], claims["aud"]) == ("RS256", "https://own.example")
    with pytest.raises(ConfigurationError, match="by its certificate"):
        presets.entra(TENANT, api="a", client_id="c", authentication=PrivateKeyJwt(private_pem(RSA)))


def test_okta_is_asked_at_an_authorization_server():
    endpoint = "https://shop.okta.com/oauth2/aus1/v1/token"
    found = asked(presets.okta, "shop.okta.com", scopes=["read:orders"], authorization_server="aus1")
    assert found == (endpoint, {"scope": ["read:orders"]})
    way = PrivateKeyJwt(private_pem(RSA), key_id="k")
    url, form = asked(presets.okta, "shop.okta.com", scopes=["a"], client_secret=None, authentication=way)
    assert url == assertion_of(form)[1]["aud"] == "https://shop.okta.com/oauth2/default/v1/token"


def test_cognito_is_asked_at_the_domain_of_its_pages():
    domain = "shop.auth.eu-central-1.amazoncognito.com"
    assert asked(presets.cognito, domain, scopes=["https://shopping.api/read:orders"]) == (
        f"https://{domain}/oauth2/token",
        {"scope": ["https://shopping.api/read:orders"]},
    )


def test_keycloak_is_asked_at_its_realm():
    issuer = "https://sso.example.com/realms/shop"
    assert asked(presets.keycloak, "https://sso.example.com/", "shop", issuer=issuer) == (f"{issuer}/discovered", {})


def test_zitadel_is_asked_for_projects_by_scopes():
    url = "https://shop.zitadel.cloud"
    _, form = asked(presets.zitadel, url, project_ids=["69234"], issuer=url)
    assert form == {"scope": ["openid urn:zitadel:iam:org:project:id:69234:aud"]}


def test_hydra_is_asked_for_an_audience():
    url = "https://hydra.example.com"
    _, form = asked(presets.hydra, url, audience="https://shopping.api", scopes=["read:orders"], issuer=url)
    assert form == {"audience": ["https://shopping.api"], "scope": ["read:orders"]}


def test_each_takes_any_way_to_authenticate():
    way = ClientSecret("secret", "client_secret_post")
    url = "https://hydra.example.com"
    _, form = asked(presets.hydra, url, audience="a", issuer=url, client_secret=None, authentication=way)
    assert form == {"audience": ["a"], "client_id": ["app-orders"], "client_secret": ["secret"]}


@pytest.mark.parametrize(
    ("make", "arguments", "options"),
    [
        (presets.auth0, ["https://t.auth0.com"], {"audience": "a"}),
        (presets.auth0, ["t.auth0.com"], {"audience": ""}),
        (presets.entra, ["common"], {"api": "api://shopping"}),
        (presets.entra, [TENANT], {"api": "api://shopping api://other"}),
        (presets.okta, ["shop.okta.com"], {"scopes": []}),
        (presets.okta, ["shop.okta.com"], {"scopes": ["a"], "authorization_server": "a/b"}),
        (presets.cognito, ["https://shop.auth.eu-central-1.amazoncognito.com"], {}),
        (presets.keycloak, ["http://sso.example.com", "shop"], {}),
        (presets.zitadel, ["https://shop.zitadel.cloud"], {"project_ids": []}),
        (presets.zitadel, ["https://shop.zitadel.cloud"], {"project_ids": ["1:aud x"]}),
        (presets.hydra, ["hydra.example.com"], {"audience": "a"}),
    ],
    ids=lambda value: getattr(value, "__name__", None) or json.dumps(value),
)
def test_an_invalid_value_is_an_error_at_once(make, arguments, options):
    with pytest.raises(ConfigurationError):
        make(*arguments, client_id="app", client_secret="secret", **options)
