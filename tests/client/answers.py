"""Answers of a token endpoint, among them those recorded from a real Logto, and helpers that parse them."""

import json
from pathlib import Path

import pytest

from m2mguard._authentication.proof import Client
from m2mguard._authentication.secret import ClientSecret
from m2mguard.client import TokenRequestError
from m2mguard.client._logto_refusals import read_logto_refusal
from m2mguard.client._refusals import read_refusal
from m2mguard.client._token_request import TokenTarget
from m2mguard.client._token_response import AnswerRules, Granted, SentRequest, bearer_token_types, parse_token_response
from m2mguard.client._token_source import TOKEN_TYPES
from m2mguard.net import Response

DATA = Path(__file__).parent.parent / "data"
RECORDED = {
    answer["name"]: answer["response"] for answer in json.loads((DATA / "logto" / "token-endpoint.json").read_text())
}
RECORDED_LATER = {
    answer["name"]: answer["response"]
    for answer in json.loads((DATA / "logto-2026-11" / "token-endpoint-more.json").read_text())
}
TARGET = TokenTarget(resource="https://shopping.api/", scopes=("read:orders", "write:orders"), organization_id="org-7")
GENERAL = TokenTarget(resource="https://shopping.api", scopes=("read:orders",))
SECRET = "s3cr3t/of+the=app"
NOW_S = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT
GOOD = {"access_token": "a.b.c", "expires_in": 3600, "token_type": "Bearer"}


def response(status: int, body: object, **headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(
        status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=content
    )


def recorded(name: str) -> Response:
    answer = (RECORDED | RECORDED_LATER)[name]
    return response(answer["status"], answer["body"])


def grant(
    answer: Response,
    target: TokenTarget = TARGET,
    *,
    missing_scope_grants=False,
    token_types=TOKEN_TYPES,
    refusal=read_refusal,
) -> Granted:
    rules = AnswerRules(
        token_types=bearer_token_types(token_types), missing_scope_grants=missing_scope_grants, read_refusal=refusal
    )
    client = Client(client_id="app-7", authentication=ClientSecret(SECRET))
    proof = client.proof(issuer="https://issuer.example", now_s=NOW_S)
    return parse_token_response(answer, SentRequest(target=target, client_id="app-7", proof=proof), rules, now_s=NOW_S)


def failure(answer: Response, target: TokenTarget = TARGET, **how) -> TokenRequestError:
    """The error that a source at Logto raises for this answer."""
    with pytest.raises(TokenRequestError) as raised:
        grant(answer, target, **{"refusal": read_logto_refusal, **how})
    return raised.value


def general_failure(status: int, body: object, **headers: str) -> TokenRequestError:
    """The error that a source at any other issuer raises for this answer."""
    return failure(response(status, body, **headers), GENERAL, refusal=read_refusal)
