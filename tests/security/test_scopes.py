"""The claims that scopes are read from, and their forms (RFC 9068 section 2.2.3, RFC 6749 section 3.3)."""

import pytest

from m2mguard import InvalidToken, Requirement
from tests.security.forge import ACCEPTED, REMOVED, mint, outcome, server, stable_id

CLAIM = (401, "claim")
AS_LIST = {"scope_lists": ["scope"]}
NO_SCOPES: list[object] = [
    None,
    7,
    1.5,
    True,
    False,
    {},
    {"read:orders": True},
    [7],
    ["read:orders", None],
    [["read:orders"]],
    [{}],
]


def scopes(value, *, name="scp", listed=None):
    guard = server(issuer={"scope_lists": [name] if listed is None else listed})
    return set(guard.verify(mint({"scope": REMOVED, name: value})).scopes)


@pytest.mark.parametrize("name", ["scp", "permissions", "roles", "scope", "https://shopping.api/scopes"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["read:orders", "write:orders"], {"read:orders", "write:orders"}),
        ("read:orders write:orders", {"read:orders", "write:orders"}),
        ("read:orders", {"read:orders"}),
        (["read:orders", "read:orders"], {"read:orders"}),
        (" read:orders  write:orders ", {"read:orders", "write:orders"}),
        ([], set()),
        ([""], set()),
        ("", set()),
        (" ", set()),
        (REMOVED, set()),
        ("a\tb", {"a\tb"}),
        ("a,b", {"a,b"}),
    ],
    ids=stable_id,
)
def test_a_claim_of_scope_lists_may_be_a_list_or_a_string(name, value, expected):
    assert scopes(value, name=name) == expected


@pytest.mark.parametrize("name", ["scp", "scope"])
@pytest.mark.parametrize("value", NO_SCOPES, ids=stable_id)
def test_a_claim_of_scope_lists_in_another_form_refuses_the_token(name, value):
    guard = server(issuer={"scope_lists": [name]})
    assert outcome(guard, mint({"scope": REMOVED, name: value})) == CLAIM
    assert outcome(guard, mint({"scope": REMOVED, name: ["read:orders"]})) == ACCEPTED


@pytest.mark.parametrize("scope", [[], [""], ["read:orders"], ["read:orders", "write:orders"], [7]], ids=stable_id)
def test_scope_as_a_list_is_refused_with_advice_unless_configured(scope):
    for listed in ((), ("scp",), ("scopes", "Scope")):
        with pytest.raises(InvalidToken) as error:
            server(issuer={"scope_lists": listed}).verify(mint({"scope": scope}))
        assert error.value.reason == "claim"
        assert 'set scope_lists=["scope"]' in error.value.detail
        assert "read:orders" not in error.value.detail


def test_a_scope_list_satisfies_requirements_like_a_string():
    guard = server(issuer=AS_LIST)
    for value in (["read:orders", "write:orders"], "read:orders write:orders"):
        token = mint({"scope": value})
        assert outcome(guard, token, Requirement(scopes=["read:orders", "write:orders"])) == ACCEPTED
        assert outcome(guard, token, Requirement(scopes=["read:order"])) == (403, "scope")


@pytest.mark.parametrize("name", ["scp", "scope"])
@pytest.mark.parametrize(
    "member", ["read:orders write:orders", "read:orders ", " read:orders", "read:orders  ", " ", "Order Reader"]
)
def test_a_member_with_a_space_never_becomes_a_scope(name, member):
    """A scope has no spaces (RFC 6749 section 3.3). A member that is split, or joined with others, grants other scopes."""
    guard = server(issuer={"scope_lists": [name]})
    for value in ([member], [member, "list:orders"]):
        token = mint({"scope": REMOVED, name: value})
        assert guard.verify(token).scopes == set(value) - {member}
        for scope in ("read:orders", "write:orders", "Order", "Reader"):
            assert outcome(guard, token, Requirement(scopes=[scope])) == (403, "scope")
            assert outcome(guard, token, Requirement(any_scope=[scope])) == (403, "scope")
    assert tuple(guard.verify(token).claims[name]) == (member, "list:orders")


def test_all_claims_of_scope_lists_and_scope_are_combined():
    guard = server(issuer={"scope_lists": ["scp", "roles", "scope"]})
    token = mint({"scope": ["a"], "scp": "b c", "roles": ["d", "a"], "permissions": ["e"]})
    assert guard.verify(token).scopes == {"a", "b", "c", "d"}
    assert outcome(guard, mint({"scope": "a", "scp": ["b"], "roles": 7})) == CLAIM


def test_an_audience_prefix_of_a_scope_is_found_in_a_list_too():
    settings = {"audience_in_scope": True, "required_claims": ["iss", "exp"], "scope_lists": ["scope"]}
    guard = server(issuer=settings)
    assert outcome(guard, mint({"aud": REMOVED, "scope": ["https://shopping.api/read"]})) == ACCEPTED
    assert outcome(guard, mint({"aud": REMOVED, "scope": ["https://other.api/x https://shopping.api/read"]})) == (
        401,
        "audience",
    )
