"""Tokens of a real OpenID Connect provider that we did not write: discovery, keys, claims, end to end."""

import base64
import json

import pytest

from m2mguard import InsufficientScope, InvalidToken, Issuer, Requirement, ResourceServer

APPS = pytest.mark.parametrize(("app_id", "algorithm"), [("orders-es384", "ES384"), ("orders-rs256", "RS256")])


@pytest.fixture
def server(oidc_provider) -> ResourceServer:
    return ResourceServer(Issuer(url=oidc_provider.issuer), audience=oidc_provider.resource)


@APPS
def test_a_token_of_each_algorithm_names_its_app(oidc_provider, server, app_id, algorithm):
    token = oidc_provider.token(app_id, scope="read:orders write:orders")
    header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
    assert (header["alg"], header["typ"]) == (algorithm, "at+jwt")

    caller = server.authenticate([f"Bearer {token}"], Requirement(scopes=["read:orders"]))

    assert caller.app_id == app_id
    assert caller.scopes == {"read:orders", "write:orders"}
    assert (caller.issuer, caller.audience) == (oidc_provider.issuer, oidc_provider.resource)


@APPS
async def test_a_token_is_verified_on_every_event_loop(oidc_provider, server, app_id, algorithm):
    caller = await server.averify(oidc_provider.token(app_id))

    assert (caller.app_id, caller.scopes) == (app_id, frozenset())


@APPS
def test_a_token_without_the_scope_is_refused(oidc_provider, server, app_id, algorithm):
    token = oidc_provider.token(app_id, scope="write:orders")

    with pytest.raises(InsufficientScope) as refused:
        server.authenticate([f"Bearer {token}"], Requirement(scopes=["read:orders"]))

    assert refused.value.reason == "scope"


@APPS
def test_a_token_for_another_api_is_refused(oidc_provider, app_id, algorithm):
    stock = ResourceServer(Issuer(url=oidc_provider.issuer), audience="https://stock.api")

    with pytest.raises(InvalidToken) as refused:
        stock.verify(oidc_provider.token(app_id))

    assert refused.value.reason == "audience"


@APPS
def test_a_changed_payload_is_refused(oidc_provider, server, app_id, algorithm):
    header, payload, signature = oidc_provider.token(app_id).split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["scope"] = "read:orders"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()

    with pytest.raises(InvalidToken) as refused:
        server.verify(f"{header}.{forged}.{signature}")

    assert refused.value.reason == "signature"
