"""The content of a token request, and settings that are rejected before a request is sent."""

import base64
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import pytest

from m2mguard import ConfigurationError
from m2mguard._authentication.proof import Client, Proof
from m2mguard._authentication.secret import ClientSecret
from m2mguard.client import TokenSource
from m2mguard.client._token_request import encoded, token_target

CANARY = "p:a ss/w+\u00f6rd&=%"


def proof_of(client_id: str, *how) -> Proof:
    client = Client(client_id=client_id, authentication=ClientSecret(*how))
    return client.proof(issuer="https://issuer.example", now_s=0)


def form(proof: Proof, **wanted) -> dict[str, list[str]]:
    target = token_target(
        wanted.get("resource"), wanted.get("scopes", ()), wanted.get("organization_id"), wanted.get("parameters")
    )
    return parse_qs(encoded(proof, target).decode(), strict_parsing=True)


def test_basic_credentials_are_form_urlencoded_before_base64():
    proof = proof_of("app:1", CANARY)
    scheme, _, encoded_pair = proof.headers["Authorization"].partition(" ")
    pair = base64.b64decode(encoded_pair, validate=True).decode("ascii")
    assert (scheme, [unquote_plus(part) for part in pair.split(":")]) == ("Basic", ["app:1", CANARY])
    assert form(proof) == {"grant_type": ["client_credentials"]}


def test_client_secret_post_sends_the_credentials_only_in_the_body():
    proof = proof_of("app:1", CANARY, "client_secret_post")
    assert proof.headers == {}
    assert form(proof) == {
        "grant_type": ["client_credentials"],
        "client_id": ["app:1"],
        "client_secret": [CANARY],
    }


def test_a_request_contains_every_parameter_of_its_target():
    proof = proof_of("app", CANARY)
    sent = form(
        proof,
        resource="https://shopping.api",
        scopes=["write:orders", "read:orders", "read:orders"],
        organization_id="org-7",
        parameters={"audience": "https://shopping.api"},
    )
    assert sent == {
        "grant_type": ["client_credentials"],
        "resource": ["https://shopping.api"],
        "scope": ["read:orders write:orders"],
        "organization_id": ["org-7"],
        "audience": ["https://shopping.api"],
    }


def test_equal_parameters_make_equal_targets():
    one = token_target("https://a.api", ["x", "y"], None, {"b": "2", "a": "1"})
    assert one == token_target("https://a.api", {"y", "x"}, None, {"a": "1", "b": "2"})
    others = [
        token_target("https://a.api/", ["x", "y"], None, {"b": "2", "a": "1"}),
        token_target("https://a.api", ["x"], None, {"b": "2", "a": "1"}),
        token_target("https://a.api", ["x", "y"], "org", {"b": "2", "a": "1"}),
        token_target("https://a.api", ["x", "y"], None, {"b": "2"}),
    ]
    assert len({one, *others}) == 5


GENERAL: dict[str, Any] = {"issuer": "https://issuer.example", "client_id": "app", "client_secret": CANARY}


@pytest.mark.parametrize(
    ("changed", "setting"),
    [
        ({"issuer": None}, "token_endpoint"),
        ({"issuer": "http://issuer.example"}, "issuer"),
        ({"issuer": "https://issuer.example?tenant=1"}, "issuer"),
        ({"token_endpoint": "http://issuer.example/token"}, "token_endpoint"),
        ({"token_endpoint": "https://app:secret@issuer.example/token"}, "token_endpoint"),
        ({"client_id": ""}, "client_id"),
        ({"client_id": None}, "client_id"),
        ({"client_secret": ""}, "client_secret"),
        ({"client_secret": CANARY + "\n"}, "line break"),
        ({"client_secret": CANARY.encode()}, "client_secret"),
        ({"client_authentication": "private_key_jwt"}, "client_authentication"),
        ({"resource": "shopping"}, "absolute URI"),
        ({"resource": "https://shopping.api "}, "resource"),
        ({"resource": "https://shopping.api#part"}, "resource"),
        ({"resource": 7}, "resource"),
        ({"scopes": "read:orders"}, "scopes"),
        ({"scopes": ["read:orders write:orders"]}, "several list members"),
        ({"scopes": [""]}, "scopes"),
        ({"organization_id": " "}, "organization_id"),
        ({"parameters": {"scope": "all"}}, "scope cannot be given there"),
        ({"parameters": {"client_secret": "x"}}, "client_secret cannot be given there"),
        ({"parameters": {"audience": 7}}, "parameters"),
        ({"parameters": ["audience"]}, "parameters"),
        ({"missing_scope": "maybe"}, "missing_scope"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"clock": 7}, "clock"),
        ({"on_event": 7}, "on_event"),
        ({"transport": object()}, "transport"),
    ],
)
def test_an_invalid_setting_is_rejected_by_name_without_the_secret(changed, setting):
    with pytest.raises(ConfigurationError, match=setting) as raised:
        TokenSource(**(GENERAL | changed))
    assert CANARY not in str(raised.value)


def test_an_issuer_or_a_token_endpoint_is_enough():
    found = TokenSource(**GENERAL)
    given = TokenSource(**(GENERAL | {"issuer": None, "token_endpoint": "https://issuer.example/token"}))
    assert CANARY not in repr(found) + repr(given)


@pytest.mark.parametrize(
    ("endpoint", "target", "setting"),
    [
        ("https://tenant.logto.app/oidc", {"resource": "https://shopping.api"}, "without '/oidc'"),
        ("http://tenant.logto.app", {"resource": "https://shopping.api"}, "endpoint"),
        ("https://tenant.logto.app", {}, "resource is missing"),
    ],
)
def test_settings_that_logto_always_refuses_are_rejected_at_once(endpoint, target, setting):
    with pytest.raises(ConfigurationError, match=setting):
        TokenSource.logto(endpoint, "app", CANARY, **target)
