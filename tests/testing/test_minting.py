"""Minted tokens beside those recorded from a real Logto: the same members, in the same order, of the same kinds."""

import json
import time
from pathlib import Path

import jwt
import pytest

from m2mguard.testing import REMOVED, SHOPPING_API, LocalIssuer, SigningKey

RECORDED = {
    token["name"]: token for token in json.loads((Path(__file__).parent.parent / "data/logto/tokens.json").read_text())
}
NOW = 1_795_350_000.75
ORGANIZATION = "0p6xttnkox5b"


@pytest.fixture(scope="module")
def mint():
    """An issuer that never serves: minting needs no connection."""
    with_recorded_name = LocalIssuer(issuer="http://127.0.0.1:3001/oidc", clock=lambda: NOW)
    yield with_recorded_name
    with_recorded_name.stop()


def header(token: str) -> dict[str, object]:
    return jwt.get_unverified_header(token)


def claims(token: str) -> dict[str, object]:
    return jwt.decode(token, options={"verify_signature": False})


@pytest.mark.parametrize(
    ("name", "minted"),
    [
        ("global-1scope", lambda mint, app: mint.mint(app, scopes=["read:orders"])),
        ("global-2scopes", lambda mint, app: mint.mint(app, scopes=("read:orders", "write:orders"))),
        ("global-noscope", lambda mint, app: mint.mint(app)),
        ("second-resource-no-role", lambda mint, app: mint.mint(app, audience="https://inventory.api")),
        (
            "org",
            lambda mint, app: mint.mint_organization_token(app, organization_id=ORGANIZATION, scopes=("read:members",)),
        ),
        ("org-noscope", lambda mint, app: mint.mint_organization_token(app, organization_id=ORGANIZATION)),
        (
            "org-api-resource",
            lambda mint, app: mint.mint(app, organization_id=ORGANIZATION, scopes=["read:orders"]),
        ),
        (
            "mapi-default-tenant",
            lambda mint, app: mint.mint(app, audience="https://default.logto.app/api", scopes=["all"]),
        ),
        (
            "user-token-global-resource",
            lambda mint, app: mint.mint_user_token(app_id=app, scopes=["read:orders"]),
        ),
    ],
)
def test_an_access_token_of_each_kind_has_exactly_logtos_members(mint, name, minted):
    recorded = RECORDED[name]
    token = minted(mint, recorded["claims"]["client_id"])
    assert list(header(token)) == list(recorded["header"])
    assert {**header(token), "kid": None} == {**recorded["header"], "kid": None}
    ours, theirs = claims(token), recorded["claims"]
    assert list(ours) == list(theirs)
    varying = {"jti", "iat", "exp"} | ({"sub"} if name.startswith("user") else set())
    assert {**ours, **dict.fromkeys(varying)} == {**theirs, **dict.fromkeys(varying)}
    assert len(str(ours["jti"])) == len(theirs["jti"])


def test_a_users_token_is_not_its_applications(mint):
    token = claims(mint.mint_user_token("user-bob", app_id="app-web"))
    assert (token["sub"], token["client_id"], "scope" in token) == ("user-bob", "app-web", False)


def test_an_id_token_has_no_type_and_no_client_id_but_the_same_key(mint):
    token = mint.mint_id_token()
    assert list(header(token)) == list(RECORDED["id-token"]["header"])
    assert "client_id" not in claims(token)
    assert claims(token)["aud"] == "app-web"
    assert set(claims(token)) <= set(RECORDED["id-token"]["claims"])
    assert header(token)["kid"] == mint.current_key.kid


def test_an_opaque_token_is_as_long_as_logtos(mint):
    assert len(mint.mint_opaque_token()) == len(RECORDED["user-token-opaque"]["token"]) == 43


def test_times_come_from_the_clock_in_whole_seconds_and_can_be_set(mint):
    assert (claims(mint.mint())["iat"], claims(mint.mint())["exp"]) == (1_795_350_000, 1_795_353_600)
    token = claims(mint.mint(issued_at=1000, lifetime=5))
    assert (token["iat"], token["exp"]) == (1000, 1005)


def test_a_negative_lifetime_makes_a_token_that_has_expired_and_was_valid_before(mint):
    token = claims(mint.mint(lifetime=-60))
    assert (token["iat"], token["exp"]) == (1_795_350_000 - 60 - 3600, 1_795_350_000 - 60)
    with pytest.raises(ValueError, match="never valid: lifetime=-60 alone makes one that expired a minute ago"):
        mint.mint(issued_at=1000, lifetime=-5)


def test_the_lifetime_is_the_issuers_unless_it_is_given():
    issuer = LocalIssuer(token_lifetime=60)
    token = claims(issuer.mint(issued_at=1000))
    assert token["exp"] == 1060


def test_a_token_grants_nothing_unless_the_test_names_scopes(mint):
    for minted in (mint.mint, mint.mint_user_token):
        assert "scope" not in claims(minted())
        assert claims(minted(scopes=["read:orders"]))["scope"] == "read:orders"
    assert claims(mint.mint_organization_token())["scope"] == ""


def test_any_claim_and_header_member_can_be_set_or_left_out(mint):
    token = mint.mint(
        claims={"aud": ["a", "b"], "exp": REMOVED, "roles": None},
        header={"kid": REMOVED, "typ": "JWT", "jku": "https://evil.example"},
    )
    assert claims(token)["aud"] == ["a", "b"]
    assert "exp" not in claims(token)
    assert claims(token)["roles"] is None
    assert header(token) == {"alg": "ES384", "typ": "JWT", "jku": "https://evil.example"}


