"""`GET /api/applications` beside the refusals recorded from a real Logto."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from m2mguard.testing import MANAGEMENT_API, SHOPPING_API, LocalIssuer, SigningKey

RECORDED = {
    answer["name"]: answer["response"]
    for answer in json.loads((Path(__file__).parent.parent / "data" / "logto" / "management-api.json").read_text())
}


@pytest.fixture
def applications(http, issuer):
    def get(authorization=None):
        headers = {} if authorization is None else {"Authorization": authorization}
        return http("GET", issuer.endpoint + "/api/applications", headers=headers)

    return get


def management_token(issuer: LocalIssuer, **options: Any) -> str:
    return issuer.mint("app-admin", **{"audience": MANAGEMENT_API, "scopes": ("all",), **options})


def tampered(token: str) -> str:
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{signature[:-4]}AAAA"


AUTHORIZATIONS: dict[str, Callable[[LocalIssuer], Any]] = {
    "mapi-401-bad-signature": lambda issuer: f"Bearer {tampered(management_token(issuer))}",
    "mapi-401-basic": lambda _: "Basic " + base64.b64encode(b"app:secret").decode(),
    "mapi-401-empty": lambda _: "Bearer ",
    "mapi-401-expired": lambda issuer: f"Bearer {management_token(issuer, lifetime=-1)}",
    "mapi-401-garbage": lambda _: "Bearer garbage",
    "mapi-401-missing": lambda _: None,
    "mapi-401-wrong-audience": lambda issuer: f"Bearer {issuer.mint(audience=SHOPPING_API)}",
    "mapi-403-default-tenant-no-role": lambda issuer: f"Bearer {management_token(issuer, scopes=())}",
    "mapi-403-no-scope": lambda issuer: f"Bearer {management_token(issuer, scopes=('read',))}",
}


@pytest.mark.parametrize("name", RECORDED)
def test_it_refuses_as_logto_was_recorded_to(applications, issuer, name):
    authorization = AUTHORIZATIONS[name](issuer)
    answer, expected = applications(authorization), RECORDED[name]
    assert answer.status == expected["status"]
    assert answer.headers["content-type"] == expected["headers"]["Content-Type"]
    body = expected["body"]
    if "payload" in body.get("data", {}):
        token = authorization.removeprefix("Bearer ")
        body["data"]["payload"] = jwt.decode(token, options={"verify_signature": False})
    assert answer.json() == body
    assert list(answer.json()) == list(body)


def test_it_lists_the_applications_without_their_secrets(applications, issuer):
    answer = applications(f"Bearer {management_token(issuer)}")
    assert answer.status == 200
    assert [(app["id"], app["name"], app["type"]) for app in answer.json()] == [
        ("app-orders", "Orders", "MachineToMachine"),
        ("app-admin", "Administration", "MachineToMachine"),
    ]
    assert b"secret-of" not in answer.data


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (lambda issuer: {"key": SigningKey.generate()}, "ERR_JWKS_NO_MATCHING_KEY"),
        (
            lambda issuer: {"key": SigningKey.generate(kid=issuer.current_key.kid)},
            "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
        ),
        (lambda issuer: {"claims": {"iss": "https://elsewhere.example"}}, "ERR_JWT_CLAIM_VALIDATION_FAILED"),
        (lambda issuer: {"claims": {"exp": "soon"}}, "ERR_JWS_INVALID"),
    ],
)
def test_it_refuses_a_strangers_token(applications, issuer, options, code):
    answer = applications(f"Bearer {management_token(issuer, **options(issuer))}")
    assert (answer.status, answer.json()["data"]["code"]) == (401, code)


def test_it_accepts_a_token_of_the_key_before_the_rotation(applications, issuer):
    token = management_token(issuer)
    issuer.rotate("ES256")
    assert applications(f"Bearer {token}").status == 200
    assert applications(f"Bearer {management_token(issuer)}").status == 200
