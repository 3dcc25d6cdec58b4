"""The claims of an access token: RFC 9068 sections 2.2 and 4, RFC 7519 section 4.1, RFC 9449 section 7.2."""

import json

import pytest

from m2mguard.errors import InsufficientScope, InvalidToken
from tests.security.forge import ACCEPTED, API, NOW, REMOVED, claims, inserted, mint, outcome, server, stable_id

GUARD = server()
LEEWAY = 30
TOKEN_TYPE, ISSUER, AUDIENCE = (401, "token_type"), (401, "unknown_issuer"), (401, "audience")
CLAIM, EXPIRED, EARLY = (401, "claim"), (401, "expired"), (401, "not_yet_valid")
MALFORMED = (401, "malformed")
NO_STRING = [None, 7, 1.5, True, [], ["app-orders"], {}, {"a": 1}]


@pytest.mark.parametrize(
    "typ",
    ["at+jwt", "at+JWT", "AT+JWT", "At+Jwt", "application/at+jwt", "application/at+JWT", "APPLICATION/AT+JWT"],
)
def test_typ_at_jwt_is_accepted_in_any_case_with_and_without_application(typ):
    assert outcome(GUARD, mint(with_header={"typ": typ})) == ACCEPTED


@pytest.mark.parametrize(
    "typ",
    [
        "JWT",
        "jwt",
        "",
        " ",
        "at+jwt ",
        " at+jwt",
        "at jwt",
        "at",
        "at+jwt+x",
        "xat+jwt",
        "text/at+jwt",
        "application/jwt",
        "application/application/at+jwt",
        "/at+jwt",
        "at+jwt; charset=utf-8",
        "application/at+jwt;q=1",
        "at+jwt\x00",
        "\uff41t+jwt",
        "at+\uff4awt",
        "logout+jwt",
        "id_token",
        "dpop+jwt",
        "secevent+jwt",
        "client-authentication+jwt",
        "JOSE",
    ],
)
def test_any_other_typ_is_refused(typ):
    """ID tokens, logout tokens, DPoP proofs and client assertions of the same issuer are no access tokens."""
    assert outcome(GUARD, mint(with_header={"typ": typ})) == TOKEN_TYPE


def test_a_header_without_typ_is_refused():
    assert outcome(GUARD, mint(with_header={"typ": REMOVED})) == TOKEN_TYPE


@pytest.mark.parametrize("typ", [None, 7, True, [], ["at+jwt"], {"at+jwt": 1}])
def test_a_typ_that_is_no_string_is_refused(typ):
    assert outcome(GUARD, mint(with_header={"typ": typ})) == MALFORMED
    lenient = server(issuer={"token_types": ["at+jwt", None]})
    assert outcome(lenient, mint(with_header={"typ": typ})) == MALFORMED
    assert outcome(lenient, mint(with_header={"typ": REMOVED})) == ACCEPTED


def test_a_type_of_an_issuer_is_compared_in_ascii():
    """Python converts the Kelvin sign to the letter k in lower case."""
    guard = server(issuer={"token_types": ["k+jwt"]})
    assert outcome(guard, mint(with_header={"typ": "K+JWT"})) == ACCEPTED
    assert outcome(guard, mint(with_header={"typ": "\u212a+jwt"})) == TOKEN_TYPE


@pytest.mark.parametrize(
    "iss",
    [
        "https://issuer.example/oidc/",
        "https://issuer.example/oid",
        "https://issuer.example/oidcx",
        "https://issuer.example/OIDC",
        "https://Issuer.example/oidc",
        "HTTPS://issuer.example/oidc",
        "http://issuer.example/oidc",
        "https://issuer.example:443/oidc",
        "https://issuer.example/%6fidc",
        "https://issuer.example/./oidc",
        "https://issuer.example//oidc",
        "https://issuer.example/oidc ",
        " https://issuer.example/oidc",
        "https://issuer.example/oidc\x00",
        "https://issuer.example/oidc#",
        "https://issuer.example/oidc?",
        "issuer.example",
        "",
        REMOVED,
        *NO_STRING,
        ["https://issuer.example/oidc"],
    ],
    ids=stable_id,
)
def test_iss_is_compared_exactly(iss):
    assert outcome(GUARD, mint({"iss": iss})) == ISSUER


