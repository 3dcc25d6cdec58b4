"""A preset accepts machine tokens of its issuer and refuses all others: tokens of each issuer with one change."""

from dataclasses import replace

import pytest

from m2mguard import ConfigurationError, Issuer, ResourceServer
from m2mguard.errors import AnswerableError
from m2mguard.presets import auth0, cognito, entra, google_service_accounts, hydra, keycloak, okta, zitadel
from m2mguard.testing import REMOVED, SigningKey
from tests.presets.tokens import API, CASES, ENTRA_API, NOW, TENANT, Case, Claims
from tests.refusals import ACCEPTED, outcome_of

KEY = SigningKey.generate("RS256", kid="key-1")
each_issuer = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def id_of(parameter: object) -> str:
    if isinstance(parameter, dict):
        return " ".join(f"{name}={value}" for name, value in parameter.items())
    if isinstance(parameter, Issuer):
        return parameter.url
    return getattr(parameter, "__name__", str(parameter))


def server_for(case: Case, **settings) -> ResourceServer:
    issuer = replace(case.issuer, jwks_uri=None, jwks={"keys": [KEY.public_jwk]})
    return ResourceServer(issuer, audience=case.audience, clock=lambda: NOW, **settings)


def token(case: Case, claims: Claims, **changes: object) -> str:
    header = {"alg": "RS256", "kid": "key-1", **case.header}
    return KEY.sign_compact(
        header, {name: value for name, value in {**claims, **changes}.items() if value is not REMOVED}
    )


def outcome(case: Case, claims: Claims, **changes: object) -> object:
    """The outcome for the claims of a case with some changes."""
    return outcome_of(lambda: server_for(case).verify(token(case, claims, **changes)))


@each_issuer
def test_a_machines_token_is_accepted_with_its_app_id_and_scopes(case):
    caller = server_for(case).verify(token(case, case.machine))
    assert (caller.app_id, caller.scopes, caller.audience) == (case.app_id, case.scopes, case.audience)
    assert caller.is_machine


@each_issuer
def test_a_persons_access_token_is_refused(case):
    assert outcome(case, case.person) == case.person_is_refused_with


@each_issuer
def test_a_persons_token_is_no_machine_token_if_persons_are_accepted(case):
    if case.person_is_refused_with[0] == 403:
        assert not server_for(case, machine_only=False).verify(token(case, case.person)).is_machine
    else:
        with pytest.raises(AnswerableError):
            server_for(case, machine_only=False).verify(token(case, case.person))


@each_issuer
@pytest.mark.parametrize("machine_only", [True, False], ids=["machines-only", "people-too"])
def test_an_id_token_is_refused_even_if_its_audience_fits(case, machine_only):
    with pytest.raises(AnswerableError) as refused:
        server_for(case, machine_only=machine_only).verify(token(case, case.id_token))
    assert (refused.value.status, refused.value.reason) == case.id_token_is_refused_with


@each_issuer
@pytest.mark.parametrize(
    "audience", ["https://shopping.api/", "https://other.api", [], [""]], ids=["slash", "other", "none", "empty"]
)
def test_a_token_for_another_audience_is_refused(case, audience):
    assert outcome(case, case.machine, aud=audience) == (401, "audience")


@each_issuer
def test_a_token_of_another_issuer_is_refused(case):
    for issuer in (f"{case.issuer.url}/", case.issuer.url.removesuffix("/") + "x", "https://issuer.example"):
        assert outcome(case, case.machine, iss=issuer) == (401, "unknown_issuer")


@each_issuer
@pytest.mark.parametrize("typ", ["logout+jwt", "secevent+jwt", "id_token+jwt", ""])
def test_a_token_of_another_type_is_refused(case, typ):
    assert outcome(replace(case, header={"typ": typ}), case.machine) == (401, "token_type")


@each_issuer
def test_every_required_claim_is_required(case):
    for claim in case.issuer.required_claims:
        assert outcome(case, case.machine, **{claim: REMOVED}) in ((401, "claim"), (401, "unknown_issuer")), claim


@each_issuer
def test_an_expired_token_is_refused(case):
    assert outcome(case, case.machine, exp=NOW - 31) == (401, "expired")


