"""Proofs of who asks: what is in them, which settings are rejected when they are made, and what happens if one cannot be made."""

import asyncio
import base64
import hashlib
import json
import os
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519

from m2mguard import ConfigurationError
from m2mguard._authentication.proof import Client
from m2mguard.client import (
    Assertion,
    AssertionFile,
    ClientSecret,
    MutualTls,
    PrivateKeyJwt,
    TokenEndpointUnavailable,
    TokenExchange,
    TokenSource,
)
from m2mguard.testing import ALGORITHMS, SigningKey
from tests.client.answers import failure, grant, response
from tests.client.conftest import APP_ID
from tests.client_keys import Certificate, private_pem

ISSUER = "https://issuer.example"
KEY = SigningKey.generate("ES256")
PEM = private_pem(KEY)
JWT = KEY.sign_compact({"alg": "ES256"}, {"sub": APP_ID})


def proof_of(authentication, now_s=1_000.5):
    return Client(client_id=APP_ID, authentication=authentication).proof(issuer=ISSUER, now_s=now_s)


def read(segment: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


def assertion_of(authentication) -> tuple[dict, dict]:
    """Header and claims of an assertion whose signature is good."""
    parameters = proof_of(authentication).parameters
    assert parameters["client_id"] == APP_ID
    assert parameters["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    header, claims, _ = parameters["client_assertion"].split(".")
    return read(header), read(claims)


def test_an_assertion_says_who_signed_it_for_whom_and_until_when():
    header, claims = assertion_of(PrivateKeyJwt(PEM, key_id="key-1"))
    assert header == {"alg": "ES256", "typ": "JWT", "kid": "key-1"}
    assert len(claims.pop("jti")) == 32
    assert claims == {"iss": APP_ID, "sub": APP_ID, "aud": ISSUER, "iat": 1000, "nbf": 1000, "exp": 1060}
    _, claims = assertion_of(PrivateKeyJwt(PEM, assertion_audience=f"{ISSUER}/token", lifetime=300))
    assert (claims["aud"], claims["exp"]) == (f"{ISSUER}/token", 1300)


def test_no_two_assertions_have_the_same_id():
    authentication = PrivateKeyJwt(PEM)
    assert len({assertion_of(authentication)[1]["jti"] for _ in range(100)}) == 100


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_signature_is_good_for_the_public_key(alg):
    key = SigningKey.generate(alg)
    token = proof_of(PrivateKeyJwt(key.private_key, algorithm=alg)).parameters["client_assertion"]
    signed, _, signature = token.rpartition(".")
    assert key.verify(signed.encode(), base64.urlsafe_b64decode(signature + "=="))


@pytest.mark.parametrize(
    ("generated", "alg"),
    [("RS512", "RS256"), ("ES256", "ES256"), ("ES384", "ES384"), ("ES512", "ES512"), ("EdDSA", "EdDSA")],
)
def test_the_algorithm_follows_the_key(generated, alg):
    assert assertion_of(PrivateKeyJwt(private_pem(SigningKey.generate(generated))))[0]["alg"] == alg


def test_a_key_is_given_as_a_file_as_bytes_with_a_password_or_as_it_is(tmp_path):
    file = tmp_path / "key.pem"
    file.write_bytes(PEM)
    locked = private_pem(KEY, b"pass phrase")
    for given in (file, str(file), PEM, KEY.private_key):
        assert assertion_of(PrivateKeyJwt(given))[0]["alg"] == "ES256"
    assert PrivateKeyJwt(private_pem(KEY, b"p\xe9"), password=os.fsdecode(b"p\xe9"))  # as the environment holds it
    for password in (b"pass phrase", "pass phrase"):
        assert assertion_of(PrivateKeyJwt(locked, password=password))[0]["alg"] == "ES256"


def test_the_header_names_the_certificate(tmp_path):
    made = Certificate.make()
    der = x509.load_pem_x509_certificate(made.certificate).public_bytes(serialization.Encoding.DER)
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    both = tmp_path / "both.pem"
    both.write_bytes(made.key + made.certificate)
    for given in (PrivateKeyJwt(made.key, certificate=made.certificate), PrivateKeyJwt(both, certificate=both)):
        assert assertion_of(given)[0] == {"alg": "ES256", "typ": "JWT", "x5t#S256": thumbprint}


OTHER_CURVE = b"""-----BEGIN EC PRIVATE KEY-----
MD4CAQEEDjpQvhTWhGs/BTaHJ6/goAcGBSuBBAAGoSADHgAEe148LW2/uo7shuwR
dEBImGl3TJXfR+cg6OrllA==
-----END EC PRIVATE KEY-----
"""  # secp112r1, of which `cryptography` says that it is not supported
OTHER_CURVE_CERTIFICATE = b"""-----BEGIN CERTIFICATE-----
MIIBITCB7aADAgECAhMP4OtIRv5N7XmUGdeF2pgyCdRZMAoGCCqGSM49BAMCMAwx
CjAIBgNVBAMMAXgwIBcNMjYxMTI3MDcyOTIyWhgPMjEyNjExMDMwNzI5MjJaMAwx
CjAIBgNVBAMMAXgwMjAQBgcqhkjOPQIBBgUrgQQABgMeAARNtlb4rUBinFAx7u+Z
FCS1P2RSNeQAvieKsbiQo1MwUTAdBgNVHQ4EFgQUsaEne40Rr2CmqACuwHULUbuE
YO0wHwYDVR0jBBgwFoAUsaEne40Rr2CmqACuwHULUbuEYO0wDwYDVR0TAQH/BAUw
AwEB/zAKBggqhkjOPQQDAgMjADAgAg5qm1zEFcFXUa6LuAWvLAIOXWkjxwEcdu+R
fua1fbI=
-----END CERTIFICATE-----
"""
SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PrivateKeyJwt("/no/such/key.pem"), 'the file "/no/such/key.pem" cannot be read: No such file'),
        (lambda: PrivateKeyJwt(PEM.decode()), "give its content as bytes"),
        (lambda: PrivateKeyJwt(b"no key"), "no private key in PEM"),
        (lambda: PrivateKeyJwt(Certificate.make().certificate), "it is no private key in PEM"),
        (lambda: PrivateKeyJwt(private_pem(KEY, b"right")), "password is missing"),
        (lambda: PrivateKeyJwt(private_pem(KEY, b"right"), password=b"wrong"), "wrong"),
        (lambda: PrivateKeyJwt(PEM, password=b"needless"), "needless"),
        (lambda: PrivateKeyJwt(PEM, algorithm="RS256"), "cannot sign with 'RS256', but with ES256"),
        (lambda: PrivateKeyJwt(PEM, algorithm="none"), "cannot sign with 'none'"),
        (lambda: PrivateKeyJwt(SHORT), "1024 bits, expected 2048"),
        (lambda: PrivateKeyJwt(ec.generate_private_key(ec.SECP256K1())), "EC on P-256"),
        (lambda: PrivateKeyJwt(cast(Any, x25519.X25519PrivateKey.generate())), "expected a key of RSA"),
        (lambda: PrivateKeyJwt(PEM, certificate=b"none"), "no certificate in PEM"),
        (lambda: PrivateKeyJwt(PEM, certificate=Certificate.make().certificate), "of another key"),
        (
            lambda: PrivateKeyJwt(PEM, certificate=OTHER_CURVE_CERTIFICATE),
            "PrivateKeyJwt: certificate is of another key",
        ),
        (lambda: PrivateKeyJwt(OTHER_CURVE), "or EC on P-256"),
        (lambda: PrivateKeyJwt(PEM, lifetime=3600), "lifetime"),
        (lambda: PrivateKeyJwt(PEM, key_id=cast(Any, b"key-1")), "key_id must be a non-empty string"),
        (lambda: PrivateKeyJwt(PEM, assertion_audience=""), "assertion_audience must be a non-empty string"),
        (lambda: ClientSecret("sec\udce9ret"), "client_secret is no text in UTF-8"),
        (lambda: ClientSecret(""), "client_secret must be a non-empty string"),
        (lambda: ClientSecret("secret\n"), "white space"),
        (lambda: ClientSecret("secret", cast(Any, "private_key_jwt")), "authentication=PrivateKeyJwt"),
        (lambda: AssertionFile(""), "needs the path of a file"),
        (lambda: Assertion(cast(Any, JWT)), "needs a plain"),
        (lambda: TokenExchange(cast(Any, "token")), "subject must be an AssertionFile"),
        (lambda: TokenExchange(AssertionFile("f"), cast(Any, "s3cr3t")), "client must be a ClientSecret"),
        (lambda: TokenExchange(AssertionFile("f"), subject_token_type=""), "subject_token_type must be"),
        (lambda: MutualTls("/no/such/tls.crt"), 'the file "/no/such/tls.crt" cannot be read: No such file'),
    ],
)
def test_what_can_never_work_is_an_error_at_once(make, message):
    with pytest.raises(ConfigurationError, match=message) as raised:
        make()
    assert PEM.decode().splitlines()[1] not in str(raised.value)


