"""What an active token must say. Each refusal has a twin that is accepted; all answers come over real HTTP."""

import pytest

from m2mguard import InsufficientScope, InvalidToken, Issuer, Requirement, ResourceServer
from m2mguard._cli.certificate_file import NoRequest
from m2mguard._token.confirmation import thumbprint_of
from m2mguard.testing import REMOVED, SHOPPING_API
from tests.refusals import ACCEPTED, outcome_of

NOW = 1_800_000_000


def refusal(api, token, requirement=None):
    with pytest.raises((InvalidToken, InsufficientScope)) as refused:
        api.verify(token, requirement)
    return refused.value.reason, refused.value.problem, refused.value.claim


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"exp": NOW - 29}, None),
        ({"exp": NOW - 30}, ("expired", None, "exp")),
        ({"exp": str(NOW + 60)}, ("claim", "wrong_type", "exp")),
        ({"exp": True}, ("claim", "wrong_type", "exp")),
        ({"exp": None}, ("claim", "missing", "exp")),
        ({"exp": REMOVED}, ("claim", "missing", "exp")),
        ({"nbf": NOW + 30}, None),
        ({"nbf": NOW + 31}, ("not_yet_valid", "contradiction", "nbf")),
        ({"iat": NOW + 30}, None),
        ({"iat": NOW + 31}, ("not_yet_valid", "contradiction", "iat")),
        ({"iat": REMOVED}, None),
        ({"aud": [SHOPPING_API, "https://other.api"]}, None),
        ({"aud": "https://other.api"}, ("audience", None, "aud")),
        ({"aud": SHOPPING_API + "/"}, ("audience", None, "aud")),
        ({"aud": []}, ("audience", None, "aud")),
        ({"aud": REMOVED}, ("audience", None, "aud")),
        ({"aud": None}, ("audience", None, "aud")),
        ({"aud": {"aud": SHOPPING_API}}, ("audience", "wrong_type", "aud")),
        ({"iss": REMOVED}, None),
        ({"iss": "https://other.example"}, ("unknown_issuer", "contradiction", "iss")),
        ({"iss": ["a list"]}, ("unknown_issuer", "contradiction", "iss")),
        ({"client_id": REMOVED}, ("claim", "missing", "client_id")),
        ({"client_id": ""}, ("claim", "wrong_type", "client_id")),
        ({"client_id": ["app-orders"]}, ("claim", "wrong_type", "client_id")),
        ({"scope": ["read:orders"]}, ("claim", "wrong_type", "scope")),
        ({"sub": 7}, ("claim", "wrong_type", "sub")),
        ({"token_type": "bearer"}, None),
        ({"token_type": "access_token"}, None),
        ({"token_type": REMOVED}, None),
        ({"token_type": "DPoP"}, ("claim", "bound", "token_type")),
        ({"token_type": "refresh_token"}, ("token_type", None, "token_type")),
        ({"token_type": 1}, ("token_type", None, "token_type")),
        ({"token_use": "access_token"}, None),
        ({"token_use": "refresh_token"}, ("token_type", None, "token_use")),
        ({"cnf": {"jkt": "a thumbprint"}}, ("claim", "bound", "cnf")),
        ({"cnf": None}, None),
    ],
    ids=str,
)
def test_each_member_is_checked(api, issuer, claims, expected):
    token = issuer.mint_opaque(claims=claims, scopes=["read:orders"], lifetime=600)
    issuer.clock_error = -600  # so that the issuer itself calls each of them active
    if expected is None:
        assert api.verify(token).app_id == "app-orders"
    else:
        assert refusal(api, token) == expected


@pytest.mark.parametrize(
    ("claims", "is_machine"),
    [
        ({}, True),
        ({"sub": "app-orders"}, True),
        ({"sub": "app-orders", "username": "app-orders"}, True),
        ({"username": "app-orders"}, True),
        ({"username": "alice"}, False),
        ({"sub": "alice"}, False),
        ({"sub": "alice", "username": "alice"}, False),
        ({"acr": "1"}, False),
        ({"sub": "app-orders", "amr": ["pwd"]}, False),
        ({"act": {"sub": "alice"}}, False),
    ],
    ids=str,
)
def test_a_machine_has_no_sub_or_its_own_id_and_no_sign_of_a_person(make_api, issuer, claims, is_machine):
    token = issuer.mint_opaque(claims=claims)
    caller = make_api(machine_only=False).verify(token)
    assert (caller.app_id, caller.is_machine) == ("app-orders", is_machine)
    assert caller.subject == claims.get("sub", "app-orders")
    if not is_machine:
        assert refusal(make_api(), token)[0] == "not_a_machine"


