"""Tokens and keys recorded from a real Logto, verified at the time of the recording."""

import dataclasses
import json
from pathlib import Path

import pytest

from m2mguard import InsufficientScope, InvalidToken, Issuer, Requirement, ResourceServer
from m2mguard._keys.key_set import parse_key_set

RECORDINGS = Path(__file__).parent / "data" / "logto"
TOKENS = {entry["name"]: entry for entry in json.loads((RECORDINGS / "tokens.json").read_text())}
ROTATION = json.loads((RECORDINGS / "rotation.json").read_text())
METADATA = {entry["name"]: entry for entry in json.loads((RECORDINGS / "metadata.json").read_text())}

SHOPPING = "https://shopping.api"
ORGANIZATION_ID = "0p6xttnkox5b"
ORGANIZATION = f"urn:logto:organization:{ORGANIZATION_ID}"
MANAGEMENT = "https://default.logto.app/api"
GLOBAL = ["global-1scope", "global-2scopes", "global-noscope", "global-unauthorised-scope"]
OF_AN_ORGANIZATION = ["org", "org-noscope"]
MACHINES = [*GLOBAL, *OF_AN_ORGANIZATION, "org-api-resource", "second-resource-no-role", "mapi-default-tenant"]
DEFAULT_TENANT = "http://127.0.0.1:3001/oidc"
ADMIN_TENANT = "http://127.0.0.1:3002/oidc"


def server_for(recording, audience, *, url=None, organizations=False, **settings):
    claims = recording["claims"]
    return ResourceServer(
        dataclasses.replace(
            Issuer.logto("https://tenant.logto.app", organizations=organizations),
            url=url or claims["iss"],
            jwks=recording["jwks"],
        ),
        audience=audience,
        clock=lambda: claims["iat"] + 1,
        **settings,
    )


def authenticate(server, recording, requirement=None):
    return server.authenticate([f"Bearer {recording['token']}"], requirement)


def refused_as(error):
    return error.value.status, error.value.reason


@pytest.mark.parametrize("name", GLOBAL)
def test_a_global_token_is_accepted_with_its_claims(name):
    recording = TOKENS[name]
    claims = recording["claims"]
    caller = authenticate(server_for(recording, SHOPPING), recording)
    assert caller.app_id == claims["sub"] == claims["client_id"]
    assert caller.scopes == frozenset(claims.get("scope", "").split())
    assert (caller.issuer, caller.audience) == (claims["iss"], SHOPPING)
    assert (caller.expires_at, caller.token_id) == (claims["exp"], claims["jti"])
    assert caller.organization_id is None
    assert dict(caller.claims) == claims


@pytest.mark.parametrize("name", OF_AN_ORGANIZATION)
def test_an_organization_token_is_refused_on_a_global_api(name):
    recording = TOKENS[name]
    with pytest.raises(InvalidToken) as error:
        authenticate(server_for(recording, SHOPPING), recording)
    assert refused_as(error) == (401, "audience")


@pytest.mark.parametrize("name", OF_AN_ORGANIZATION)
def test_an_organization_token_is_accepted_by_the_api_of_its_audience(name):
    recording = TOKENS[name]
    caller = authenticate(server_for(recording, ORGANIZATION), recording)
    assert (caller.organization_id, caller.audience) == (ORGANIZATION_ID, ORGANIZATION)


@pytest.mark.parametrize("name", OF_AN_ORGANIZATION)
def test_an_organization_token_is_accepted_with_organizations_true(name):
    recording = TOKENS[name]
    server = server_for(recording, SHOPPING, organizations=True)
    caller = authenticate(server, recording, Requirement(organization=ORGANIZATION_ID))
    assert caller.organization_id == ORGANIZATION_ID
    with pytest.raises(InsufficientScope) as error:
        authenticate(server, recording)
    assert refused_as(error) == (403, "organization")


def test_an_organization_token_is_refused_on_a_global_route():
    """An organization token for an API has the same audience as a global token."""
    recording = TOKENS["org-api-resource"]
    server = server_for(recording, SHOPPING)
    with pytest.raises(InsufficientScope) as error:
        authenticate(server, recording)
    assert refused_as(error) == (403, "organization")
    caller = authenticate(server, recording, Requirement(organization=ORGANIZATION_ID, scopes=["read:orders"]))
    assert caller.organization_id == ORGANIZATION_ID