def test_a_token_is_signed_by_the_current_key_or_the_one_given(mint):
    stranger = SigningKey.generate("ES256")
    for token, key in ((mint.mint(), mint.current_key), (mint.mint(key=stranger), stranger)):
        public = jwt.PyJWK(key.public_jwk)
        assert header(token) == {"alg": key.algorithm, "typ": "at+jwt", "kid": key.kid}
        verified = jwt.decode(token, public, [key.algorithm], audience=SHOPPING_API, options={"verify_exp": False})
        assert verified["sub"] == "app-orders"


def test_no_two_tokens_are_equal(mint):
    assert len({mint.mint(issued_at=1) for _ in range(10)}) == 10


def test_one_string_is_not_taken_for_a_list_of_scopes(mint):
    for minted in (mint.mint, mint.mint_user_token, mint.mint_organization_token):
        with pytest.raises(TypeError, match="not one string"):
            minted(scopes="read:orders")


@pytest.mark.parametrize("scopes", [["read:orders write:orders"], ["read:orders", ""], [" read:orders"]])
def test_what_is_not_one_scope_each_is_refused(mint, scopes):
    for minted in (mint.mint, mint.mint_user_token, mint.mint_organization_token):
        with pytest.raises(ValueError, match="is not one scope"):
            minted(scopes=scopes)
    assert claims(mint.mint(scopes=[], claims={"scope": " ".join(scopes)}))["scope"] == " ".join(scopes)


@pytest.mark.parametrize(
    ("method", "keyword", "meant"),
    [
        ("mint", "lifetme", "lifetime"),
        ("mint", "scope", "scopes"),
        ("mint", "audiance", "audience"),
        ("mint", "organisation_id", "organization_id"),
        ("mint_user_token", "issued_a", "issued_at"),
        ("mint_organization_token", "header_", "header"),
        ("mint_id_token", "appid", "app_id"),
    ],
)
def test_a_misspelt_keyword_is_a_type_error_that_names_the_right_one(mint, method, keyword, meant):
    with pytest.raises(TypeError, match=rf"^{method}\(\) .*'{keyword}': did you mean '{meant}'\?$"):
        getattr(mint, method)(**{keyword: ["x"]})


@pytest.mark.parametrize("method", ["mint", "mint_user_token", "mint_organization_token", "mint_id_token"])
def test_a_claim_as_keyword_is_a_type_error_that_says_where_claims_go(mint, method):
    with pytest.raises(TypeError, match=r"'roles': there are .*lifetime.*claims=\{…\}$"):
        getattr(mint, method)(roles=["admin"])
    assert claims(getattr(mint, method)(claims={"roles": ["admin"]}))["roles"] == ["admin"]


def test_an_id_token_has_no_scopes_to_name(mint):
    with pytest.raises(TypeError, match="'scopes': there are user_id, app_id, key,"):
        mint.mint_id_token(scopes=["read:orders"])


def test_the_time_is_looked_up_when_a_token_is_minted(monkeypatch):
    with LocalIssuer() as issuer:
        for now in (1_000_000_000.5, 2_000_000_000.5):
            monkeypatch.setattr(time, "time", lambda now=now: now)
            assert claims(issuer.mint())["iat"] == int(now)


@pytest.mark.parametrize("method", ["mint", "mint_user_token", "mint_organization_token", "mint_id_token"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exp": 1, "claims": {"exp": 2}}, "^exp is given twice"),
        ({"aud": REMOVED, "claims": {"aud": "x"}}, "^aud is given twice"),
        ({"exp": 1, "lifetime": 60}, "^exp and lifetime say the same"),
        ({"claims": {"exp": REMOVED}, "lifetime": 60}, "^exp and lifetime say the same"),
        ({"iat": 1, "issued_at": 1}, "^iat and issued_at say the same"),
        ({"claims": {"iat": 1}, "issued_at": 1}, "^iat and issued_at say the same"),
    ],
)
def test_a_claim_is_given_in_one_way(mint, method, options, message):
    with pytest.raises(TypeError, match=message):
        getattr(mint, method)(**options)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"exp": 1}, {"exp": 1}),
        ({"exp": REMOVED}, {"exp": None}),
        ({"nbf": 5, "iat": 4, "jti": "j"}, {"nbf": 5, "iat": 4, "jti": "j"}),
        ({"aud": ["a", "b"], "iss": "i", "sub": "s"}, {"aud": ["a", "b"], "iss": "i", "sub": "s"}),
        ({"client_id": REMOVED, "cnf": {"jkt": "x"}}, {"client_id": None, "cnf": {"jkt": "x"}}),
        ({"iat": 1, "lifetime": 60}, {"iat": 1}),
        ({"exp": 9, "issued_at": 4}, {"exp": 9, "iat": 4}),
        ({"act": {"sub": "b"}, "claims": {"roles": ["x"]}}, {"act": {"sub": "b"}, "roles": ["x"]}),
    ],
)
def test_a_claim_may_be_a_keyword(mint, options, expected):
    minted = claims(mint.mint(**options))
    assert {name: minted.get(name) for name in expected} == expected


def test_scopes_given_without_their_name_are_an_error(mint):
    with pytest.raises(TypeError, match=r"scopes=\[\.\.\.\]"):
        mint.mint(["read:orders"])
    assert claims(mint.mint("read:orders"))["sub"] == "read:orders"