@pytest.mark.parametrize(("sub", "is_machine"), [("app-orders", True), ("alice", False)])
def test_a_username_of_a_plain_issuer_is_a_person(issuer, sub, is_machine):
    """Someone may be named as an application is; RFC 7662 gives `username` to people only."""
    plain = Issuer(url=issuer.url, jwks_uri=issuer.jwks_uri, introspection=issuer.introspecting().introspection)
    api = ResourceServer(plain, SHOPPING_API, machine_only=False, clock=issuer.clock)
    token = issuer.mint_opaque(claims={"sub": "app-orders", "username": sub})
    assert api.verify(token).is_machine == is_machine


def test_the_requirement_is_that_of_jwts(api, issuer):
    token = issuer.mint_opaque(scopes=["read:orders"])
    api.verify(token, Requirement(scopes=["read:orders"], app_ids=["app-orders"]))
    assert refusal(api, token, Requirement(scopes=["write:orders"]))[0] == "scope"
    assert refusal(api, token, Requirement(app_ids=["app-admin"]))[0] == "application"
    of_organization = issuer.mint_opaque(claims={"organization_id": "org-blue"})
    assert refusal(api, of_organization)[0] == "organization"
    assert api.verify(of_organization, Requirement(organization="org-blue")).organization_id == "org-blue"


def test_grants_of_the_settings_count_for_opaque_tokens(issuer):
    plain = Issuer(
        url=issuer.url,
        jwks={"keys": []},
        grants={"app-orders": ["read:orders"]},
        introspection=issuer.introspecting(timeout=30).introspection,
    )
    api = ResourceServer(plain, SHOPPING_API, clock=issuer.clock)
    assert api.verify(issuer.mint_opaque(scopes=["write:orders"])).scopes == {"read:orders"}
    assert api.verify(issuer.mint_opaque("app-admin", scopes=["write:orders"])).scopes == set()


@pytest.mark.parametrize("audience_required", [True, False])
def test_only_a_named_relaxation_accepts_an_answer_without_audience(make_api, issuer, audience_required):
    api = make_api(introspection={"audience_required": audience_required})
    token = issuer.mint_opaque(claims={"aud": REMOVED})
    if audience_required:
        assert refusal(api, token) == ("audience", None, "aud")
    else:
        assert api.verify(token).audience == SHOPPING_API
    for wrong in ("https://other.api", [], ""):
        assert refusal(api, issuer.mint_opaque(claims={"aud": wrong}))[0] == "audience"


def test_the_members_are_the_claims_and_read_only(api, issuer):
    caller = api.verify(issuer.mint_opaque(claims={"tags": ["a"], "nothing": None}))
    assert (caller.claims["tags"], caller.claims["active"]) == (("a",), True)
    assert "nothing" not in caller.claims
    with pytest.raises(TypeError):
        caller.claims["tags"] = ()


def test_a_jwt_is_verified_and_nobody_asked(api, issuer):
    assert api.verify(issuer.mint()).app_id == "app-orders"
    with pytest.raises(InvalidToken) as refused:
        api.verify("three.opaque.parts")
    assert refused.value.reason == "malformed"
    assert issuer.count("introspection") == 0


@pytest.mark.parametrize("token", ["one.dot", "f.i.v.e.s", "a~b+c/d==", "x" * 16_377])
def test_any_other_credential_is_asked_about(api, issuer, token):
    assert refusal(api, token)[0] == "inactive"
    assert issuer.count("introspection") == 1


@pytest.mark.parametrize(
    ("token", "problem"),
    [("", "credential"), ("a b", "credential"), ("ä", "credential"), ("a=b", "credential"), ("x" * 16_378, "too_long")],
    ids=repr,
)
def test_what_is_no_credential_is_not_asked_about(api, issuer, token, problem):
    assert refusal(api, token)[:2] == ("malformed", problem)
    assert issuer.count("introspection") == 0


def test_an_opaque_token_stays_malformed_without_introspection(issuer):
    with pytest.raises(InvalidToken) as refused:
        ResourceServer(issuer.trusted, SHOPPING_API).verify(issuer.mint_opaque())
    assert refused.value.reason == "malformed"


def test_an_opaque_token_that_is_bound_to_a_certificate_is_for_it_only(api, issuer):
    certificate, other = b"certificate", b"another one"
    token = issuer.mint_opaque(claims={"cnf": {"x5t#S256": thumbprint_of(certificate)}})

    def send(shown):
        return outcome_of(lambda: api.authenticate([f"Bearer {token}"], head=NoRequest(), certificate=lambda _: shown))

    assert send(certificate) == ACCEPTED
    assert send(other) == send(None) == (401, "certificate")
    assert refusal(api, token) == ("claim", "bound", "cnf")
