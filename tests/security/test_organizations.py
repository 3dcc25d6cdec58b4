"""Logto's organizations, and what a route asks of a Caller: DESIGN of `Requirement`, RFC 6750 section 3.1."""

from unittest.mock import ANY as ANYTHING

import anyio
import pytest

from m2mguard import Caller, ConfigurationError, InsufficientScope, Issuer, Requirement, ResourceServer
from tests.security import forge
from tests.security.forge import ACCEPTED, API, NOW, key, mint, outcome, plainly

GLOBAL: dict[str, object] = {}
OF_ORG = {"organization_id": "org-1"}
ORGANIZATION_TOKEN = {"aud": "urn:logto:organization:org-1"}
WRONG = (403, "organization")
AUDIENCE = (401, "audience")
ANY = Requirement(organization="*")


def server(*, issuer=(), **settings):
    """A server whose issuer limits tokens by `organization_id`, as Logto's do."""
    return forge.server(issuer={"organization_claim": "organization_id", **dict(issuer)}, **settings)


def of_every_organization(**settings):
    return server(issuer={"organizations": True}, **settings)


@pytest.mark.parametrize(
    ("organization", "of_global", "of_its_own", "of_another"),
    [
        (None, ACCEPTED, WRONG, WRONG),
        ("org-1", WRONG, ACCEPTED, WRONG),
        ("*", ACCEPTED, ACCEPTED, ACCEPTED),
        (lambda request: "org-1", WRONG, ACCEPTED, WRONG),
        (lambda request: "*", WRONG, WRONG, WRONG),
        (lambda request: None, WRONG, WRONG, WRONG),
        (lambda request: "", WRONG, WRONG, WRONG),
        (lambda request: ["org-1"], WRONG, WRONG, WRONG),
        (lambda request: True, WRONG, WRONG, WRONG),
        (lambda request: ANYTHING, WRONG, WRONG, WRONG),
        ("org-1x", WRONG, WRONG, WRONG),
        ("org-", WRONG, WRONG, WRONG),
        ("ORG-1", WRONG, WRONG, WRONG),
    ],
    ids=["default", "one", "any", "callable", "callable-star", "callable-none", "callable-empty", "callable-list", "callable-true",
         "callable-anything",
         "longer", "shorter", "other-case"],
)  # fmt: skip
def test_an_organization_level_token_fits_only_where_the_route_says_so(organization, of_global, of_its_own, of_another):
    """It carries the same audience as a global token, so only the claim tells them apart."""
    guard, wanted = server(), Requirement(organization=organization)
    assert outcome(guard, mint(GLOBAL), wanted) == of_global
    assert outcome(guard, mint(OF_ORG), wanted) == of_its_own
    assert outcome(guard, mint({"organization_id": "org-2"}), wanted) == of_another


def test_without_a_requirement_a_token_must_be_global():
    assert outcome(server(), mint(OF_ORG)) == WRONG
    assert outcome(server(), mint(GLOBAL)) == ACCEPTED
    assert server().verify(mint(OF_ORG), ANY).organization_id == "org-1"


@pytest.mark.parametrize("method", ["verify", "averify", "authenticate", "aauthenticate", "authorize"])
def test_no_method_accepts_a_token_of_an_organization_that_the_route_does_not_name(method):
    guard, one = server(), Requirement(organization="org-1")

    def enter(token, requirement=None):
        if method == "authorize":
            return guard.authorize(guard.verify(token, ANY), requirement)
        given = token if "verify" in method else [f"Bearer {token}"]
        found = getattr(guard, method)(given, requirement)
        return anyio.run(lambda: found) if method.startswith("a") and method != "authenticate" else found

    enter(mint(GLOBAL))
    enter(mint(OF_ORG), one)
    enter(mint(OF_ORG), Requirement(organization=lambda request: "org-1"))
    for token, requirement in ((mint(OF_ORG), None), (mint(OF_ORG), Requirement()), (mint(GLOBAL), one)):
        with pytest.raises(InsufficientScope) as refused:
            enter(token, requirement)
        assert refused.value.reason == "organization"


