"""Organizations of Logto, and requirements of a route for its Caller: `Requirement`, RFC 6750 section 3.1."""

from unittest.mock import ANY as ANYTHING

import anyio
import pytest

from m2mguard import Caller, ConfigurationError, InsufficientScope, Issuer, Requirement, ResourceServer
from tests.security import forge
from tests.security.forge import ACCEPTED, API, NOW, key, mint, outcome, stable_id

GLOBAL: dict[str, object] = {}
OF_ORG = {"organization_id": "org-1"}
ORGANIZATION_TOKEN = {"aud": "urn:logto:organization:org-1"}
WRONG = (403, "organization")
AUDIENCE = (401, "audience")
ANY = Requirement(organization="*")


def server(*, issuer=(), **settings):
    """A server whose issuer limits tokens by `organization_id`, as Logto does."""
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
def test_a_token_of_an_organization_needs_a_route_that_allows_it(organization, of_global, of_its_own, of_another):
    """It has the same audience as a global token, so only the claim distinguishes them."""
    guard, requirement = server(), Requirement(organization=organization)
    assert outcome(guard, mint(GLOBAL), requirement) == of_global
    assert outcome(guard, mint(OF_ORG), requirement) == of_its_own
    assert outcome(guard, mint({"organization_id": "org-2"}), requirement) == of_another


def test_without_a_requirement_a_token_must_be_global():
    assert outcome(server(), mint(OF_ORG)) == WRONG
    assert outcome(server(), mint(GLOBAL)) == ACCEPTED
    assert server().verify(mint(OF_ORG), ANY).organization_id == "org-1"


@pytest.mark.parametrize("method", ["verify", "averify", "authenticate", "aauthenticate", "authorize"])
def test_no_method_accepts_a_token_of_an_organization_not_required(method):
    guard, one = server(), Requirement(organization="org-1")

    def call(token, requirement=None):
        if method == "authorize":
            return guard.authorize(guard.verify(token, ANY), requirement)
        given = token if "verify" in method else [f"Bearer {token}"]
        found = getattr(guard, method)(given, requirement)
        return anyio.run(lambda: found) if method.startswith("a") and method != "authenticate" else found

    call(mint(GLOBAL))
    call(mint(OF_ORG), one)
    call(mint(OF_ORG), Requirement(organization=lambda request: "org-1"))
    for token, requirement in ((mint(OF_ORG), None), (mint(OF_ORG), Requirement()), (mint(GLOBAL), one)):
        with pytest.raises(InsufficientScope) as refused:
            call(token, requirement)
        assert refused.value.reason == "organization"


def test_the_callable_gets_the_request_of_verify():
    requirement = Requirement(organization=lambda request: request)
    assert server().verify(mint(OF_ORG), requirement, request="org-1").organization_id == "org-1"
    with pytest.raises(InsufficientScope):
        server().verify(mint(OF_ORG), requirement, request="org-2")


@pytest.mark.parametrize("value", [None, 42, "", "org_7", ["org_7"], {}])
def test_organization_id_is_ignored_without_organization_claim(value):
    for requirement in (None, ANY):
        assert outcome(forge.server(), mint({"organization_id": value}), requirement) == ACCEPTED
    assert outcome(forge.server(), mint({"organization_id": value}), Requirement(organization="org_7")) == WRONG
    assert forge.server().verify(mint({"organization_id": value})).organization_id is None


def test_another_claim_can_limit_tokens():
    guard = forge.server(issuer={"organization_claim": "org"})
    assert outcome(guard, mint({"org": "org-1", "organization_id": 7})) == WRONG
    assert outcome(guard, mint({"org": "org-1"}), Requirement(organization="org-1")) == ACCEPTED
    assert outcome(guard, mint({"org": 7}), ANY) == (401, "claim")


@pytest.mark.parametrize("value", ["", 7, ["a"]])
def test_an_invalid_organization_claim_is_rejected(value):
    with pytest.raises(ConfigurationError, match="organization_claim"):
        Issuer(url="https://issuer.example", organization_claim=value)


def test_the_callable_gets_the_request_of_authenticate():
    requirement = Requirement(organization=lambda request: request["organization"])
    guard = server()
    caller = guard.authenticate([f"Bearer {mint(OF_ORG)}"], requirement, request={"organization": "org-1"})
    assert caller.organization_id == "org-1"
    with pytest.raises(InsufficientScope):
        guard.authenticate([f"Bearer {mint(OF_ORG)}"], requirement, request={"organization": "org-2"})


def test_an_organization_named_star_is_no_wildcard():
    star = mint({"organization_id": "*"})
    assert outcome(server(), star, Requirement(organization="org-1")) == WRONG
    assert outcome(server(), star) == WRONG


