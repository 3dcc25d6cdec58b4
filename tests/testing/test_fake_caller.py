"""`fake_caller`: what it is given it says in one way only, and a misspelt argument is named."""

import time

import pytest

from m2mguard.testing import fake_caller


@pytest.mark.parametrize(
    ("keyword", "meant"),
    [
        ("scope", "scopes"),
        ("organisation_id", "organization_id"),
        ("organization", "organization_id"),
        ("userid", "user_id"),
        ("aud", "audience"),
        ("iss", "issuer"),
        ("exp", "expires_at"),
        ("sub", "app_id"),
    ],
)
def test_a_wrong_argument_is_a_type_error_that_names_the_right_one(keyword, meant):
    with pytest.raises(TypeError, match=rf"^fake_caller\(\) .*'{keyword}': did you mean '{meant}'\?$"):
        fake_caller(**{keyword: "x"})


def test_an_argument_like_no_other_is_told_all_there_are():
    with pytest.raises(TypeError, match=r"'roles': there are app_id, scopes, .*claims; other members go into claims="):
        fake_caller(roles=["admin"])
    assert fake_caller(claims={"roles": ["admin"]}).claims["roles"] == ("admin",)


@pytest.mark.parametrize("claim", ["iss", "sub", "client_id", "aud", "exp", "scope", "organization_id"])
def test_a_claim_that_has_an_argument_is_not_taken_twice(claim):
    with pytest.raises(TypeError, match=rf"^{claim} in claims="):
        fake_caller(claims={claim: "x"})
    assert fake_caller(claims={"jti": "x"}).claims["jti"] == "x"


def test_scopes_given_without_their_name_are_an_error():
    with pytest.raises(TypeError, match=r"scopes=\[\.\.\.\]"):
        fake_caller(["read:orders"])
    assert fake_caller("read:orders").scopes == frozenset()


@pytest.mark.parametrize("scopes", [["read\twrite"], ["read\n"], ["read write"], [""]])
def test_white_space_does_not_make_two_scopes_of_one(scopes):
    with pytest.raises(ValueError, match="is not one scope"):
        fake_caller(scopes=scopes)


@pytest.mark.parametrize("scopes", [b"read", [b"read"], [1], "read"], ids=repr)
def test_scopes_are_a_list_of_strings(scopes):
    with pytest.raises(TypeError, match="scopes is a list of s"):
        fake_caller(scopes=scopes)
    assert fake_caller(scopes=("read", "write")).scopes == fake_caller(scopes={"read", "write"}).scopes


def test_it_has_an_hour_unless_it_is_given_an_end():
    before = time.time()
    assert before + 3600 <= fake_caller().expires_at <= time.time() + 3600
    caller = fake_caller(expires_at=17.0)
    assert (caller.expires_at, caller.claims["exp"]) == (17.0, 17.0)


def test_a_person_has_two_names_and_a_machine_has_one():
    person, machine = fake_caller("app-web", user_id="user-alice"), fake_caller("app-web")
    assert (person.claims["sub"], person.claims["client_id"], person.is_machine) == ("user-alice", "app-web", False)
    assert (machine.claims["sub"], machine.claims["client_id"], machine.is_machine) == ("app-web", "app-web", True)
