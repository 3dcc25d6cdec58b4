"""An id is valid for one issuer (RFC 7519 section 4.1.2); an App ID is always that of an application (RFC 9068 section 5)."""

import dataclasses
from typing import Any

import pytest

from m2mguard import ConfigurationError, InsufficientScope, Issuer, Requirement, ResourceServer
from m2mguard.presets import auth0, keycloak
from tests.refusals import reason_of
from tests.security.forge import ACCEPTED, API, NOW, REMOVED, URL, key, mint, outcome, stable_id

PARTNER = "https://partner.example"
ALIAS = "https://login.shop.example/oidc"


def trusted(url: str = URL, **settings: Any) -> Issuer:
    return Issuer(url=url, jwks={"keys": [key().public_jwk]}, **settings)


def server_of(*issuers: Issuer, **settings: Any) -> ResourceServer:
    return ResourceServer(list(issuers), audience=API, clock=lambda: NOW, **settings)


OURS, THEIRS = trusted(organization_claim="organization_id"), trusted(PARTNER, organization_claim="organization_id")
BOTH = server_of(OURS, THEIRS)


@pytest.mark.parametrize(
    "ids",
    [
        {"app_ids": ["app-orders"]},
        {"organization": "org-1"},
        {"organization": lambda request: "org-1"},
        {"app_ids": ["app-orders"], "scopes": ["read:orders"], "organization": "*"},
    ],
    ids=stable_id,
)
class TestIdsOfSeveralIssuers:
    def test_a_requirement_with_ids_must_name_the_issuer(self, ids):
        for token in (mint(), mint({"iss": PARTNER}), mint({"organization_id": "org-1"})):
            with pytest.raises(ConfigurationError, match="issuers="):
                BOTH.authenticate([f"Bearer {token}"], Requirement(**ids))
            with pytest.raises(ConfigurationError, match="issuers="):
                BOTH.verify(token, Requirement(**ids))
        with pytest.raises(ConfigurationError, match="issuers="):
            BOTH.check_requirement(Requirement(**ids))
        with pytest.raises(ConfigurationError, match="issuers="):
            BOTH.authorize(BOTH.verify(mint()), Requirement(**ids))

    @pytest.mark.parametrize("issuers", [[URL], [OURS], (URL,), OURS], ids=stable_id)
    def test_ids_match_only_tokens_of_the_named_issuer(self, ids, issuers):
        requirement = Requirement(**ids, issuers=issuers)
        claims = {"organization_id": "org-1"} if "organization" in ids and ids["organization"] != "*" else {}
        assert outcome(BOTH, mint(claims), requirement) == ACCEPTED
        assert outcome(BOTH, mint({**claims, "iss": PARTNER}), requirement) == (403, "issuer")

    def test_with_one_issuer_a_requirement_need_not_name_it(self, ids):
        requirement = Requirement(**ids)
        decided = {
            ACCEPTED,
            (403, "organization"),
        }  # by the token, which is limited to none; with several issuers it is an error
        for server in (server_of(OURS), server_of(trusted(aliases=[ALIAS]))):
            server.check_requirement(requirement)
            assert outcome(server, mint(), requirement) in decided


@pytest.mark.parametrize(
    "general", [{}, {"scopes": ["read:orders"]}, {"any_scope": ["read:orders"]}, {"organization": "*"}], ids=stable_id
)
def test_a_requirement_without_ids_applies_to_every_issuer(general):
    for issuer in (URL, PARTNER):
        assert outcome(BOTH, mint({"iss": issuer}), Requirement(**general)) == ACCEPTED


def test_a_requirement_with_issuers_accepts_only_those():
    assert outcome(BOTH, mint(), Requirement(issuers=[URL])) == ACCEPTED
    assert outcome(BOTH, mint({"iss": PARTNER}), Requirement(issuers=[URL])) == (403, "issuer")
    assert outcome(BOTH, mint({"iss": PARTNER}), Requirement(issuers=[URL, PARTNER])) == ACCEPTED


