"""The token endpoint beside the answers recorded from a real Logto, and what it grants."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import jwt
import pytest

from m2mguard.testing import MANAGEMENT_API, SHOPPING_API, Application, LocalIssuer, Membership, Resource

RECORDED = {
    answer["name"]: answer
    for answer in json.loads((Path(__file__).parent.parent / "data" / "logto" / "token-endpoint.json").read_text())
}
APP_ID = "zzb3q9711qc77slcs2sp7"
SECRET = "p:a ss/w+örd&=%"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def basic(app_id: str, secret: str) -> dict[str, str]:
    credentials = f"{quote_plus(app_id)}:{quote_plus(secret)}"
    return {**FORM, "Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}


GOOD = basic(APP_ID, SECRET)
ASKED = {"grant_type": "client_credentials", "resource": SHOPPING_API}
CREDENTIALS = {
    "err-custom-claims-denied": basic("app-denied", "denied"),
    "err-no-client-auth": FORM,
    "err-unknown-client": basic("nosuchclient", "any"),
    "err-wrong-secret": basic(APP_ID, "wrong"),
}


@pytest.fixture(scope="module")
def logto() -> Iterator[LocalIssuer]:
    grants = {SHOPPING_API: ("read:orders", "write:orders"), "https://short.api": ("read:prices",)}
    application = Application(
        secret=SECRET,
        scopes=grants,
        organizations={"org-1": Membership(permissions=("read:members",), scopes={SHOPPING_API: ("read:orders",)})},
    )
    with LocalIssuer(
        issuer="http://127.0.0.1:3001/oidc",
        applications={
            APP_ID: application,
            "app-denied": Application(secret="denied", denial="no tokens today"),
        },
        resources={
            SHOPPING_API: Resource(scopes=("read:orders", "write:orders")),
            "https://inventory.api": Resource(),
            "https://short.api": Resource(scopes=("read:prices",), lifetime=120),
        },
    ) as issuer:
        yield issuer


@pytest.fixture
def ask(http, logto):
    def ask(body, headers=GOOD):
        sent = body if isinstance(body, str) else urlencode(body, doseq=True)
        return http("POST", logto.token_endpoint, headers=headers, body=sent.encode())

    return ask


def claims(answer) -> dict[str, Any]:
    return jwt.decode(answer.json()["access_token"], options={"verify_signature": False})


@pytest.mark.parametrize("name", RECORDED)
def test_it_answers_as_logto_was_recorded_to(ask, name):
    recorded = RECORDED[name]
    answer = ask(recorded["request"]["body"], CREDENTIALS.get(name, GOOD))
    expected = recorded["response"]
    assert answer.status == expected["status"]
    assert {header: answer.headers.get(header) for header in expected["headers"]} == expected["headers"]
    assert ("www-authenticate" in answer.headers) == ("WWW-Authenticate" in expected["headers"])
    assert list(answer.json()) == list(expected["body"])
    varying = {"access_token": None} if expected["status"] == 200 else {}
    assert {**answer.json(), **varying} == {**expected["body"], **varying}


RECORDED_LATER = {
    answer["name"]: answer["response"]
    for answer in json.loads(
        (Path(__file__).parent.parent / "data" / "logto-2026-11" / "token-endpoint-more.json").read_text()
    )
}


@pytest.mark.parametrize(
    ("name", "registered"),
    [
        ("err-secret-expired", {"secret_expired": True}),
        ("err-application-not-m2m", {"kind": "traditional"}),
        ("err-spa", {"kind": "spa"}),
        ("err-claims-script-blocks", {"script_error": "boom"}),
    ],
)
def test_it_refuses_as_logto_was_recorded_to_later(http, name, registered):
    with LocalIssuer(applications={APP_ID: Application(secret=SECRET, **registered)}) as issuer:
        answer = http("POST", issuer.token_endpoint, headers=GOOD, body=urlencode(ASKED).encode())
    expected = RECORDED_LATER[name]
    assert (answer.status, answer.json()) == (expected["status"], expected["body"])
    assert ("www-authenticate" in answer.headers) == ("www-authenticate" in expected.get("headers", {}))


def test_a_granted_token_is_logtos_and_verifies_with_the_published_key(ask, http, logto):
    recorded = RECORDED["token-global-2scopes"]
    token = ask(recorded["request"]["body"]).json()["access_token"]
    [jwk] = http("GET", logto.jwks_uri).json()["keys"]
    ours = jwt.decode(token, jwt.PyJWK(jwk), ["ES384"], audience=SHOPPING_API, issuer=logto.url)
    theirs = jwt.decode(recorded["response"]["body"]["access_token"], options={"verify_signature": False})
    assert list(ours) == list(theirs)
    varying = dict.fromkeys(("jti", "iat", "exp"))
    assert {**ours, **varying} == {**theirs, **varying}
    assert ours["exp"] - ours["iat"] == 3600


def test_scopes_that_are_not_granted_are_dropped_silently(ask):
    answer = ask({**ASKED, "scope": "write:orders delete:orders read:orders write:orders"})
    assert answer.status == 200
    assert answer.json()["scope"] == claims(answer)["scope"] == "write:orders read:orders"


@pytest.mark.parametrize("scope", [{}, {"scope": ""}, {"scope": "delete:orders"}])
def test_without_a_granted_scope_neither_the_answer_nor_the_token_has_the_member(ask, scope):
    answer = ask({**ASKED, **scope})
    assert answer.status == 200
    assert "scope" not in answer.json()
    assert "scope" not in claims(answer)


def test_an_application_without_any_role_gets_a_token_for_any_registered_resource(ask):
    answer = ask({**ASKED, "resource": "https://inventory.api", "scope": "read:orders"})
    assert claims(answer)["aud"] == "https://inventory.api"
    assert "scope" not in claims(answer)


def test_a_resource_has_its_own_lifetime(ask):
    answer = ask({**ASKED, "resource": "https://short.api"})
    token = claims(answer)
    assert answer.json()["expires_in"] == token["exp"] - token["iat"] == 120


def test_an_organization_token_names_the_organization_as_its_audience(ask):
    answer = ask({"grant_type": "client_credentials", "organization_id": "org-1", "scope": "read:members read:orders"})
    assert claims(answer)["aud"] == "urn:logto:organization:org-1"
    assert claims(answer)["scope"] == answer.json()["scope"] == "read:members"


def test_an_organization_token_without_scopes_has_an_empty_scope(ask):
    answer = ask({"grant_type": "client_credentials", "organization_id": "org-1"})
    assert claims(answer)["scope"] == ""
    assert "scope" not in answer.json()


def test_an_organization_token_keeps_the_audience_and_has_its_own_scopes(ask):
    """An organization level token keeps the audience and has the scopes of that organization."""
    answer = ask({**ASKED, "organization_id": "org-1", "scope": "read:orders write:orders read:members"})
    token = claims(answer)
    assert (token["aud"], token["organization_id"], token["scope"]) == (SHOPPING_API, "org-1", "read:orders")


def test_credentials_may_stand_in_the_body_and_then_get_no_basic_challenge(ask):
    assert ask({**ASKED, "client_id": APP_ID, "client_secret": SECRET}, FORM).status == 200
    refused = ask({**ASKED, "client_id": APP_ID, "client_secret": "wrong"}, FORM)
    assert (refused.status, refused.json()["error"]) == (401, "invalid_client")
    assert "www-authenticate" not in refused.headers
    assert ask({**ASKED, "client_id": APP_ID}, FORM).status == 401


@pytest.mark.parametrize(
    "header", ["Bearer abc", "Basic", "Basic !!!", "Basic " + base64.b64encode(b"nocolon").decode()]
)
def test_an_authorization_header_that_is_no_basic_one_is_an_invalid_request(ask, header):
    answer = ask(ASKED, {**FORM, "Authorization": header})
    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")


def test_a_missing_grant_type_and_a_repeated_parameter_are_invalid_requests(ask):
    for form in ({"resource": SHOPPING_API}, {**ASKED, "scope": ["read:orders", "write:orders"]}):
        answer = ask(form)
        assert (answer.status, answer.json()["error"]) == (400, "invalid_request")


def test_a_token_is_never_revalidated(ask):
    answer = ask(ASKED, {**GOOD, "If-None-Match": "*"})
    assert answer.status == 200
    assert "etag" not in answer.headers


def test_an_unknown_parameter_is_ignored_and_get_is_not_answered(ask, http, logto):
    assert ask({**ASKED, "audience": "https://elsewhere.api"}).status == 200
    assert http("GET", logto.token_endpoint).status == 404


def test_the_default_applications_get_what_their_names_promise(http, issuer):
    def scopes(app_id: str, resource: str, scope: str) -> str | None:
        body = urlencode({**ASKED, "resource": resource, "scope": scope}).encode()
        answer = http("POST", issuer.token_endpoint, headers=basic(app_id, f"secret-of-{app_id}"), body=body)
        return answer.json().get("scope")

    assert scopes("app-orders", SHOPPING_API, "read:orders write:orders") == "read:orders"
    assert scopes("app-orders", MANAGEMENT_API, "all") is None
    assert scopes("app-admin", MANAGEMENT_API, "all") == "all"


@pytest.mark.parametrize(
    ("application", "complaint"),
    [
        (
            Application(secret="any", scopes={SHOPPING_API: ("read:orders", "fly")}),
            "app-odd is granted ['fly'], which https://shopping.api does not have",
        ),
        (
            Application(secret="any", organizations={"org-1": Membership(scopes={SHOPPING_API: ("fly",)})}),
            "app-odd is granted ['fly'], which https://shopping.api does not have",
        ),
        (
            Application(secret="any", scopes={"https://unknown.api": ()}),
            "app-odd is granted scopes of https://unknown.api, which is no registered resource",
        ),
    ],
)
def test_granting_a_scope_that_does_not_exist_is_an_error_at_construction(application, complaint):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        LocalIssuer(applications={"app-odd": application})
