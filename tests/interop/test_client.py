"""Our client with a real provider, and a client in another language with our issuer and our API."""

import json
import subprocess
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Security

from m2mguard import Caller, InvalidToken, Issuer, ResourceServer
from m2mguard.client import TokenRequestRefused, TokenSource
from m2mguard.fastapi import M2MAuth
from m2mguard.testing import SHOPPING_API, Application, LocalIssuer
from tests.interop.conftest import OidcProvider, node_modules, node_program


def source_at(provider: OidcProvider, app_id: str = "orders-es384", **changed: Any) -> TokenSource:
    """A source that gets only the URL of the provider, so it finds the token endpoint by discovery."""
    arguments: dict[str, Any] = {
        "client_id": app_id,
        "client_secret": provider.clients[app_id],
        "resource": provider.resource,
        "scopes": ["read:orders"],
    }
    return TokenSource(provider.issuer, **(arguments | changed))


@pytest.mark.parametrize("app_id", ["orders-es384", "orders-rs256", "billing-es384"])
def test_a_real_provider_issues_a_token_that_we_accept(oidc_provider, app_id):
    token = source_at(oidc_provider, app_id).token()
    caller = ResourceServer(oidc_provider.issuer, audience=oidc_provider.resource).verify(token.value)
    assert (caller.app_id, caller.scopes) == (app_id, token.scopes) == (app_id, frozenset({"read:orders"}))
    assert token.expires_at == pytest.approx(caller.expires_at, abs=5)


@pytest.mark.parametrize("alg", ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"])
def test_a_token_of_ml_dsa_is_accepted_where_the_algorithm_is_named(oidc_provider, alg):
    """Node signs with an OpenSSL of its own."""
    app_id = f"orders-{alg.lower()}"
    token = source_at(oidc_provider, app_id).token().value
    named = ResourceServer(Issuer(url=oidc_provider.issuer, algorithms=[alg]), audience=oidc_provider.resource)
    assert named.verify(token).app_id == app_id
    with pytest.raises(InvalidToken) as refused:
        ResourceServer(oidc_provider.issuer, audience=oidc_provider.resource).verify(token)
    assert refused.value.reason == "algorithm"


async def test_a_real_provider_issues_a_token_on_every_event_loop(oidc_provider):
    assert (await source_at(oidc_provider).atoken()).scopes == {"read:orders"}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"resource": "https://shopping.api/"}, "resource"),
        ({"client_secret": "wrong"}, "client_authentication"),
        ({"client_id": "nobody"}, "client_authentication"),  # it does not reveal which clients exist
    ],
)
def test_refusals_have_a_reason_and_the_description_of_the_provider(oidc_provider, changed, reason):
    with pytest.raises(TokenRequestRefused) as raised:
        source_at(oidc_provider, **changed).token()
    assert raised.value.reason == reason
    assert raised.value.error in ("invalid_target", "invalid_client")
    assert raised.value.error_description
    assert raised.value.error_description in str(raised.value)


def test_missing_scope_dropped_fits_a_provider_that_omits_scope(oidc_provider):
    token = source_at(oidc_provider, scopes=["delete:orders"], missing_scope="dropped").token()
    caller = ResourceServer(oidc_provider.issuer, audience=oidc_provider.resource).verify(token.value)
    assert caller.scopes == token.scopes == frozenset()


def test_openid_client_gets_a_token_and_calls_a_protected_api(serve):
    secret = "p:a ss/w+%&=~"
    with LocalIssuer(
        applications={"app-js": Application(secret=secret, scopes={SHOPPING_API: ("read:orders",)})}
    ) as issuer:
        auth = M2MAuth(ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API))
        api = FastAPI()

        @api.get("/orders")
        def orders(caller: Annotated[Caller, Security(auth, scopes=["read:orders"])]) -> dict[str, str]:
            return {"hello": caller.app_id}

        settings = {
            "issuer": issuer.url,
            "appId": "app-js",
            "appSecret": secret,
            "resource": SHOPPING_API,
            "scope": "read:orders write:orders",
            "api": f"{serve(api)}/orders",
        }
        done = subprocess.run(
            [node_program("node"), "client.mjs", json.dumps(settings)],
            cwd=node_modules(),
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "granted": "read:orders",
        "expiresIn": 3600,
        "status": 200,
        "body": {"hello": "app-js"},
    }
