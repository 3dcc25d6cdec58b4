"""Grants: the settings say which App ID has which scopes, by patterns of whole segments."""

import pickle
import re
from dataclasses import replace

import pytest

from m2mguard import ConfigurationError, Issuer, Requirement, ResourceServer
from m2mguard._token.name_patterns import Grants, name_pattern
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.refusals import ACCEPTED, outcome_of

URL = "https://issuer.example"


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("a:b", "a:b", True),
        ("a:b", "a:b:c", False),
        ("a:b", "x:a:b", False),
        ("a:b", "A:b", False),
        ("a:b", "a:b\n", False),
        ("a.b", "aXb", False),
        ("a:(b|c)", "a:b", False),
        ("a:*", "a:b", True),
        ("a:*", "a:b.c-d_e", True),
        ("a:*", "a:", False),
        ("a:*", "a:b:c", False),
        ("a:*", "a:b/c", False),
        ("a:*", "a", False),
        ("*:b", "a:b", True),
        ("*:b", "x:a:b", False),
        ("a:*:c", "a:b:c", True),
        ("a:*:c", "a:b:b:c", False),
        ("spiffe://example.org/ns/*/sa/orders", "spiffe://example.org/ns/shop/sa/orders", True),
        ("spiffe://example.org/ns/*/sa/orders", "spiffe://example.org/ns/shop/x/sa/orders", False),
        ("spiffe://example.org/*", "spiffe://example.org.evil.example/a", False),
    ],
)
def test_a_pattern_is_exact_but_for_whole_segments(pattern, name, matches):
    assert bool(name_pattern("grants", pattern).fullmatch(name)) is matches


def test_the_scopes_of_all_matching_patterns_count():
    grants = Grants({"a:b": ["read"], "a:*": ["list"], "*:b": ["write", "list"], "c": ["admin"]})
    assert grants.scopes_of("a:b") == {"read", "list", "write"}
    assert grants.scopes_of("a:c") == {"list"}
    assert grants.scopes_of("a:*") == {"list"}  # a star in an App ID has no meaning
    assert grants.scopes_of("") == grants.scopes_of("b") == frozenset()


@pytest.mark.parametrize(
    ("grants", "message"),
    [
        ({}, "grants must be a non-empty dict"),
        ("a:b", "must be a non-empty dict of App IDs"),
        ({"": ["a"]}, "non-empty, without white space"),
        ({" a": ["a"]}, "without white space around"),
        ({7: ["a"]}, "grants must have App IDs as names"),
        ({"*": ["a"]}, "'*' would match any name"),
        ({"*:*": ["a"]}, "'*:*' would match any name"),
        ({"*://*": ["a"]}, "'*://*' would match any name"),
        ({"a:**": ["a"]}, "'*' is not a whole segment"),
        ({"a:b*": ["a"]}, "in 'a:b*' a '*' is not a whole segment"),
        ({"a*": ["a"]}, "in 'a*' a '*'"),
        ({"a": []}, "grants['a'] is empty"),
        ({"a": "read"}, "grants['a'] must be a list of scopes"),
        ({"a": ["read write"]}, "'read write' is no scope"),
        ({"a": [""]}, "grants['a'] must hold non-empty strings"),
        ({"a": None}, "grants['a'] must be a list"),
    ],
    ids=str,
)
def test_an_invalid_grant_is_rejected_with_advice(grants, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        Issuer(url=URL, grants=grants)


@pytest.mark.parametrize("audience", ["*", "a*", "*:*"])
def test_an_invalid_default_audience_is_rejected(audience):
    with pytest.raises(ConfigurationError, match="default_audiences"):
        Issuer(url=URL, default_audiences=[audience])
    assert Issuer(url=URL, default_audiences=["https://github.com/*"])


@pytest.mark.parametrize(
    "others", [{"scope_lists": ["scp"]}, {"audience_in_scope": True, "required_claims": ["iss", "exp"]}], ids=str
)
def test_grants_and_scopes_of_tokens_exclude_each_other(others):
    assert Issuer(url=URL, **others)
    with pytest.raises(ConfigurationError, match="grants replaces the scopes of tokens"):
        Issuer(url=URL, grants={"a": ["read"]}, **others)


def test_grants_cannot_be_changed_and_stay_in_a_changed_issuer():
    given = {"a": ["read"]}
    issuer = Issuer(url=URL, grants=given)
    given["b"] = ["read"]
    assert replace(issuer, url=f"{URL}/x").grants == {"a": {"read"}}
    with pytest.raises(TypeError):
        issuer.grants["a"] = frozenset({"admin"})
    assert hash(issuer) == hash(replace(issuer))


def test_grants_replace_the_scopes_of_a_token_for_machines_and_people():
    with LocalIssuer(served=False) as local:
        issuer = Issuer(url=local.url, jwks=local.jwks, grants={"app-orders": ["read:orders"]})
        server = ResourceServer(issuer, audience=SHOPPING_API, machine_only=False)
        token = local.mint("app-orders", scopes=["admin"])
        assert server.verify(token).scopes == {"read:orders"}
        assert outcome_of(lambda: server.verify(token, Requirement(scopes=["read:orders"]))) == ACCEPTED
        assert outcome_of(lambda: server.verify(token, Requirement(scopes=["admin"]))) == (403, "scope")
        assert server.verify(local.mint("app-billing", scopes=["read:orders"])).scopes == frozenset()
        person = server.verify(local.mint_user_token(app_id="app-orders", scopes=["read:orders"]))
        assert (person.app_id, person.scopes) == ("app-orders", frozenset())
        assert pickle.loads(pickle.dumps(server.verify(token))).scopes == {"read:orders"}


def test_grants_come_from_the_environment_as_json():
    def issuer_of(grants: str) -> Issuer:
        environment = {"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": SHOPPING_API, "M2MGUARD_GRANTS": grants}
        return ResourceServer.from_env(environment).settings.issuers[0]

    assert issuer_of('{"a:*": ["read"]}').grants == {"a:*": {"read"}}
    for text, message in (
        ("a:read", "M2MGUARD_GRANTS cannot be read; give valid JSON"),
        ('{"a": ["read"], "a": ["admin"]}', "M2MGUARD_GRANTS cannot be read"),
        ('["a"]', "M2MGUARD_GRANTS cannot be read"),
        ('{"*": ["read"]}', "would match any name"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            issuer_of(text)