@each_issuer
def test_a_token_bound_to_a_key_is_refused(case):
    assert outcome(case, case.machine, cnf={"jkt": "x"}) == (401, "claim")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("auth0", {"gty": REMOVED}),
        ("auth0", {"gty": "password"}),
        ("auth0", {"sub": "someone-else@clients"}),
        ("auth0-rfc9068", {"sub": "someone-else@clients"}),
        ("auth0-rfc9068", {"sub": "K1AUPhZq8mRi0Q0p"}),
        ("entra", {"idtyp": REMOVED}),
        ("entra", {"idtyp": "user"}),
        ("entra-v1", {"idtyp": REMOVED}),
        ("okta", {"uid": "00uk1u7AsAk6dZL3z0g3"}),
        ("okta", {"sub": "jane@example.com"}),
        ("cognito", {"sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"}),
        ("google", {"azp": "1234.apps.googleusercontent.com"}),
        ("keycloak", {"client_id": REMOVED}),
        ("keycloak", {"client_id": "another"}),
        ("keycloak", {"preferred_username": REMOVED}),
        ("keycloak", {"preferred_username": "service-account-another"}),
        ("zitadel", {"sub": "163840776835432705"}),
        ("zitadel", {"sub": "28435633912208507"}),
        ("hydra", {"sub": "another"}),
    ],
    ids=id_of,
)
def test_a_token_without_the_claims_of_a_machine_is_refused(name, changes):
    assert outcome(CASES[name], CASES[name].machine, **changes) == (403, "not_a_machine")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("auth0", {"azp": REMOVED}),
        ("entra", {"azp": REMOVED}),
        ("entra-v1", {"appid": REMOVED}),
        ("okta", {"cid": REMOVED}),
        ("okta", {"scp": REMOVED}),
        ("google", {"azp": REMOVED}),
        ("zitadel", {"jti": REMOVED}),
        ("zitadel", {"nbf": REMOVED}),
        ("hydra", {"client_id": REMOVED}),
        ("cognito", {"token_use": "id"}),
        ("cognito", {"token_use": ["access"]}),
        ("cognito", {"token_use": REMOVED}),
        ("keycloak", {"typ": "ID"}),
        ("keycloak", {"typ": "Refresh"}),
        ("keycloak", {"typ": "bearer"}),
        ("keycloak", {"typ": REMOVED}),
        ("google", {"sub": "110169484474386276334", "azp": "110169484474386276334"}),
    ],
    ids=id_of,
)
def test_a_claim_that_excludes_other_tokens_is_required(name, changes):
    assert outcome(CASES[name], CASES[name].machine, **changes) == (401, "claim")


def test_auth0_needs_no_permissions_and_no_scope():
    assert outcome(CASES["auth0"], CASES["auth0"].machine, permissions=REMOVED, scope=REMOVED) == ACCEPTED


def test_google_may_name_the_service_account_by_email_in_azp():
    google = CASES["google"]
    assert outcome(google, google.machine, azp=google.machine["email"]) == ACCEPTED


def test_keycloak_before_22_names_the_claim_clientid():
    assert outcome(CASES["keycloak"], CASES["keycloak"].machine, client_id=REMOVED, clientId="app-Orders") == ACCEPTED


def test_hydra_may_send_scopes_as_a_string():
    case = CASES["hydra"]
    caller = server_for(case).verify(token(case, case.machine, scp=REMOVED, scope="read:orders write:orders"))
    assert caller.scopes == {"read:orders", "write:orders"}


@pytest.mark.parametrize("name", ["keycloak", "zitadel", "hydra", "okta", "cognito"])
def test_the_type_of_rfc_9068_is_accepted_for_future_versions(name):
    assert outcome(replace(CASES[name], header={"typ": "at+jwt"}), CASES[name].machine) == ACCEPTED


@pytest.mark.parametrize(
    "scope",
    [
        REMOVED,
        "",
        API,
        "read:orders",
        f"{API}x/read:orders",
        f"{API}/admin/read:orders",
        "https://billing.api/read",
        "shopping.api/read:orders",
        "aws.cognito.signin.user.admin",
    ],
    ids=["absent", "empty", "no-name", "no-server", "longer", "deeper", "another", "shorter", "cognitos-own"],
)
def test_cognitos_audience_is_the_resource_server_of_a_scope(scope):
    assert outcome(CASES["cognito"], CASES["cognito"].machine, scope=scope) == (401, "audience")
    assert outcome(CASES["cognito"], CASES["cognito"].machine, scope=f"{API}/x") == ACCEPTED


def test_cognitos_aud_is_checked_if_present():
    assert outcome(CASES["cognito"], CASES["cognito"].machine, aud=API) == ACCEPTED
    assert outcome(CASES["cognito"], CASES["cognito"].machine, aud="https://billing.api") == (401, "audience")


