"""The key of a TokenSource, its proofs and its nonces (RFC 9449), without a server."""

import json
import logging
import pickle
from types import SimpleNamespace
from typing import Any

import pytest

from m2mguard import ConfigurationError
from m2mguard._token.base64url import base64url_decode
from m2mguard._token.dpop_proof import ProofRules, ProvenRequest, check_proof
from m2mguard._token.target_uri import RequestPath, target_uri
from m2mguard.client import AccessToken, DpopKey, TokenEndpointUnavailable, TokenRequestRefused, TokenSource
from m2mguard.client.grpc import call_credentials
from m2mguard.net import Response
from m2mguard.testing import SigningKey
from m2mguard.testing._signing import thumbprint
from tests.client_keys import private_pem
from tests.dpop_proofs import jwk_of, sha256

NOW = 1_800_000_000
API = "https://shopping.example"
TOKEN = AccessToken(value="the.token.itself", scopes=frozenset(), expires_at=NOW + 60, token_type="DPoP")


class Endpoint:
    """A token endpoint that gives these answers, one after the other, and records what it was sent."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.sent = []

    def request(self, method, url, *, headers, body, timeout_s, max_bytes):
        self.sent.append(headers)
        status, content, fields = self.answers.pop(0)
        return Response(status=status, headers=fields, body=json.dumps(content).encode())


GRANT: Any = (200, {"access_token": "a.b.c", "token_type": "DPoP", "expires_in": 60}, {})
NONCE: Any = (400, {"error": "use_dpop_nonce"}, {"dpop-nonce": "nonce-1"})


def source_with(*answers, dpop=None, **more):
    endpoint = Endpoint(*answers)
    source = TokenSource(
        token_endpoint="https://issuer.example/token",
        client_id="app-orders",
        client_secret="secret",
        dpop=dpop or DpopKey(),
        transport=endpoint,
        clock=lambda: NOW,
        **more,
    )
    return source, endpoint


def claims_of(proof):
    return json.loads(base64url_decode(proof.split(".")[1]))


def header_of(proof):
    return json.loads(base64url_decode(proof.split(".")[0]))


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "EdDSA", "RS256", "PS256"])
def test_a_proof_is_one_that_a_server_accepts(alg):
    key = SigningKey.generate(alg)
    source, _ = source_with(dpop=DpopKey(private_pem(key), algorithm=alg))
    fields = source.request_fields(TOKEN, "PUT", f"{API}/a%20b?page=2#top")
    assert fields["Authorization"] == "DPoP the.token.itself"
    origin = target_uri(API)
    assert origin
    rules = ProofRules(frozenset((alg,)), origin, "", 60, 0)
    asked = ProvenRequest("PUT", RequestPath("/a%20b", b"/a b"), sha256(TOKEN.value), thumbprint(jwk_of(key)))
    found = check_proof(fields["DPoP"].encode(), asked, rules, {})
    assert found.issued_at == NOW
    assert header_of(fields["DPoP"])["jwk"] == jwk_of(key)


@pytest.mark.parametrize(
    ("url", "htu"),
    [
        (f"{API}/orders?page=2", f"{API}/orders"),
        (f"{API}?page=2", f"{API}/"),
        (API, f"{API}/"),
        ("https://user:word@shopping.example:8443/a@b#top", "https://shopping.example:8443/a@b"),
        ("https://[::1]/orders", "https://[::1]/orders"),
    ],
)
def test_a_proof_names_the_url_without_query_fragment_and_credentials(url, htu):
    source, _ = source_with()
    assert claims_of(source.request_fields(TOKEN, "GET", url)["DPoP"])["htu"] == htu


def test_no_two_proofs_are_alike_and_each_source_has_its_own_key():
    first, _ = source_with()
    second, _ = source_with()
    proofs = [source.request_fields(TOKEN, "GET", API)["DPoP"] for source in (first, first, second)]
    assert len({claims_of(proof)["jti"] for proof in proofs}) == 3
    keys = [json.dumps(header_of(proof)["jwk"]) for proof in proofs]
    assert keys[0] == keys[1] != keys[2]


def test_a_bearer_source_sends_no_proof():
    source = TokenSource(token_endpoint="https://issuer.example/token", client_id="a", client_secret="b")
    token = AccessToken(value="t", scopes=frozenset(), expires_at=0)
    assert not source.uses_dpop
    assert source.request_fields(token, "GET", API) == {"Authorization": "Bearer t"}
    assert not source.asks_for_nonce(API, 401, challenge='DPoP error="use_dpop_nonce"', nonce="nonce-1")


def test_the_token_endpoint_gets_a_proof_and_once_more_one_with_its_nonce():
    source, endpoint = source_with(NONCE, GRANT)
    assert source.token().token_type == "DPoP"
    first, second = (claims_of(sent["DPoP"]) for sent in endpoint.sent)
    assert (first["htm"], first["htu"]) == ("POST", "https://issuer.example/token")
    assert "nonce" not in first
    assert second["nonce"] == "nonce-1"
    assert first["jti"] != second["jti"]
    assert "ath" not in second


def test_an_endpoint_that_asks_again_is_not_asked_a_third_time():
    source, endpoint = source_with(NONCE, NONCE)
    with pytest.raises(TokenRequestRefused) as caught:
        source.token()
    assert caught.value.error == "use_dpop_nonce"
    assert len(endpoint.sent) == 2


def test_a_bearer_token_is_not_used():
    source, _ = source_with((200, {**GRANT[1], "token_type": "Bearer"}, {}))
    with pytest.raises(TokenEndpointUnavailable, match="expected DPoP"):
        source.token()


@pytest.mark.parametrize(
    ("status", "challenge", "nonce", "expected"),
    [
        (401, 'DPoP error="use_dpop_nonce", error_description="x"', "nonce-1", True),
        (401, 'Bearer realm="api", DPoP algs="ES256", error=use_dpop_nonce', "nonce-1", True),
        (401, 'DPoP error="use_dpop_nonce"', None, False),
        (401, 'DPoP error="use_dpop_nonce"', 'a "b"', False),
        (401, 'DPoP error="invalid_token"', "nonce-1", False),
        (401, None, "nonce-1", False),
        (200, 'DPoP error="use_dpop_nonce"', "nonce-1", False),
    ],
)
def test_an_api_asks_for_a_nonce_by_status_challenge_and_field(status, challenge, nonce, expected):
    source, _ = source_with()
    assert source.asks_for_nonce(f"{API}/orders", status, challenge=challenge, nonce=nonce) is expected
    sent = claims_of(source.request_fields(TOKEN, "GET", f"{API}/other")["DPoP"])
    assert sent.get("nonce") == (nonce if nonce == "nonce-1" else None)


def test_a_nonce_belongs_to_its_origin():
    source, _ = source_with()
    source.asks_for_nonce(API, 200, challenge=None, nonce="nonce-1")
    other = claims_of(source.request_fields(TOKEN, "GET", "https://other.example/")["DPoP"])
    assert "nonce" not in other
    assert claims_of(source.request_fields(TOKEN, "GET", API)["DPoP"])["nonce"] == "nonce-1"
    assert source.for_target(resource="https://x.example").request_fields(TOKEN, "GET", API)["DPoP"]


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(b"no key", None), ("missing.pem", None), (private_pem(SigningKey.generate("ES256")), "RS256"), (7, None)],
)
def test_a_key_that_cannot_be_used_is_told_when_it_is_built(key, algorithm):
    with pytest.raises(ConfigurationError, match="DpopKey"):
        DpopKey(key, algorithm=algorithm)
    assert DpopKey(private_pem(SigningKey.generate("ES256")), algorithm="ES256")


def test_other_settings_are_told():
    with pytest.raises(ConfigurationError, match="dpop must be a DpopKey"):
        source_with(dpop=True)


def test_grpc_takes_no_source_with_a_key():
    source, _ = source_with()
    with pytest.raises(ConfigurationError, match="DPoP is for HTTP"):
        call_credentials(source)
    plain = TokenSource(token_endpoint="https://issuer.example/token", client_id="a", client_secret="b")
    assert call_credentials(plain)


def test_the_key_is_nowhere_to_be_seen(caplog):
    caplog.set_level(logging.DEBUG)
    key = SigningKey.generate("ES256")
    pem = private_pem(key)
    canary = "canary-of-the-password"
    number = str(key.private_key.private_numbers().private_value)
    source, endpoint = source_with(
        (400, {"error": "invalid_dpop_proof", "error_description": "x"}, {}), dpop=DpopKey(pem)
    )
    with pytest.raises(TokenRequestRefused) as caught:
        source.token()
    with pytest.raises(ConfigurationError) as wrong:
        DpopKey(b"no key", password=canary)
    shown = (
        f"{DpopKey(pem)!r} {source!r} {caught.value!r} {wrong.value!r} {SimpleNamespace(source=source)} {caplog.text}"
    )
    for secret in (pem.decode().splitlines()[1], number, canary, endpoint.sent[0]["DPoP"]):
        assert secret not in shown
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(DpopKey())


def from_env(**variables):
    named = {"ISSUER": "https://issuer.example", "ID": "app-orders", "SECRET": "secret", **variables}
    return TokenSource.from_env({f"M2MGUARD_CLIENT_{name}": value for name, value in named.items()})


def test_the_environment_may_ask_for_it(tmp_path):
    key = SigningKey.generate("ES256")
    file = tmp_path / "key.pem"
    file.write_bytes(private_pem(key))
    assert not from_env().uses_dpop
    assert not from_env(DPOP="false").uses_dpop
    assert from_env(DPOP="true").uses_dpop
    source = from_env(DPOP_KEY_FILE=str(file))
    assert header_of(source.request_fields(TOKEN, "GET", API)["DPoP"])["jwk"] == jwk_of(key)
    with pytest.raises(ConfigurationError, match="contradicts"):
        from_env(DPOP="false", DPOP_KEY_FILE=str(file))
    with pytest.raises(ConfigurationError, match="cannot be given with M2MGUARD_CLIENT_LOGTO_ENDPOINT"):
        TokenSource.from_env(
            {"M2MGUARD_CLIENT_LOGTO_ENDPOINT": "https://tenant.logto.app", "M2MGUARD_CLIENT_DPOP": "true"}
        )