def test_the_management_api_accepts_its_token_from_either_tenant():
    recordings = [TOKENS["mapi-default-tenant"], TOKENS["mapi-admin-tenant"]]
    issuers = [Issuer(url=recording["claims"]["iss"], jwks=recording["jwks"]) for recording in recordings]
    assert [issuer.url for issuer in issuers] == [DEFAULT_TENANT, ADMIN_TENANT]
    server = ResourceServer(issuers, audience=MANAGEMENT, clock=lambda: recordings[0]["claims"]["iat"] + 1)
    callers = [authenticate(server, recording, Requirement(scopes=["all"])) for recording in recordings]
    assert [caller.app_id for caller in callers] == ["ohxx8ij9yf17jz2qspzu8", "m-default"]


def test_a_token_of_the_admin_tenant_is_refused_by_the_default_tenant():
    recording = TOKENS["mapi-admin-tenant"]
    with pytest.raises(InvalidToken) as error:
        authenticate(server_for(recording, MANAGEMENT, url=DEFAULT_TENANT), recording)
    assert refused_as(error) == (401, "unknown_issuer")


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("change", ["/", "x", "?"])
def test_every_other_audience_is_refused(name, change):
    recording = TOKENS[name]
    with pytest.raises(InvalidToken) as error:
        authenticate(server_for(recording, recording["claims"]["aud"] + change), recording)
    assert refused_as(error) == (401, "audience")


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("url", [DEFAULT_TENANT + "/", DEFAULT_TENANT.upper().replace("HTTP:", "http:"), ADMIN_TENANT])
def test_every_other_issuer_is_refused(name, url):
    recording = TOKENS[name]
    with pytest.raises(InvalidToken) as error:
        authenticate(server_for(recording, recording["claims"]["aud"], url=url), recording)
    assert refused_as(error) == (401, "unknown_issuer")


def test_a_persons_token_is_a_403_unless_persons_are_accepted():
    recording = TOKENS["user-token-global-resource"]
    with pytest.raises(InsufficientScope) as error:
        authenticate(server_for(recording, SHOPPING), recording)
    assert refused_as(error) == (403, "not_a_machine")
    caller = authenticate(server_for(recording, SHOPPING, machine_only=False), recording)
    assert not caller.is_machine


def test_an_id_token_of_the_same_issuer_and_key_is_refused():
    recording = TOKENS["id-token"]
    with pytest.raises(InvalidToken) as error:
        authenticate(server_for(recording, recording["claims"]["aud"]), recording)
    assert refused_as(error) == (401, "token_type")


def test_an_opaque_token_is_a_401_and_no_400():
    server = server_for(TOKENS["global-1scope"], SHOPPING)
    with pytest.raises(InvalidToken) as error:
        authenticate(server, TOKENS["user-token-opaque"])
    assert refused_as(error) == (401, "malformed")


@pytest.mark.parametrize("step", ROTATION, ids=lambda step: step["step"])
def test_each_step_of_a_rotation_verifies_with_its_key_set(step):
    caller = authenticate(server_for(step, SHOPPING), step)
    assert caller.app_id == step["claims"]["sub"]
    assert step["header"]["kid"] in parse_key_set(json.dumps(step["jwks"]).encode(), max_keys=100)


def test_an_earlier_token_is_accepted_while_its_key_is_published():
    before, after_immediate, _, after_grace = ROTATION
    server = server_for(after_immediate | {"claims": before["claims"]}, SHOPPING)
    assert authenticate(server, before).app_id == before["claims"]["sub"]
    server = server_for(after_grace | {"claims": before["claims"]}, SHOPPING)
    with pytest.raises(InvalidToken) as error:
        authenticate(server, before)
    assert refused_as(error) == (401, "unknown_key")


def test_logto_names_keys_by_their_thumbprint():
    body = json.dumps(METADATA["jwks-default"]["response"]["body"]).encode()
    assert [key.kid for key in parse_key_set(body, max_keys=100).keys] == [
        key.thumbprint for key in parse_key_set(body, max_keys=100).keys
    ]


@pytest.mark.parametrize(("seconds", "accepted"), [(3600 + 29, True), (3600 + 30, False), (-30, True), (-31, False)])
def test_a_recorded_token_is_valid_for_its_lifetime_plus_leeway(seconds, accepted):
    recording = TOKENS["global-1scope"]
    issuer = Issuer(url=DEFAULT_TENANT, jwks=recording["jwks"])
    server = ResourceServer(issuer, audience=SHOPPING, clock=lambda: recording["claims"]["iat"] + seconds)
    if accepted:
        assert authenticate(server, recording).app_id
    else:
        with pytest.raises(InvalidToken) as error:
            authenticate(server, recording)
        assert error.value.reason == ("expired" if seconds > 0 else "not_yet_valid")