@pytest.mark.parametrize(
    ("issuer", "url", "jwks_uri"),
    [
        (auth0("login.example.com"), "https://login.example.com/", None),
        (entra(TENANT), f"https://login.microsoftonline.com/{TENANT}/v2.0",
         f"https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys"),
        (entra(TENANT, version=1), f"https://sts.windows.net/{TENANT}/",
         f"https://login.microsoftonline.com/{TENANT}/discovery/keys"),
        (okta("example.okta.com", authorization_server="aus9o8wzjzaM1u6GD0h7"),
         "https://example.okta.com/oauth2/aus9o8wzjzaM1u6GD0h7", None),
        (cognito("us-gov-west-1_A1"), "https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_A1", None),
        (cognito("cn-north-1_A1"), "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_A1", None),
        (google_service_accounts(["1"]), "https://accounts.google.com", "https://www.googleapis.com/oauth2/v3/certs"),
        (keycloak("https://sso.example.com/auth/", "shop"), "https://sso.example.com/auth/realms/shop", None),
        (zitadel("https://z.example.com", service_users=["1"]), "https://z.example.com", None),
        (hydra("https://h.example.com"), "https://h.example.com", None),
    ],
    ids=id_of,
)  # fmt: skip
def test_a_preset_has_the_issuer_url_and_the_key_set_url(issuer, url, jwks_uri):
    assert (issuer.url, issuer.jwks_uri) == (url, jwks_uri)


@pytest.mark.parametrize(
    ("preset", "arguments", "settings"),
    [
        (auth0, ["https://tenant.auth0.com"], {}),
        (auth0, ["tenant.auth0.com/"], {}),
        (auth0, ["tenant"], {}),
        (auth0, ["tenant.auth0.com"], {"profile": "RFC9068"}),
        (entra, ["common"], {}),
        (entra, ["organizations"], {}),
        (entra, ["example.com"], {}),
        (entra, [TENANT.upper()], {}),
        (entra, [f"{TENANT}/v2.0"], {}),
        (entra, [TENANT], {"version": 3}),
        (entra, [TENANT], {"version": True}),
        (okta, ["example.okta.com"], {"authorization_server": ""}),
        (okta, ["example.okta.com"], {"authorization_server": "default/v1"}),
        (okta, ["example.okta.com/oauth2/default"], {}),
        (cognito, ["AbCdEfGhI"], {}),
        (cognito, ["https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_A1"], {}),
        (cognito, [None], {}),
        (google_service_accounts, [[]], {}),
        (google_service_accounts, [["orders@project.iam.gserviceaccount.com"]], {}),
        (keycloak, ["https://sso.example.com/realms/shop", "shop"], {}),
        (keycloak, ["https://sso.example.com", "../master"], {}),
        (keycloak, ["https://sso.example.com", ".."], {}),
        (keycloak, ["http://sso.example.com", "shop"], {}),
        (zitadel, ["https://z.example.com"], {"service_users": []}),
        (hydra, ["http://h.example.com"], {}),
    ],
    ids=id_of,
)
def test_an_invalid_value_of_a_preset_is_rejected(preset, arguments, settings):
    with pytest.raises(ConfigurationError):
        preset(*arguments, **settings)


@pytest.mark.parametrize(
    "setting",
    [
        {"claim_values": "token_use"},
        {"claim_values": ["token_use"]},
        {"claim_values": {"token_use": []}},
        {"claim_values": {"token_use": [True]}},
        {"claim_values": {"token_use": None}},
        {"claim_values": {"": ["access"]}},
        {"claim_values": {1: ["access"]}},
        {"audience_in_scope": True},
        {"audience_in_scope": "yes"},
    ],
    ids=str,
)
def test_the_claim_settings_of_an_issuer_are_checked(setting):
    with pytest.raises(ConfigurationError):
        Issuer(url="https://issuer.example", **setting)


def test_an_issuer_has_strict_defaults():
    issuer = Issuer(url="https://issuer.example")
    assert not issuer.claim_values
    assert not issuer.audience_in_scope
    with pytest.raises(TypeError):
        issuer.claim_values["token_use"] = ["id"]  # type: ignore[index]


def test_keys_of_entra_without_alg_are_used_for_rs256_only():
    case = CASES["entra"]
    without_alg = {name: value for name, value in KEY.public_jwk.items() if name != "alg"}
    issuer = replace(
        case.issuer, jwks_uri=None, jwks={"keys": [{**without_alg, "x5t": "key-1", "issuer": case.issuer.url}]}
    )
    server = ResourceServer(issuer, audience=ENTRA_API, clock=lambda: NOW)
    assert server.verify(token(case, case.machine)).app_id == case.app_id
    other = SigningKey.generate("PS256", kid="key-1")
    with pytest.raises(AnswerableError) as refused:
        server.verify(other.sign_compact({"alg": "PS256", "kid": "key-1", "typ": "JWT"}, case.machine))
    assert refused.value.reason == "algorithm"