def test_a_configured_organization_audience_is_accepted():
    guard = server(audience=["urn:logto:organization:org-1"])
    assert outcome(guard, mint(ORGANIZATION_TOKEN)) == ACCEPTED
    assert outcome(guard, mint(ORGANIZATION_TOKEN), Requirement(organization="org-1")) == ACCEPTED
    assert outcome(guard, mint(ORGANIZATION_TOKEN), Requirement(organization="org-2")) == WRONG
    assert guard.verify(mint(ORGANIZATION_TOKEN)).organization_id == "org-1"
    assert outcome(guard, mint({"aud": "urn:logto:organization:org-2"})) == AUDIENCE
    assert outcome(guard, mint()) == AUDIENCE


def test_an_organization_audience_is_accepted_only_with_its_own_token():
    """A token of the organization for the API is refused: only a token with the organization as audience is accepted."""
    guard = server(audience=[API, "urn:logto:organization:org-1"])
    assert outcome(guard, mint(ORGANIZATION_TOKEN)) == ACCEPTED
    assert outcome(guard, mint(OF_ORG)) == WRONG
    assert outcome(guard, mint(GLOBAL)) == ACCEPTED


def test_a_token_with_an_unusual_organization_id_is_not_global():
    guard = server(audience=["urn:logto:organization:org.1/x"])
    token = mint({"aud": "urn:logto:organization:org.1/x"})
    assert guard.verify(token).organization_id == "org.1/x"
    assert outcome(guard, token, Requirement(organization="org-1")) == WRONG


def test_organizations_true_accepts_every_organization_audience():
    guard = of_every_organization()
    assert outcome(guard, mint(ORGANIZATION_TOKEN)) == WRONG
    assert outcome(guard, mint(ORGANIZATION_TOKEN), Requirement(organization="org-1")) == ACCEPTED
    assert outcome(guard, mint(ORGANIZATION_TOKEN), ANY) == ACCEPTED
    assert guard.verify(mint(ORGANIZATION_TOKEN), ANY).organization_id == "org-1"
    assert guard.verify(mint(ORGANIZATION_TOKEN), ANY).audience == "urn:logto:organization:org-1"
    assert outcome(server(), mint(ORGANIZATION_TOKEN), ANY) == AUDIENCE


def test_issuer_logto_accepts_organizations_only_if_configured():
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
def test_any_other_audience_is_no_organization_audience(aud):
    assert outcome(of_every_organization(), mint({"aud": aud}), ANY) == AUDIENCE


def test_a_token_with_two_organizations_is_refused():
    guard = of_every_organization()
    two = ["urn:logto:organization:org-1", "urn:logto:organization:org-2"]
    assert outcome(guard, mint({"aud": two}), ANY) == (401, "claim")
    assert outcome(guard, mint({**ORGANIZATION_TOKEN, "organization_id": "org-2"}), ANY) == (401, "claim")
    assert outcome(guard, mint({**ORGANIZATION_TOKEN, **OF_ORG}), ANY) == ACCEPTED


def test_an_organization_audience_next_to_ours_limits_the_token():
    both = mint({"aud": [API, "urn:logto:organization:org-1"]})
    assert outcome(server(), both) == WRONG
    assert outcome(server(), both, Requirement(organization="org-1")) == ACCEPTED


@pytest.mark.parametrize("value", ["", None, 7, True, [], ["org-1"], {}])
def test_an_organization_id_must_be_a_non_empty_string(value):
    assert outcome(server(), mint({"organization_id": value}), ANY) == (401, "claim")


@pytest.mark.parametrize(
    ("required", "granted", "expected"),
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
def test_scopes_and_applications_are_compared_exactly(required, granted, expected):
    assert outcome(server(), mint({"scope": granted}), Requirement(**required)) == expected


def test_a_requirement_is_checked_for_a_cached_token_too():
    guard, token = server(), mint()
    assert outcome(guard, token) == ACCEPTED
    assert outcome(guard, token, Requirement(scopes=["write:orders"])) == (403, "scope")
    assert outcome(guard, token, Requirement(organization="org-1")) == WRONG
    assert outcome(guard, token, Requirement(scopes=["read:orders"])) == ACCEPTED


def test_equal_arguments_make_equal_requirements():
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
    ids=stable_id,
)
def test_an_invalid_requirement_is_rejected_when_it_is_built(arguments):
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
    ids=stable_id,
)
def test_a_valid_requirement_is_accepted(arguments):
    assert Requirement(**arguments) == Requirement(**arguments)


def test_a_requirement_with_a_callable_must_be_resolved_first():
    requirement = Requirement(organization=lambda request: "org-blue")
    with pytest.raises(TypeError, match="for_request"):
        requirement.check(Caller(app_id="a", scopes=frozenset(), issuer="i", audience="u", expires_at=1.0, claims={}))