def test_the_request_of_verify_reaches_the_callable():
    wanted = Requirement(organization=lambda request: request)
    assert server().verify(mint(OF_ORG), wanted, request="org-1").organization_id == "org-1"
    with pytest.raises(InsufficientScope):
        server().verify(mint(OF_ORG), wanted, request="org-2")


@pytest.mark.parametrize("value", [None, 42, "", "org_7", ["org_7"], {}])
def test_for_an_issuer_that_does_not_limit_tokens_a_claim_of_that_name_means_nothing(value):
    for wanted in (None, ANY):
        assert outcome(forge.server(), mint({"organization_id": value}), wanted) == ACCEPTED
    assert outcome(forge.server(), mint({"organization_id": value}), Requirement(organization="org_7")) == WRONG
    assert forge.server().verify(mint({"organization_id": value})).organization_id is None


def test_another_claim_can_limit_tokens():
    guard = forge.server(issuer={"organization_claim": "org"})
    assert outcome(guard, mint({"org": "org-1", "organization_id": 7})) == WRONG
    assert outcome(guard, mint({"org": "org-1"}), Requirement(organization="org-1")) == ACCEPTED
    assert outcome(guard, mint({"org": 7}), ANY) == (401, "claim")


@pytest.mark.parametrize("value", ["", 7, ["a"]])
def test_the_claim_is_a_name(value):
    with pytest.raises(ConfigurationError, match="organization_claim"):
        Issuer(url="https://issuer.example", organization_claim=value)


def test_the_request_reaches_the_callable():
    wanted = Requirement(organization=lambda request: request["organization"])
    guard = server()
    caller = guard.authenticate([f"Bearer {mint(OF_ORG)}"], wanted, request={"organization": "org-1"})
    assert caller.organization_id == "org-1"
    with pytest.raises(InsufficientScope):
        guard.authenticate([f"Bearer {mint(OF_ORG)}"], wanted, request={"organization": "org-2"})


def test_a_token_that_calls_its_organization_star_is_no_wildcard():
    star = mint({"organization_id": "*"})
    assert outcome(server(), star, Requirement(organization="org-1")) == WRONG
    assert outcome(server(), star) == WRONG


def test_an_organization_audience_configured_by_name_is_accepted_as_it_is():
    guard = server(audience=["urn:logto:organization:org-1"])
    assert outcome(guard, mint(ORGANIZATION_TOKEN)) == ACCEPTED
    assert outcome(guard, mint(ORGANIZATION_TOKEN), Requirement(organization="org-1")) == ACCEPTED
    assert outcome(guard, mint(ORGANIZATION_TOKEN), Requirement(organization="org-2")) == WRONG
    assert guard.verify(mint(ORGANIZATION_TOKEN)).organization_id == "org-1"
    assert outcome(guard, mint({"aud": "urn:logto:organization:org-2"})) == AUDIENCE
    assert outcome(guard, mint()) == AUDIENCE


def test_an_organization_of_one_audience_is_accepted_with_its_own_token_only():
    """An organization named by one audience is no stranger to the other only with its own token."""
    guard = server(audience=[API, "urn:logto:organization:org-1"])
    assert outcome(guard, mint(ORGANIZATION_TOKEN)) == ACCEPTED
    assert outcome(guard, mint(OF_ORG)) == WRONG
    assert outcome(guard, mint(GLOBAL)) == ACCEPTED


def test_an_organization_of_any_id_is_never_taken_for_global():
    guard = server(audience=["urn:logto:organization:org.1/x"])
    token = mint({"aud": "urn:logto:organization:org.1/x"})
    assert guard.verify(token).organization_id == "org.1/x"
    assert outcome(guard, token, Requirement(organization="org-1")) == WRONG


