"""An id belongs to its issuer (RFC 7519 section 4.1.2), and an App ID is always an application's (RFC 9068 section 5)."""

import dataclasses
from typing import Any

import pytest

from m2mguard import ConfigurationError, InsufficientScope, InvalidToken, Issuer, Requirement, ResourceServer
from m2mguard.presets import auth0, keycloak
from tests.security.forge import ACCEPTED, API, NOW, REMOVED, URL, key, mint, outcome, plainly

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
    ids=plainly,
)
class TestIdsOfSeveralIssuers:
    def test_which_issuer_is_meant_must_be_said(self, ids):
        for token in (mint(), mint({"iss": PARTNER}), mint({"organization_id": "org-1"})):
            with pytest.raises(ConfigurationError, match="issuers="):
                BOTH.authenticate([f"Bearer {token}"], Requirement(**ids))
            with pytest.raises(ConfigurationError, match="issuers="):
                BOTH.verify(token, Requirement(**ids))
        with pytest.raises(ConfigurationError, match="issuers="):
            BOTH.check_requirement(Requirement(**ids))
        with pytest.raises(ConfigurationError, match="issuers="):
            BOTH.authorize(BOTH.verify(mint()), Requirement(**ids))

    @pytest.mark.parametrize("issuers", [[URL], [OURS], (URL,), OURS], ids=plainly)
    def test_only_that_issuers_id_is_meant(self, ids, issuers):
        wanted = Requirement(**ids, issuers=issuers)
        claims = {"organization_id": "org-1"} if "organization" in ids and ids["organization"] != "*" else {}
        assert outcome(BOTH, mint(claims), wanted) == ACCEPTED
        assert outcome(BOTH, mint({**claims, "iss": PARTNER}), wanted) == (403, "issuer")

    def test_with_one_issuer_there_is_nothing_to_say(self, ids):
        server_of(OURS).check_requirement(Requirement(**ids))
        server_of(trusted(aliases=[ALIAS])).check_requirement(Requirement(**ids))


@pytest.mark.parametrize(
    "general", [{}, {"scopes": ["read:orders"]}, {"any_scope": ["read:orders"]}, {"organization": "*"}], ids=plainly
)
def test_what_names_no_id_holds_for_every_issuer(general):
    for issuer in (URL, PARTNER):
        assert outcome(BOTH, mint({"iss": issuer}), Requirement(**general)) == ACCEPTED


def test_issuers_alone_let_only_those_in():
    assert outcome(BOTH, mint(), Requirement(issuers=[URL])) == ACCEPTED
    assert outcome(BOTH, mint({"iss": PARTNER}), Requirement(issuers=[URL])) == (403, "issuer")
    assert outcome(BOTH, mint({"iss": PARTNER}), Requirement(issuers=[URL, PARTNER])) == ACCEPTED


@pytest.mark.parametrize("name", [f"{URL}/", "https://other.example", PARTNER.upper()])
def test_an_issuer_that_is_not_trusted_is_an_error_and_lets_nobody_in(name):
    for guard in (BOTH, server_of(OURS)):
        with pytest.raises(ConfigurationError, match="none of the issuers"):
            guard.authenticate([f"Bearer {mint()}"], Requirement(issuers=[name]))


@pytest.mark.parametrize("issuers", [URL, b"x", 7, [7], [""], [None], {"a": 1}], ids=plainly)
def test_issuers_are_a_list_of_urls_or_issuers(issuers):
    with pytest.raises(ConfigurationError, match="issuers"):
        Requirement(issuers=issuers)


def test_equal_issuers_give_equal_requirements():
    assert Requirement(issuers=[OURS]) == Requirement(issuers=(URL,))
    assert hash(Requirement(issuers=[OURS])) == hash(Requirement(issuers=(URL,)))
    assert Requirement(issuers=[URL]) != Requirement()