@pytest.mark.parametrize("name", [f"{URL}/", "https://other.example", PARTNER.upper()])
def test_a_requirement_with_an_untrusted_issuer_is_an_error(name):
    for guard in (BOTH, server_of(OURS)):
        with pytest.raises(ConfigurationError, match="none of the issuers"):
            guard.authenticate([f"Bearer {mint()}"], Requirement(issuers=[name]))


@pytest.mark.parametrize("issuers", [URL, b"x", 7, [7], [""], [None], {"a": 1}], ids=stable_id)
def test_issuers_must_be_a_list_of_urls_or_issuers(issuers):
    with pytest.raises(ConfigurationError, match="issuers"):
        Requirement(issuers=issuers)


def test_equal_issuers_make_equal_requirements():
    assert Requirement(issuers=[OURS]) == Requirement(issuers=(URL,))
    assert hash(Requirement(issuers=[OURS])) == hash(Requirement(issuers=(URL,)))
    assert Requirement(issuers=[URL]) != Requirement()


class TestAliases:
    guard = server_of(trusted(aliases=[ALIAS]), THEIRS)

    @pytest.mark.parametrize("name", [URL, ALIAS])
    def test_a_tenant_with_an_alias_is_one_issuer(self, name):
        caller = self.guard.verify(mint({"iss": name}))
        assert (caller.issuer, caller.claims["iss"]) == (URL, name)
        for named in (URL, ALIAS):
            requirement = Requirement(app_ids=["app-orders"], issuers=[named])
            assert outcome(self.guard, mint({"iss": name}), requirement) == ACCEPTED
            assert outcome(self.guard, mint({"iss": PARTNER}), requirement) == (403, "issuer")

    @pytest.mark.parametrize(
        "name", [f"{ALIAS}/", ALIAS.upper(), ALIAS[:-1], f"{ALIAS}x", "https://login.shop.example"]
    )
    def test_an_alias_is_compared_exactly(self, name):
        assert outcome(self.guard, mint({"iss": name})) == (401, "unknown_issuer")

    def test_a_token_of_an_alias_is_cached(self):
        token = mint({"iss": ALIAS})
        assert self.guard.verify(token) is self.guard.verify(token)

    def test_health_shows_a_tenant_with_an_alias_once(self):
        assert [one.issuer for one in self.guard.health().issuers] == [URL, PARTNER]

    @pytest.mark.parametrize(
        "aliases", [ALIAS, [URL], [7], ["http://login.shop.example"], [f"{ALIAS}/.well-known/openid-configuration"]]
    )
    def test_an_invalid_alias_is_rejected(self, aliases):
        with pytest.raises(ConfigurationError, match="alias"):
            trusted(aliases=aliases)

    def test_a_name_of_two_issuers_is_rejected(self):
        for issuers in (
            [trusted(aliases=[PARTNER]), THEIRS],
            [trusted(aliases=[ALIAS]), trusted(PARTNER, aliases=[ALIAS])],
        ):
            with pytest.raises(ConfigurationError, match="given twice"):
                server_of(*issuers)

    def test_aliases_of_logto_are_given_as_endpoints(self):
        logto = Issuer.logto("https://tenant.logto.app", aliases=["https://login.shop.example/"])
        assert logto.names == ("https://tenant.logto.app/oidc", ALIAS)
        with pytest.raises(ConfigurationError, match="without '/oidc'"):
            Issuer.logto("https://tenant.logto.app", aliases=[ALIAS])


PERSON = {"sub": "person-1", "client_id": "web"}


