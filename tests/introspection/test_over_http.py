"""The answers to callers with opaque tokens, over real HTTP: the same as for JWTs."""

import json

import pytest
import urllib3

from m2mguard import Requirement
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.testing import faults


async def application(scope, receive, send) -> None:
    body = json.dumps({"app_id": scope["auth"].app_id}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def url(serve, api) -> str:
    return serve(BearerAuthMiddleware(application, server=api, requires=Requirement(scopes=["read:orders"])))


def get(url, *fields):
    headers = urllib3.HTTPHeaderDict([("Authorization", field) for field in fields])
    return urllib3.request("GET", url, headers=headers, timeout=30, retries=False)


def test_a_good_token_is_a_caller(url, issuer):
    answer = get(url, f"Bearer {issuer.mint_opaque(scopes=['read:orders'])}")
    assert (answer.status, answer.json()) == (200, {"app_id": "app-orders"})
    assert get(url, f"Bearer {issuer.mint(scopes=['read:orders'])}").status == 200


@pytest.mark.parametrize(
    ("token", "status", "error"),
    [
        (lambda i: "an-invented-token", 401, "invalid_token"),
        (lambda i: i.mint_opaque(scopes=["read:orders"], audience="https://other.api"), 401, "invalid_token"),
        (lambda i: i.mint_opaque(scopes=["write:orders"]), 403, "insufficient_scope"),
        (lambda i: i.mint_opaque(scopes=["read:orders"], user_id="alice"), 403, "insufficient_scope"),
        (lambda i: "not a token", 400, "invalid_request"),
    ],
    ids=["inactive", "audience", "scope", "person", "grammar"],
)
def test_a_refusal_is_that_of_a_jwt(url, issuer, token, status, error):
    answer = get(url, f"Bearer {token(issuer)}")
    assert (answer.status, answer.json()["error"]) == (status, error)
    assert f'error="{error}"' in answer.headers["WWW-Authenticate"]


def test_two_tokens_are_not_asked_about(url, issuer):
    token = issuer.mint_opaque(scopes=["read:orders"])
    assert get(url, f"Bearer {token}", f"Bearer {token}").status == 400
    assert issuer.count("introspection") == 0


def test_an_outage_is_a_503_with_retry_after(url, issuer):
    issuer.misbehave("introspection", faults.status(401))
    answer = get(url, f"Bearer {issuer.mint_opaque(scopes=['read:orders'])}")
    assert (answer.status, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "WWW-Authenticate" not in answer.headers
