"""Tokens and answers recorded from Logto's master in November 2026, verified at the time of the recording."""

import dataclasses
import json
from pathlib import Path

import pytest

from m2mguard import ConfigurationError, InsufficientScope, InvalidToken, Issuer, Requirement, ResourceServer
from m2mguard._keys.key_set import parse_key_set
from m2mguard._token.base64url import base64url_decode
from m2mguard.client import TokenRequestRefused, TokenSource
from m2mguard.testing import LocalIssuer, faults
from tests.refusals import ACCEPTED, outcome_of

RECORDINGS = Path(__file__).parent / "data" / "logto-2026-11"


def recorded(file, name="name"):
    return {entry[name]: entry for entry in json.loads((RECORDINGS / f"{file}.json").read_text())}


TOKENS = recorded("tokens-more")
CUSTOM = recorded("custom-claims")
STEPS = recorded("imported-and-reserved", "step")
ENDPOINT = recorded("token-endpoint-more")
ALL = TOKENS | CUSTOM | STEPS

DEFAULT, ADMIN = "http://localhost:3001", "http://localhost:3002"
SHOPPING, MANAGEMENT = "https://shopping.api", "https://default.logto.app/api"
RESERVED = "urn:logto:resource:organizations"
PERSONS = ["impersonated", "pat-exchanged", "exchange-of-user-jwt", "exchange-with-actor", "user-org-level"]
PERSONS_OF_ORGANIZATIONS = ["exchange-org", "user-org-token"]


def server_for(recording, audience=SHOPPING, *, endpoint=DEFAULT, organizations=False, seconds=1, **settings):
    """A server of the Logto preset, `seconds` after the token was issued."""
    logto = Issuer.logto(endpoint, organizations=organizations)
    return ResourceServer(
        dataclasses.replace(logto, jwks=recording["jwks"]),
        audience=audience,
        clock=lambda: recording["claims"]["iat"] + seconds,
        **settings,
    )


def outcome(server, recording, requirement=None):
    """The outcome for the token of a recording."""
    return outcome_of(lambda: server.authenticate([f"Bearer {recording['token']}"], requirement))


def of_organization(recording):
    audience = recording["claims"]["aud"]
    return recording["claims"].get("organization_id") or audience.removeprefix("urn:logto:organization:")


@pytest.mark.parametrize("name", ALL)
def test_every_recorded_key_is_usable_and_has_its_thumbprint_as_kid(name):
    keys = parse_key_set(json.dumps(ALL[name]["jwks"]).encode(), max_keys=9)
    assert len(keys.keys) == len(ALL[name]["jwks"]["keys"])
    assert keys.skipped == ()
    assert [key.kid for key in keys.keys] == [key.thumbprint for key in keys.keys]


@pytest.mark.parametrize("name", ALL)
def test_every_recorded_token_is_signed_by_its_recorded_key(name):
    """The tests below then refuse tokens for their own reason and not because of the signature."""
    recording = ALL[name]
    header, payload, signature = recording["token"].split(".")
    other = TOKENS["impersonated"]["token"].split(".")[2]
    if signature == other:
        other = TOKENS["pat-exchanged"]["token"].split(".")[2]
    [key] = [key for key in parse_key_set(json.dumps(recording["jwks"]).encode(), max_keys=9).keys
             if key.kid == recording["header"]["kid"]]  # fmt: skip
    alg, message = recording["header"]["alg"], f"{header}.{payload}".encode()
    assert key.verify(alg, message, base64url_decode(signature))
    assert not key.verify(alg, message, base64url_decode(other))


@pytest.mark.parametrize("name", PERSONS)
def test_an_exchanged_token_is_a_persons_token(name):
    recording = TOKENS[name]
    any_organization = Requirement(organization="*")
    assert outcome(server_for(recording), recording, any_organization) == (403, "not_a_machine")
    any_caller = server_for(recording, machine_only=False)
    assert outcome(any_caller, recording, any_organization) == ACCEPTED
    caller = any_caller.authenticate([f"Bearer {recording['token']}"], any_organization)
    assert not caller.is_machine
    assert caller.scopes == {"read:orders"}


