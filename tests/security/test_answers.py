"""Answers to refused requests: RFC 6750 section 3, RFC 9110 sections 10.2.3, 11.6.1 and 15.5.2, RFC 9728 section 5.1."""

import json
import re

import pytest

from m2mguard import (
    AuthError,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    KeysUnavailable,
    M2MGuardError,
    MissingToken,
    Requirement,
)
from m2mguard.errors import AnswerableError
from tests.security.forge import key, mint, server

MISSING = MissingToken("missing", "detail")
REQUEST = InvalidRequest("several_credentials", "detail")
TOKEN = InvalidToken("expired", "detail")
SCOPE = InsufficientScope("scope", "detail", ("read:orders", "write:orders"))
APPLICATION = InsufficientScope("application", "detail")
UNAVAILABLE = KeysUnavailable("keys_unavailable", "detail", 2.1)
GUARD = server()
PARAMETER = r'[a-z_]+="[\x20\x21\x23-\x5b\x5d-\x7e]*"'


@pytest.mark.parametrize(
    ("error", "status", "challenge"),
    [
        (MISSING, 401, 'Bearer realm="api"'),
        (REQUEST, 400, f'Bearer realm="api", error="invalid_request", error_description="{REQUEST.description}"'),
        (TOKEN, 401, f'Bearer realm="api", error="invalid_token", error_description="{TOKEN.description}"'),
        (
            SCOPE,
            403,
            f'Bearer realm="api", error="insufficient_scope", error_description="{SCOPE.description}", scope="read:orders write:orders"',
        ),
        (APPLICATION, 403, f'Bearer realm="api", error="insufficient_scope", error_description="{SCOPE.description}"'),
    ],
)
def test_the_challenge_follows_rfc_6750(error, status, challenge):
    answer = GUARD.answer(error)
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (status, challenge)
    assert "Retry-After" not in answer.headers


def test_unavailable_keys_are_a_503_without_a_challenge():
    answer = GUARD.answer(UNAVAILABLE)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "3")
    assert "WWW-Authenticate" not in answer.headers
    assert GUARD.answer(KeysUnavailable("x", "y", 0.01)).headers["Retry-After"] == "1"


@pytest.mark.parametrize("error", [MISSING, REQUEST, TOKEN, SCOPE, APPLICATION, UNAVAILABLE])
def test_every_answer_is_json_with_cache_control_no_store(error):
    answer = GUARD.answer(error)
    assert (
        json.loads(answer.body)
        == dict(answer.detail)
        == {
            "error": error.error or "unauthorized",
            "error_description": error.description,
        }
    )
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("error", [MISSING, REQUEST, TOKEN, SCOPE, APPLICATION])
def test_a_challenge_has_each_parameter_once(error):
    guard = server(realm="a, b=c", resource_metadata_url="https://shopping.api/.well-known/oauth-protected-resource")
    challenge = guard.answer(error).headers["WWW-Authenticate"]
    assert re.fullmatch(rf"Bearer {PARAMETER}(, {PARAMETER})*", challenge)
    names = re.findall(r'([a-z_]+)="', challenge)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("error", [MISSING, REQUEST, TOKEN, SCOPE, APPLICATION, UNAVAILABLE])
def test_a_description_has_only_characters_that_rfc_6750_allows(error):
    assert re.fullmatch(r"[\x20\x21\x23-\x5b\x5d-\x7e]+", error.description)


def test_every_challenge_has_the_metadata_url_if_configured():
    url = "https://shopping.api/.well-known/oauth-protected-resource"
    for error in (MISSING, REQUEST, TOKEN, SCOPE):
        assert (
            f'resource_metadata="{url}"' in server(resource_metadata_url=url).answer(error).headers["WWW-Authenticate"]
        )
        assert "resource_metadata" not in GUARD.answer(error).headers["WWW-Authenticate"]
    assert 'realm="Shopping"' in server(realm="Shopping").answer(MISSING).headers["WWW-Authenticate"]


def test_an_answer_is_read_only():
    answer = GUARD.answer(TOKEN)
    with pytest.raises(TypeError):
        answer.headers["X"] = "y"
    with pytest.raises(TypeError):
        answer.detail["error"] = "none"


def test_a_scope_that_is_required_twice_is_listed_once():
    with pytest.raises(InsufficientScope) as error:
        GUARD.authenticate([f"Bearer {mint()}"], Requirement(scopes=["x", "y"], any_scope=["y", "z"]))
    assert error.value.scopes == ("x", "y", "z")
    with pytest.raises(InsufficientScope) as error:
        GUARD.authenticate([f"Bearer {mint()}"], Requirement(any_scope=["y", "z"]))
    assert 'scope="y z"' in GUARD.answer(error.value).headers["WWW-Authenticate"]


def test_the_answer_to_every_bad_token_is_the_same():
    """The answer does not reveal which check failed, what was expected, or what the token contained."""
    tokens = [
        mint({"exp": 1}),
        mint({"aud": "x"}),
        mint({"iss": "x"}),
        mint(with_header={"kid": "x"}),
        mint(with_header={"alg": "none"}),
        mint(with_header={"typ": "JWT"}),
        mint(signer=key("ES256", "foreign").using(kid="key-1")),
        "abc",
    ]
    answers = set()
    for token in tokens:
        with pytest.raises(InvalidToken) as error:
            GUARD.authenticate([f"Bearer {token}"])
        answer = GUARD.answer(error.value)
        answers.add((answer.status, answer.body, tuple(answer.headers.items())))
    assert len(answers) == 1


def test_keys_unavailable_is_no_auth_error():
    assert not issubclass(KeysUnavailable, AuthError)
    assert not issubclass(AuthError, KeysUnavailable)
    for error in (MISSING, REQUEST, TOKEN, SCOPE):
        assert isinstance(error, AuthError)
        assert isinstance(error, AnswerableError)
        assert error.status in (400, 401, 403)
    assert isinstance(UNAVAILABLE, M2MGuardError)