@pytest.mark.parametrize("aud", [API, [API], [API, "https://other.api"], ["https://other.api", API], [API, API]])
def test_aud_may_be_a_string_or_a_list_with_our_audience(aud):
    assert outcome(GUARD, mint({"aud": aud})) == ACCEPTED


@pytest.mark.parametrize(
    "aud",
    [
        "https://shopping.api/",
        "https://shopping.ap",
        "https://shopping.api.evil.example",
        "https://Shopping.api",
        "HTTPS://shopping.api",
        "http://shopping.api",
        "shopping.api",
        "https://shopping.api ",
        "https://shopping.api https://other.api",
        "https://shopping.api,https://other.api",
        "*",
        "",
        "https://other.api",
        [],
        [""],
        ["https://other.api"],
        ["https://shopping.api/"],
        [API, 7],
        [API, None],
        [API, [API]],
        [[API]],
        [{"aud": API}],
        {API: API},
        {"0": API},
        None,
        7,
        True,
        "urn:logto:organization:org-1",
        "urn:logto:resource:organizations",
    ],
    ids=stable_id,
)
def test_any_other_aud_is_refused(aud):
    assert outcome(GUARD, mint({"aud": aud})) == AUDIENCE


def test_each_configured_audience_is_accepted_and_is_the_callers():
    guard = server(audience=[API, "https://second.api"])
    assert guard.verify(mint({"aud": "https://second.api"})).audience == "https://second.api"
    assert guard.verify(mint({"aud": ["https://x.api", API]})).audience == API
    assert outcome(guard, mint({"aud": "https://third.api"})) == AUDIENCE


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "sub", "client_id", "iat", "jti"])
def test_each_claim_rfc_9068_requires_is_required(name):
    expected = {"iss": ISSUER}.get(name, CLAIM)
    assert outcome(GUARD, mint({name: REMOVED})) == expected
    assert outcome(GUARD, mint({name: None})) == {"iss": ISSUER, "aud": AUDIENCE}.get(name, CLAIM)


@pytest.mark.parametrize("name", ["sub", "client_id", "jti"])
@pytest.mark.parametrize("value", ["", *NO_STRING], ids=stable_id)
def test_sub_client_id_and_jti_must_be_non_empty_strings(name, value):
    assert outcome(server(machine_only=False), mint({name: value})) == CLAIM


@pytest.mark.parametrize("name", ["sub", "client_id", "jti", "organization_id"])
def test_optional_string_claims_are_checked_if_present(name):
    guard = server(
        issuer={
            "required_claims": ["iss", "exp", "sub"],
            "is_machine": lambda claims: True,
            "organization_claim": "organization_id",
        }
    )
    assert outcome(guard, mint({"client_id": REMOVED, "jti": REMOVED})) == ACCEPTED
    assert outcome(guard, mint({name: 7})) == CLAIM
    assert outcome(guard, mint({name: ""})) == CLAIM


NO_NUMBER = [None, True, False, "", "1800003600", "1800003600.0", [], [NOW], {}, {"exp": NOW}]


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", NO_NUMBER, ids=stable_id)
def test_dates_must_be_json_numbers(name, value):
    assert outcome(GUARD, mint({name: value})) == CLAIM


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "raw", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 400, "9" * 5000, "0x7fffffff"]
)
def test_dates_must_be_finite_numbers_of_limited_length(name, raw):
    without = claims({name: REMOVED})
    assert outcome(GUARD, mint(payload=inserted(without, f'"{name}": {raw}'))) == MALFORMED