class TestPersons:
    any_caller = server_of(OURS, machine_only=False)

    def test_the_app_id_of_a_person_is_the_application_they_signed_in_with(self):
        person = self.any_caller.verify(mint(PERSON))
        assert (person.app_id, person.subject, person.is_machine) == ("web", "person-1", False)
        machine = self.any_caller.verify(mint())
        assert (machine.app_id, machine.subject, machine.is_machine) == ("app-orders", "app-orders", True)

    def test_a_persons_token_never_satisfies_app_ids(self):

        for app_id in ("web", "person-1"):
            requirement = Requirement(app_ids=[app_id])
            assert outcome(self.any_caller, mint(PERSON), requirement) == (403, "not_a_machine")
        assert outcome(self.any_caller, mint(), Requirement(app_ids=["app-orders"])) == ACCEPTED
        assert outcome(self.any_caller, mint(PERSON)) == ACCEPTED

    def test_a_persons_token_without_an_application_is_refused(self):
        guard = server_of(trusted(required_claims=["iss", "exp"]), machine_only=False)
        assert outcome(guard, mint({**PERSON, "client_id": REMOVED})) == (401, "claim")
        assert outcome(guard, mint(PERSON)) == ACCEPTED

    def test_a_person_is_refused_before_the_requirement_is_checked(self):
        for requirement in (Requirement(scopes=["write:orders"]), Requirement(organization="org-1"), None):
            assert outcome(server_of(OURS), mint(PERSON), requirement) == (403, "not_a_machine")

    def test_app_id_claim_applies_to_persons_too(self):
        preset = dataclasses.replace(auth0("tenant.auth0.example"), url=URL, jwks={"keys": [key("RS256").public_jwk]})
        guard = server_of(preset, machine_only=False)
        token = mint({"azp": "web", "sub": "auth0|1"}, signer=key("RS256"), with_header={"typ": "JWT"})
        caller = guard.verify(token)
        assert (caller.app_id, caller.subject, caller.is_machine) == ("web", "auth0|1", False)
        assert outcome(guard, token, Requirement(app_ids=["web"])) == (403, "not_a_machine")

    def test_a_service_account_has_its_own_subject_and_its_clients_app_id(self):
        preset = dataclasses.replace(
            keycloak("https://sso.example", "shop"), url=URL, jwks={"keys": [key("RS256").public_jwk]}
        )
        claims = {
            "azp": "orders", "client_id": "orders", "preferred_username": "service-account-orders", "sub": "f:1", "typ": "Bearer",
        }  # fmt: skip
        caller = server_of(preset).verify(mint(claims, signer=key("RS256"), with_header={"typ": "JWT"}))
        assert (caller.app_id, caller.subject, caller.is_machine) == ("orders", "f:1", True)


LOGTO = dataclasses.replace(Issuer.logto("https://issuer.example"), jwks={"keys": [key().public_jwk]})


@pytest.mark.parametrize(
    ("claim", "value"), [("acr", "0"), ("amr", ["pwd"]), ("auth_time", NOW), ("act", {"sub": "x"}), ("acr", None)]
)
def test_a_logto_token_with_claims_about_a_person_is_no_machine_token(claim, value):
    assert outcome(server_of(LOGTO), mint({claim: value})) == (403, "not_a_machine")
    assert not server_of(LOGTO, machine_only=False).verify(mint({claim: value})).is_machine
    assert outcome(server_of(LOGTO), mint()) == ACCEPTED
    assert outcome(server_of(OURS), mint({claim: value})) == ACCEPTED


def test_a_url_of_logto_cloud_is_treated_as_a_logto_tenant():
    url = "https://tenant.logto.app/oidc"
    [health] = ResourceServer(url, audience=API).health().issuers
    assert health.issuer == url
    by_url = ResourceServer(url, audience=API)._trusted[url].issuer
    assert by_url == Issuer.logto("https://tenant.logto.app")
    assert ResourceServer("https://logto.app.example/oidc", audience=API)._trusted[
        "https://logto.app.example/oidc"
    ].issuer == Issuer(url="https://logto.app.example/oidc")


def test_an_unknown_issuer_is_refused_before_the_requirement_is_checked():
    assert reason_of(BOTH, mint({"iss": "https://other.example"}), Requirement(app_ids=["a"])) == "unknown_issuer"
    with pytest.raises(InsufficientScope):
        BOTH.verify(mint(), Requirement(app_ids=["a"], issuers=[URL]))