class TestAliases:
    guard = server_of(trusted(aliases=[ALIAS]), THEIRS)

    @pytest.mark.parametrize("name", [URL, ALIAS])
    def test_one_tenant_may_have_several_names_and_is_one_issuer(self, name):
        caller = self.guard.verify(mint({"iss": name}))
        assert (caller.issuer, caller.claims["iss"]) == (URL, name)
        for meant in (URL, ALIAS):
            wanted = Requirement(app_ids=["app-orders"], issuers=[meant])
            assert outcome(self.guard, mint({"iss": name}), wanted) == ACCEPTED
            assert outcome(self.guard, mint({"iss": PARTNER}), wanted) == (403, "issuer")

    @pytest.mark.parametrize(
        "name", [f"{ALIAS}/", ALIAS.upper(), ALIAS[:-1], f"{ALIAS}x", "https://login.shop.example"]
    )
    def test_an_alias_is_compared_character_for_character(self, name):
        assert outcome(self.guard, mint({"iss": name})) == (401, "unknown_issuer")

    def test_a_remembered_token_of_an_alias_is_recognised(self):
        token = mint({"iss": ALIAS})
        assert self.guard.verify(token) is self.guard.verify(token)

    def test_the_health_shows_the_tenant_once(self):
        assert [one.issuer for one in self.guard.health().issuers] == [URL, PARTNER]

    @pytest.mark.parametrize(
        "aliases", [ALIAS, [URL], [7], ["http://login.shop.example"], [f"{ALIAS}/.well-known/openid-configuration"]]
    )
    def test_an_alias_is_another_issuer_url(self, aliases):
        with pytest.raises(ConfigurationError, match="alias"):
            trusted(aliases=aliases)

    def test_no_name_is_given_to_two_issuers(self):
        for issuers in (
            [trusted(aliases=[PARTNER]), THEIRS],
            [trusted(aliases=[ALIAS]), trusted(PARTNER, aliases=[ALIAS])],
        ):
            with pytest.raises(ConfigurationError, match="given twice"):
                server_of(*issuers)

    def test_of_logto_aliases_are_further_endpoints(self):
        logto = Issuer.logto("https://tenant.logto.app", aliases=["https://login.shop.example/"])
        assert logto.names == ("https://tenant.logto.app/oidc", ALIAS)
        with pytest.raises(ConfigurationError, match="without '/oidc'"):
            Issuer.logto("https://tenant.logto.app", aliases=[ALIAS])


PERSON = {"sub": "person-1", "client_id": "web"}


class TestPersons:
    admitting = server_of(OURS, machine_only=False)

    def test_the_app_id_is_the_application_a_person_signed_in_with(self):
        person = self.admitting.verify(mint(PERSON))
        assert (person.app_id, person.subject, person.is_machine) == ("web", "person-1", False)
        machine = self.admitting.verify(mint())
        assert (machine.app_id, machine.subject, machine.is_machine) == ("app-orders", "app-orders", True)

    def test_app_ids_are_never_satisfied_by_a_persons_token(self):
        """Whatever application a person signed in with, and whatever their id is."""
        for app_id in ("web", "person-1"):
            wanted = Requirement(app_ids=[app_id])
            assert outcome(self.admitting, mint(PERSON), wanted) == (403, "not_a_machine")
        assert outcome(self.admitting, mint(), Requirement(app_ids=["app-orders"])) == ACCEPTED
        assert outcome(self.admitting, mint(PERSON)) == ACCEPTED

    def test_a_persons_token_without_an_application_is_refused(self):
        guard = server_of(trusted(required_claims=["iss", "exp"]), machine_only=False)
        assert outcome(guard, mint({**PERSON, "client_id": REMOVED})) == (401, "claim")
        assert outcome(guard, mint(PERSON)) == ACCEPTED

    def test_a_person_is_refused_before_the_route_is_looked_at(self):
        for wanted in (Requirement(scopes=["write:orders"]), Requirement(organization="org-1"), None):
            assert outcome(server_of(OURS), mint(PERSON), wanted) == (403, "not_a_machine")

    def test_an_app_id_claim_names_the_application_of_persons_too(self):
        preset = dataclasses.replace(auth0("tenant.auth0.example"), url=URL, jwks={"keys": [key("RS256").public_jwk]})
        guard = server_of(preset, machine_only=False)
        token = mint({"azp": "web", "sub": "auth0|1"}, signer=key("RS256"), with_header={"typ": "JWT"})
        caller = guard.verify(token)
        assert (caller.app_id, caller.subject, caller.is_machine) == ("web", "auth0|1", False)
        assert outcome(guard, token, Requirement(app_ids=["web"])) == (403, "not_a_machine")

    def test_a_service_accounts_subject_is_its_own_and_its_app_id_the_client(self):
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
def test_of_logto_a_token_that_tells_of_a_person_is_no_machines_though_the_ids_are_equal(claim, value):
    assert outcome(server_of(LOGTO), mint({claim: value})) == (403, "not_a_machine")
    assert not server_of(LOGTO, machine_only=False).verify(mint({claim: value})).is_machine
    assert outcome(server_of(LOGTO), mint()) == ACCEPTED
    assert outcome(server_of(OURS), mint({claim: value})) == ACCEPTED


def test_a_url_of_logtos_cloud_is_a_logto_tenant():
    url = "https://tenant.logto.app/oidc"
    [health] = ResourceServer(url, audience=API).health().issuers
    assert health.issuer == url
    by_url = ResourceServer(url, audience=API)._trusted[url].issuer
    assert by_url == Issuer.logto("https://tenant.logto.app")
    assert ResourceServer("https://logto.app.example/oidc", audience=API)._trusted[
        "https://logto.app.example/oidc"
    ].issuer == Issuer(url="https://logto.app.example/oidc")


def test_an_issuer_that_is_not_asked_for_is_refused_before_anything_else():
    with pytest.raises(InvalidToken) as refused:
        BOTH.verify(mint({"iss": "https://other.example"}), Requirement(app_ids=["a"]))
    assert refused.value.reason == "unknown_issuer"
    with pytest.raises(InsufficientScope):
        BOTH.verify(mint(), Requirement(app_ids=["a"], issuers=[URL]))