@pytest.mark.parametrize(
    ("exp", "expected"),
    [
        (NOW - LEEWAY + 1, ACCEPTED),
        (NOW - LEEWAY + 0.001, ACCEPTED),
        (NOW - LEEWAY, EXPIRED),
        (NOW - LEEWAY - 1, EXPIRED),
        (0, EXPIRED),
        (-0.0, EXPIRED),
        (-1, EXPIRED),
        (-1e308, EXPIRED),
        (1.8e9 + 60.5, ACCEPTED),
        (1e300, ACCEPTED),
        (2**63, ACCEPTED),
    ],
)
def test_a_token_expires_at_exp_plus_leeway(exp, expected):
    assert outcome(GUARD, mint({"exp": exp})) == expected


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (NOW + LEEWAY, ACCEPTED),
        (NOW + LEEWAY + 0.001, EARLY),
        (NOW + LEEWAY + 1, EARLY),
        (NOW, ACCEPTED),
        (0, ACCEPTED),
        (-5, ACCEPTED),
        (1.5, ACCEPTED),
        (1e308, EARLY),
    ],
)
def test_a_token_is_not_valid_before_nbf_or_iat_minus_leeway(name, start, expected):
    assert outcome(GUARD, mint({name: start})) == expected


def test_without_leeway_dates_apply_to_the_second():
    guard = server(leeway=0)
    assert outcome(guard, mint({"exp": NOW + 1, "nbf": NOW, "iat": NOW})) == ACCEPTED
    assert outcome(guard, mint({"exp": NOW})) == EXPIRED
    assert outcome(guard, mint({"nbf": NOW + 1})) == EARLY
    assert outcome(guard, mint({"iat": NOW + 1})) == EARLY


def test_nbf_may_be_missing():
    assert "nbf" not in claims()
    assert outcome(GUARD, mint()) == ACCEPTED


def test_a_cached_token_expires_like_any_other():
    now = NOW
    guard = server(clock=lambda: now)
    token = mint({"exp": NOW + 60, "nbf": NOW - 5})
    assert outcome(guard, token) == ACCEPTED
    now = NOW + 60 + LEEWAY - 0.001
    assert outcome(guard, token) == ACCEPTED
    now = NOW + 60 + LEEWAY
    assert outcome(guard, token) == EXPIRED
    now = NOW - 60
    assert outcome(guard, token) == EARLY


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("read:orders", {"read:orders"}),
        ("read:orders write:orders", {"read:orders", "write:orders"}),
        ("read:orders  write:orders", {"read:orders", "write:orders"}),
        (" read:orders ", {"read:orders"}),
        ("read:orders read:orders", {"read:orders"}),
        ("", set()),
        (" ", set()),
        (REMOVED, set()),
        ("a\tb", {"a\tb"}),
        ("a\nb", {"a\nb"}),
        ("a\u00a0b", {"a\u00a0b"}),
        ("a,b", {"a,b"}),
        ("read:orders\x00", {"read:orders\x00"}),
        ("READ:ORDERS", {"READ:ORDERS"}),
        ('["a"]', {'["a"]'}),
    ],
    ids=stable_id,
)
def test_scope_is_split_only_on_spaces(scope, expected):
    assert GUARD.verify(mint({"scope": scope})).scopes == expected


@pytest.mark.parametrize("scope", [None, 7, 1.5, True, [], ["read:orders"], {}, {"read:orders": True}], ids=stable_id)
def test_a_token_whose_scope_is_no_string_is_refused(scope):
    assert outcome(GUARD, mint({"scope": scope})) == CLAIM


@pytest.mark.parametrize("name", ["scp", "permissions", "roles", "scopes"])
def test_scopes_are_read_only_from_scope_unless_configured(name):
    token = mint({"scope": REMOVED, name: ["read:orders"]})
    assert GUARD.verify(token).scopes == frozenset()
    assert server(issuer={"scope_lists": [name]}).verify(token).scopes == {"read:orders"}
    for wrong in (None, [7], {"read:orders": 1}, 7):
        assert outcome(server(issuer={"scope_lists": [name]}), mint({name: wrong})) == CLAIM


