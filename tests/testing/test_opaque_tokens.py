"""The opaque tokens of a local issuer, and what it says of them."""

import pytest
import urllib3

from m2mguard import Introspection, InvalidToken, Issuer, ResourceServer
from m2mguard.client import ClientSecret
from m2mguard.testing import REMOVED, SHOPPING_API, LocalIssuer, trusting


def ask(issuer, token, *, app_id="app-orders", secret="secret-of-app-orders", accept="application/json"):
    return urllib3.request(
        "POST",
        issuer.introspection_endpoint,
        body=f"token={token}",
        headers={**urllib3.make_headers(basic_auth=f"{app_id}:{secret}"), "Accept": accept},
        timeout=30,
    )


def test_a_machines_token_has_no_sub_as_with_real_servers(issuer):
    token = issuer.mint_opaque("app-admin", scopes=["read:orders", "write:orders"], lifetime=60)
    answer = ask(issuer, token).json()
    assert answer["exp"] - answer["iat"] == 60
    assert {name: answer[name] for name in answer if name not in ("exp", "iat")} == {
        "active": True,
        "iss": issuer.url,
        "aud": SHOPPING_API,
        "client_id": "app-admin",
        "token_type": "Bearer",
        "scope": "read:orders write:orders",
    }


def test_a_persons_token_and_other_members(issuer):
    token = issuer.mint_opaque(user_id="alice", claims={"aud": REMOVED, "tenant": "blue"})
    answer = ask(issuer, token).json()
    assert (answer["sub"], answer["username"], answer["tenant"]) == ("alice", "alice", "blue")
    assert not {"aud", "scope"} & answer.keys()


@pytest.mark.parametrize("why", ["unknown", "revoked", "expired"])
def test_any_other_token_is_inactive(issuer, why):
    token = issuer.mint_opaque_token() if why == "unknown" else issuer.mint_opaque(lifetime=60)
    assert ask(issuer, token).json()["active"] is (why != "unknown")
    if why == "revoked":
        issuer.revoke(token)
        issuer.revoke(token)  # a second time changes nothing
    if why == "expired":
        issuer.clock.advance(seconds=61)
    assert ask(issuer, token).json() == {"active": False}


def test_only_applications_may_ask(issuer):
    token = issuer.mint_opaque()
    assert ask(issuer, token, secret="wrong").status == 401
    assert ask(issuer, token, app_id="nobody").status == 400
    assert urllib3.request("GET", issuer.introspection_endpoint, timeout=30).status == 404


def test_the_answer_is_signed_if_that_is_asked_for(issuer):
    accept = "application/token-introspection+jwt"
    answer = ask(issuer, issuer.mint_opaque(), accept=accept)
    assert answer.headers["Content-Type"] == accept
    assert answer.data.count(b".") == 2


@pytest.mark.parametrize("mistake", [{"scopes": "read:orders"}, {"app_id": ["app-orders"]}])
def test_a_mistake_is_an_error(issuer, mistake):
    with pytest.raises(TypeError):
        issuer.mint_opaque(**mistake)


@pytest.mark.parametrize("introspects", [True, False])
def test_an_application_that_introspects_can_trust_a_local_issuer(introspects):
    ours = Introspection(client_id="api", authentication=ClientSecret("secret"), audience_required=False, ttl=0)
    real = Issuer(url="https://issuer.example", introspection=ours if introspects else None)
    api = ResourceServer(real, SHOPPING_API)
    with LocalIssuer(served=False) as local, trusting(api, local):
        assert api.verify(local.mint()).app_id == "app-orders"
        token = local.mint_opaque(claims={"aud": REMOVED})
        if not introspects:
            with pytest.raises(InvalidToken, match="malformed"):
                api.verify(token)
            return
        assert api.verify(token).app_id == "app-orders"
        local.revoke(token)
        with pytest.raises(InvalidToken, match="inactive"):
            api.verify(token)