@pytest.mark.parametrize("name", PERSONS)
def test_a_persons_token_has_the_app_id_but_never_satisfies_app_ids(name):
    recording = TOKENS[name]
    claims = recording["claims"]
    any_caller = server_for(recording, machine_only=False)
    caller = any_caller.authenticate([f"Bearer {recording['token']}"], Requirement(organization="*"))
    assert (caller.app_id, caller.subject) == (claims["client_id"], claims["sub"])
    for app_id in (claims["client_id"], claims["sub"]):
        requirement = Requirement(app_ids=[app_id], organization="*")
        with pytest.raises(InsufficientScope):
            any_caller.authenticate([f"Bearer {recording['token']}"], requirement)


@pytest.mark.parametrize("name", PERSONS_OF_ORGANIZATIONS)
def test_a_persons_organization_token_is_accepted_only_if_configured(name):
    recording = TOKENS[name]
    requirement = Requirement(organization=of_organization(recording))
    assert outcome(server_for(recording), recording, requirement) == (401, "audience")
    assert outcome(server_for(recording, organizations=True), recording, requirement) == (403, "not_a_machine")
    assert outcome(server_for(recording, organizations=True, machine_only=False), recording, requirement) == ACCEPTED


@pytest.mark.parametrize("machine_only", [True, False])
def test_an_id_token_is_refused_even_if_its_audience_is_configured(machine_only):
    recording = TOKENS["id-token"]
    audience = [SHOPPING, recording["claims"]["aud"]]
    assert outcome(server_for(recording, audience, machine_only=machine_only), recording) == (401, "token_type")


def test_an_organization_token_without_scopes_grants_no_scope():
    """The caller is in the organization, without scopes."""
    recording = TOKENS["org-level-noscope"]
    server, organization = server_for(recording), of_organization(recording)
    caller = server.authenticate([f"Bearer {recording['token']}"], Requirement(organization=organization))
    assert (caller.app_id, caller.scopes, caller.organization_id) == (
        recording["claims"]["sub"], frozenset(), "vb5sd15ryajf",
    )  # fmt: skip
    assert outcome(server, recording) == (403, "organization")
    assert outcome(server, recording, Requirement(organization="z7kx49dblzcp")) == (403, "organization")
    requirement = Requirement(organization=organization, scopes=["read:orders"])
    assert outcome(server, recording, requirement) == (403, "scope")


def test_an_organization_token_without_scopes_is_accepted():
    recording = TOKENS["org-token-noscope"]
    requirement = Requirement(organization=of_organization(recording))
    assert recording["claims"]["scope"] == ""
    assert outcome(server_for(recording), recording, requirement) == (401, "audience")
    assert outcome(server_for(recording, organizations=True), recording, requirement) == ACCEPTED
    assert outcome(server_for(recording, organizations=True), recording) == (403, "organization")
    assert outcome(server_for(recording, recording["claims"]["aud"]), recording) == ACCEPTED
    caller = server_for(recording, organizations=True).authenticate([f"Bearer {recording['token']}"], requirement)
    assert caller.scopes == frozenset()


def test_a_token_of_the_admin_tenant_is_accepted_if_it_is_trusted():
    recording = TOKENS["mapi-admin-tenant"]
    trusted = server_for(recording, MANAGEMENT, endpoint=ADMIN)
    assert outcome(trusted, recording, Requirement(scopes=["all"], app_ids=["m-default"])) == ACCEPTED
    assert outcome(server_for(recording, MANAGEMENT), recording) == (401, "unknown_issuer")
    assert outcome(server_for(recording, endpoint=ADMIN), recording) == (401, "audience")


def test_a_token_that_a_script_bound_to_a_key_is_refused():
    recording = CUSTOM["custom-cnf"]
    assert outcome(server_for(recording), recording) == (401, "claim")


def test_a_token_with_nbf_from_a_script_is_accepted_only_later():
    recording = CUSTOM["custom-nbf-future"]
    delay = recording["claims"]["nbf"] - recording["claims"]["iat"]
    assert delay == 901
    assert outcome(server_for(recording, seconds=delay - 31), recording) == (401, "not_yet_valid")
    assert outcome(server_for(recording, seconds=delay - 30), recording) == ACCEPTED


def test_a_token_whose_organization_id_is_no_string_is_refused():
    recording = CUSTOM["custom-org-number"]
    for requirement in (None, Requirement(organization="*"), Requirement(organization="7")):
        assert outcome(server_for(recording), recording, requirement) == (401, "claim")