def test_logto_with_organizations_accepts_every_audience_of_exactly_that_form():
    guard = of_every_organization()
    assert outcome(guard, mint(ORGANIZATION_TOKEN)) == WRONG
    assert outcome(guard, mint(ORGANIZATION_TOKEN), Requirement(organization="org-1")) == ACCEPTED
    assert outcome(guard, mint(ORGANIZATION_TOKEN), ANY) == ACCEPTED
    assert guard.verify(mint(ORGANIZATION_TOKEN), ANY).organization_id == "org-1"
    assert guard.verify(mint(ORGANIZATION_TOKEN), ANY).audience == "urn:logto:organization:org-1"
    assert outcome(server(), mint(ORGANIZATION_TOKEN), ANY) == AUDIENCE


def test_the_preset_for_logto_says_so_by_name():
    def guard(**options):
        preset = Issuer.logto("https://issuer.example", **options)
        fixed = Issuer(url=preset.url, jwks={"keys": [key().public_jwk]}, organizations=preset.organizations)
        return ResourceServer(fixed, audience=API, clock=lambda: NOW)

    assert outcome(guard(organizations=True), mint(ORGANIZATION_TOKEN), ANY) == ACCEPTED
    assert outcome(guard(), mint(ORGANIZATION_TOKEN), ANY) == AUDIENCE


@pytest.mark.parametrize(
    "aud",
    [
        "urn:logto:organization:",
        "urn:logto:organization",
        "urn:logto:organization:a b",
        "urn:logto:organization:a:b",
        "urn:logto:organization:a/b",
        "urn:logto:organization:*",
        "urn:logto:organization:org-1\n",
        "urn:logto:organization:" + "a" * 129,
        "URN:LOGTO:ORGANIZATION:org-1",
        "urn:logto:organizations:org-1",
        "xurn:logto:organization:org-1",
        "urn:logto:resource:organizations",
        "urn:logto:organization:ö",
    ],
)
def test_any_other_audience_is_no_organizations(aud):
    assert outcome(of_every_organization(), mint({"aud": aud}), ANY) == AUDIENCE


def test_a_token_that_names_two_organizations_is_refused():
    guard = of_every_organization()
    two = ["urn:logto:organization:org-1", "urn:logto:organization:org-2"]
    assert outcome(guard, mint({"aud": two}), ANY) == (401, "claim")
    assert outcome(guard, mint({**ORGANIZATION_TOKEN, "organization_id": "org-2"}), ANY) == (401, "claim")
    assert outcome(guard, mint({**ORGANIZATION_TOKEN, **OF_ORG}), ANY) == ACCEPTED


def test_an_organization_audience_beside_ours_still_limits_the_token():
    both = mint({"aud": [API, "urn:logto:organization:org-1"]})
    assert outcome(server(), both) == WRONG
    assert outcome(server(), both, Requirement(organization="org-1")) == ACCEPTED


@pytest.mark.parametrize("value", ["", None, 7, True, [], ["org-1"], {}])
def test_an_organization_id_is_a_string_that_names_something(value):
    assert outcome(server(), mint({"organization_id": value}), ANY) == (401, "claim")


@pytest.mark.parametrize(
    ("asked", "granted", "expected"),
    [
        ({"scopes": ["a"]}, "a b", ACCEPTED),
        ({"scopes": ["a", "b"]}, "b a", ACCEPTED),
        ({"scopes": ["a", "c"]}, "a b", (403, "scope")),
        ({"scopes": ["a"]}, "ab", (403, "scope")),
        ({"scopes": ["a"]}, "A", (403, "scope")),
        ({"scopes": ["a"]}, "b\ta", (403, "scope")),
        ({"scopes": ["a"]}, "", (403, "scope")),
        ({"any_scope": ["a", "c"]}, "c", ACCEPTED),
        ({"any_scope": ["a", "c"]}, "b", (403, "scope")),
        ({"scopes": ["a"], "any_scope": ["b", "c"]}, "a c", ACCEPTED),
        ({"scopes": ["a"], "any_scope": ["b", "c"]}, "b c", (403, "scope")),
        ({"app_ids": ["app-orders"]}, "", ACCEPTED),
        ({"app_ids": ["app-order", "app-orders2"]}, "", (403, "application")),
        ({"app_ids": ["APP-ORDERS"]}, "", (403, "application")),
        ({}, "", ACCEPTED),
    ],
)
def test_scopes_and_applications_are_compared_whole(asked, granted, expected):
    assert outcome(server(), mint({"scope": granted}), Requirement(**asked)) == expected