def test_a_certificate_needs_its_own_key_without_a_password(tmp_path):
    made, other = Certificate.make(), Certificate.make()
    certificate, key, locked = (tmp_path / name for name in ("tls.crt", "tls.key", "locked.key"))
    certificate.write_bytes(made.certificate)
    locked.write_bytes(private_pem(KEY, b"pass phrase"))
    for content in (other.key, b"no key"):
        key.write_bytes(content)
        with pytest.raises(ConfigurationError, match="belong together"):
            MutualTls(certificate, key)
    with pytest.raises(ConfigurationError, match="without a password"):
        MutualTls(certificate, locked)
    key.write_bytes(made.key)
    assert proof_of(MutualTls(certificate, key)).parameters == {"client_id": APP_ID}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "client_secret is missing"),
        ({"client_secret": "s", "authentication": ClientSecret("s")}, "not both"),
        ({"authentication": ClientSecret("s"), "client_authentication": "client_secret_post"}, "not both"),
        ({"authentication": "private_key_jwt"}, "must be a ClientSecret, PrivateKeyJwt"),
    ],
)
def test_a_source_is_given_one_way_to_authenticate(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        TokenSource(ISSUER, client_id=APP_ID, **arguments)
    for one in ({"client_secret": "s"}, {"authentication": ClientSecret("s")}, {"authentication": PrivateKeyJwt(PEM)}):
        assert TokenSource(ISSUER, client_id=APP_ID, **one)


@pytest.mark.parametrize(
    "fetched",
    [
        RuntimeError(JWT),
        SystemExit(JWT),
        asyncio.CancelledError(JWT),
        "",
        None,
        f"{JWT} {JWT}",
        f"{JWT}\n",
        "a." * 40_000 + "b",
    ],
    ids=["raised", "exited", "cancelled", "empty", "none", "two", "line break", "too long"],
)
def test_without_an_assertion_the_issuer_is_not_asked(issuer, fetched):
    def fetch():
        if isinstance(fetched, BaseException):
            raise fetched
        return fetched

    source = TokenSource(issuer.url, client_id=APP_ID, authentication=Assertion(fetch))
    with pytest.raises(TokenEndpointUnavailable, match=r"Assertion raised [A-Z]|is no JWT") as raised:
        source.token()
    assert raised.value.reason == "client_assertion"
    assert JWT not in str(raised.value)
    assert issuer.count() == 0
    assert proof_of(Assertion(lambda: JWT)).parameters["client_assertion"] == JWT


def test_an_assertion_file_with_something_else_is_not_sent(issuer, tmp_path):
    file = tmp_path / "token"
    file.write_bytes(b"\xff" * 100)
    source = TokenSource(issuer.url, client_id=APP_ID, authentication=AssertionFile(file))
    with pytest.raises(TokenEndpointUnavailable, match="token is no JWT"):
        source.token()
    assert issuer.count() == 0
    file.write_text(f"{JWT}\n")
    assert proof_of(AssertionFile(str(file))).parameters["client_assertion"] == JWT


def test_a_key_file_that_goes_away_is_no_error_before_the_next_request(issuer, tmp_path):
    file = tmp_path / "key.pem"
    file.write_bytes(PEM)
    source = TokenSource(issuer.url, client_id=APP_ID, authentication=PrivateKeyJwt(file))
    file.unlink()
    with pytest.raises(TokenEndpointUnavailable, match=r"the private key cannot be used: the file .* No such file"):
        source.token()
    assert issuer.count() == 0


def test_an_exchange_sends_the_token_and_who_asks():
    way = TokenExchange(
        Assertion(lambda: JWT), ClientSecret("s3cr3t", "client_secret_post"), requested_token_type="urn:t"
    )
    assert proof_of(way).parameters == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": JWT,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "requested_token_type": "urn:t",
        "client_id": APP_ID,
        "client_secret": "s3cr3t",
    }
    assert {JWT, "s3cr3t"} <= proof_of(way).secrets
    assert "client_id" not in proof_of(TokenExchange(Assertion(lambda: JWT))).parameters
    assert "s3cr3t" not in repr(way)


@pytest.mark.parametrize(
    "issued", [["urn:ietf:params:oauth:token-type:access_token"], {}, 7, "", "access_token"], ids=repr
)
def test_an_issued_token_type_of_another_kind_is_not_used(issued):
    answer = {"access_token": JWT, "token_type": "Bearer", "issued_token_type": issued}
    assert failure(response(200, answer)).reason == "unusable_answer"
    for good in (None, "urn:ietf:params:oauth:token-type:access_token"):
        assert grant(response(200, answer | {"issued_token_type": good})).value == JWT