def test_an_organization_id_from_a_script_limits_the_token():
    recording = CUSTOM["custom-org-overwritten-by-script"]
    server = server_for(recording)
    assert outcome(server, recording) == (403, "organization")
    assert outcome(server, recording, Requirement(organization="vb5sd15ryajf")) == (403, "organization")
    assert outcome(server, recording, Requirement(organization="z7kx49dblzcp", scopes=["read:orders"])) == ACCEPTED


@pytest.mark.parametrize("name", ["org-level-noscope", "custom-org-overwritten-by-script"])
def test_verify_refuses_a_token_of_an_organization(name):
    recording = ALL[name]
    with pytest.raises(InsufficientScope):
        server_for(recording).verify(recording["token"])


def test_organization_id_is_read_only_from_tokens_of_logto():
    recording = TOKENS["org-level-noscope"]
    other = Issuer(url=recording["claims"]["iss"], jwks=recording["jwks"])
    server = ResourceServer(other, audience=SHOPPING, clock=lambda: recording["claims"]["iat"] + 1)
    assert server.authenticate([f"Bearer {recording['token']}"]).organization_id is None


def test_claims_of_a_script_grant_no_scope_unless_configured():
    recording = CUSTOM["custom-roles"]
    caller = server_for(recording).authenticate([f"Bearer {recording['token']}"])
    assert (caller.scopes, caller.claims["roles"], dict(caller.claims["tier"])) == (
        {"read:orders"}, ("a",), {"gold": True},
    )  # fmt: skip
    logto = dataclasses.replace(Issuer.logto(DEFAULT), jwks=recording["jwks"], scope_lists=["roles"])
    server = ResourceServer(logto, audience=SHOPPING, clock=lambda: recording["claims"]["iat"] + 1)
    assert server.verify(recording["token"]).scopes == {"read:orders", "a"}


@pytest.mark.parametrize("step", ["imported P-256 current", "imported P-521 current, Ed25519 previous"])
def test_a_token_of_an_imported_key_is_accepted(step):
    recording = STEPS[step]
    assert outcome(server_for(recording), recording, Requirement(scopes=["read:orders"])) == ACCEPTED
    for other in STEPS.values():
        if other is not recording:
            assert outcome(server_for(recording | {"jwks": other["jwks"]}), recording) == (401, "unknown_key")


def test_the_reserved_audience_is_refused():
    recording = STEPS["reserved-resource"]
    for organizations in (False, True):
        for requirement in (None, Requirement(organization="*")):
            server = server_for(recording, organizations=organizations)
            assert outcome(server, recording, requirement) == (401, "audience")
    with pytest.raises(ConfigurationError, match="never an audience"):
        server_for(recording, RESERVED)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seconds", [-31, 3600 + 30])
def test_no_recorded_token_is_accepted_at_another_time(name, seconds):
    recording = ALL[name]
    server = server_for(recording, [SHOPPING, MANAGEMENT], organizations=True, machine_only=False, seconds=seconds)
    with pytest.raises(InvalidToken):
        server.authenticate([f"Bearer {recording['token']}"], Requirement(organization="*"))


@pytest.mark.parametrize("name", [name for name in ENDPOINT if name.startswith("err-")])
def test_a_recorded_refusal_of_the_token_endpoint_is_no_outage(name):
    answer = ENDPOINT[name]["response"]
    with LocalIssuer() as issuer:
        body = json.dumps(answer["body"]).encode()
        issuer.misbehave("token", faults.Fault(status=answer["status"], headers=answer.get("headers", {}), body=body))
        source = TokenSource.logto(issuer.endpoint, "app-orders", "wrong-secret", resource=SHOPPING)
        with pytest.raises(TokenRequestRefused) as error:
            source.token()
    assert "wrong-secret" not in str(error.value)


def test_logto_neither_introspects_nor_revokes_a_jwt():
    """The library uses neither, because Logto supports neither for JWTs."""
    for name in ("introspection-of-a-jwt", "revocation-of-a-jwt"):
        answer = ENDPOINT[name]["response"]
        assert (answer["status"], answer["body"]["error"]) == (400, "unsupported_token_type")


def test_the_recordings_contain_no_secret():
    text = "".join(file.read_text() for file in sorted(RECORDINGS.glob("*.json")))
    for member in ('"d"', '"p"', '"q"', '"k"', '"client_secret"', '"refresh_token"', "PRIVATE KEY"):
        assert member not in text
    for entry in ENDPOINT.values():
        assert entry.get("request", {}).get("authorization", "Basic app-id:app-secret") == "Basic app-id:app-secret"