def test_a_requirement_is_checked_on_every_request_also_of_a_remembered_token():
    guard, token = server(), mint()
    assert outcome(guard, token) == ACCEPTED
    assert outcome(guard, token, Requirement(scopes=["write:orders"])) == (403, "scope")
    assert outcome(guard, token, Requirement(organization="org-1")) == WRONG
    assert outcome(guard, token, Requirement(scopes=["read:orders"])) == ACCEPTED


def test_equal_arguments_give_equal_requirements():
    first = Requirement(scopes=["a", "b"], app_ids={"x"}, organization="*")
    assert first == Requirement(scopes=("a", "b"), app_ids=["x"], organization="*")
    assert hash(first) == hash(Requirement(scopes=("a", "b"), app_ids=["x"], organization="*"))
    assert first != Requirement(scopes=["b"], app_ids={"x"}, organization="*")


async def route_organization(request):
    return "org-1"


class AsyncCallable:
    async def __call__(self, request):
        return "org-1"


@pytest.mark.parametrize(
    "arguments",
    [
        {"scopes": "read:orders"},
        {"scopes": b"a"},
        {"scopes": None},
        {"scopes": 7},
        {"scopes": {"a": 1}},
        {"scopes": [""]},
        {"scopes": ["a b"]},
        {"scopes": ["a\tb"]},
        {"scopes": ['a"b']},
        {"scopes": ["a\\b"]},
        {"scopes": ["ä"]},
        {"scopes": ["a\n"]},
        {"scopes": ["a\r\nX: y"]},
        {"scopes": [None]},
        {"scopes": [b"a"]},
        {"any_scope": "a"},
        {"any_scope": ["a b"]},
        {"app_ids": "app-orders"},
        {"app_ids": [""]},
        {"app_ids": [7]},
        {"app_ids": [" app-orders"]},
        {"organization": ""},
        {"organization": " "},
        {"organization": "org 1"},
        {"organization": " org-1"},
        {"organization": "org-1\n"},
        {"organization": "**"},
        {"organization": "org-*"},
        {"organization": "urn:logto:organization:org-1"},
        {"organization": 7},
        {"organization": True},
        {"organization": ["org-1"]},
        {"organization": route_organization},
        {"organization": AsyncCallable()},
    ],
    ids=plainly,
)
def test_an_invalid_requirement_is_refused_when_it_is_built(arguments):
    with pytest.raises(ConfigurationError) as error:
        Requirement(**arguments)
    assert next(iter(arguments)) in str(error.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"scopes": []},
        {"scopes": ["read:orders", "https://shopping.api/read", "a!#'()*+,-./:;<=>?@[]^_`{|}~"]},
        {"scopes": frozenset({"b", "a"})},
        {"any_scope": ("a",)},
        {"app_ids": ["app orders", "ä"]},
        {"organization": "org_1-X.y"},
        {"organization": "*"},
        {"organization": str},
    ],
    ids=plainly,
)
def test_the_nearest_requirement_that_can_be_meant_is_built(arguments):
    assert Requirement(**arguments) == Requirement(**arguments)


def test_a_requirement_that_depends_on_the_request_must_be_resolved_first():
    requirement = Requirement(organization=lambda request: "org-blue")
    with pytest.raises(TypeError, match="for_request"):
        requirement.check(Caller(app_id="a", scopes=frozenset(), issuer="i", audience="u", expires_at=1.0, claims={}))