@pytest.mark.parametrize(
    "cnf", [{"jkt": "x"}, {"x5t#S256": "x"}, {"jwk": {}}, {"kid": "x"}, {}, None, [], "x", 7, False], ids=stable_id
)
def test_a_token_bound_to_a_key_is_refused(cnf):
    assert outcome(GUARD, mint({"cnf": cnf})) == CLAIM


def test_other_claims_are_ignored():
    other_claims = {
        "azp": 7,
        "act": {"sub": "x"},
        "roles": None,
        "nonce": [],
        "active": False,
        "token_use": "id",
        "events": {},
    }
    assert outcome(GUARD, mint(other_claims)) == ACCEPTED


def test_a_persons_token_is_a_403_if_it_is_otherwise_valid():
    person = {"sub": "person-1"}
    assert outcome(GUARD, mint(person)) == (403, "not_a_machine")
    assert outcome(GUARD, mint({**person, "exp": 1})) == EXPIRED
    assert outcome(GUARD, mint({**person, "aud": "x"})) == AUDIENCE
    for_all = server(machine_only=False)
    assert not for_all.verify(mint(person)).is_machine
    assert for_all.verify(mint()).is_machine
    with pytest.raises(InsufficientScope):
        GUARD.verify(mint(person))


def test_a_token_without_sub_and_client_id_is_no_machine_token():
    guard = server(issuer={"required_claims": ["iss", "exp"], "app_id_claim": "azp"})
    token = mint({"sub": REMOVED, "client_id": REMOVED, "azp": "app-orders"})
    assert outcome(guard, token) == (403, "not_a_machine")
    assert outcome(guard, mint({"azp": "app-orders"})) == ACCEPTED
    assert outcome(guard, mint({"sub": REMOVED, "client_id": REMOVED})) == CLAIM


@pytest.mark.parametrize("answer", [None, 0, "", []])
def test_the_result_of_is_machine_is_converted_to_bool(answer):
    assert outcome(server(issuer={"is_machine": lambda _: answer}), mint()) == (403, "not_a_machine")
    assert server(issuer={"is_machine": lambda _: "yes"}).verify(mint()).is_machine is True


def test_an_error_of_is_machine_refuses_the_token_without_its_text():
    def is_machine(claims):
        raise KeyError(claims["sub"])

    with pytest.raises(InvalidToken) as error:
        server(issuer={"is_machine": is_machine}).verify(mint())
    assert error.value.reason == "claim"
    assert "KeyError" in error.value.detail
    assert "app-orders" not in error.value.detail
    assert error.value.__context__ is None


def test_is_machine_cannot_change_the_claims():
    seen = []
    guard = server(issuer={"is_machine": lambda claims: seen.append(claims) or True})
    caller = guard.verify(mint({"x": {"y": [1]}}))
    with pytest.raises(TypeError):
        seen[0]["sub"] = "app-admin"
    assert caller.claims is seen[0]


def test_claims_are_checked_before_scopes():
    """An expired token without the scope is answered with 401: only valid tokens get a 403."""
    from m2mguard import Requirement

    requirement = Requirement(scopes=["write:orders"])
    assert outcome(GUARD, mint(), requirement) == (403, "scope")
    assert outcome(GUARD, mint({"exp": 1}), requirement) == EXPIRED
    assert outcome(GUARD, mint({"aud": "x"}), requirement) == AUDIENCE
    assert outcome(GUARD, mint({"scope": "write:orders"}), requirement) == ACCEPTED


def test_the_claims_of_a_caller_are_read_only_at_every_depth():
    caller = GUARD.verify(mint({"x": {"y": [{"z": 1}]}}))
    assert json.loads(json.dumps(caller.claims["x"]["y"][0]["z"])) == 1
    for container in (caller.claims, caller.claims["x"], caller.claims["x"]["y"][0]):
        with pytest.raises(TypeError):
            container["sub"] = "other"
    assert isinstance(caller.claims["x"]["y"], tuple)


def test_a_cached_token_is_not_found_by_a_token_with_one_change():
    token = mint()
    assert outcome(GUARD, token) == ACCEPTED
    for position in range(0, len(token), 7):
        other = token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
        assert outcome(GUARD, other) != ACCEPTED
