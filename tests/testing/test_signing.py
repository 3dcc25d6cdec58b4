"""Signatures and JWKs, seen by PyJWT: an implementation that is not ours."""

import json
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from jwt.utils import base64url_decode

from m2mguard import ConfigurationError
from m2mguard.testing import ALGORITHMS, SigningKey, _signing, base64url, compact, sign_with_secret, thumbprint

RECORDINGS = Path(__file__).parent.parent / "data" / "logto"

# RFC 7638 §3.1
RFC_7638_KEY = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB"
    "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8"
    "KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
    "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}


@pytest.fixture(scope="module")
def keys() -> dict[str, SigningKey]:
    rsa = SigningKey.generate("RS256")
    return {
        name: rsa.using(algorithm=name) if name[:2] in ("RS", "PS") else SigningKey.generate(name)
        for name in ALGORITHMS
    }


@pytest.fixture(scope="module")
def ec_key() -> SigningKey:
    return SigningKey.generate("ES256")


def independently_verified(token: str, key: SigningKey, algorithm: str) -> bool:
    public = jwt.PyJWK(key.public_jwk, algorithm="EdDSA" if algorithm == "Ed25519" else algorithm)
    signing_input, _, signature = token.rpartition(".")
    return public.Algorithm.verify(signing_input.encode(), public.key, base64url_decode(signature))


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if not name.startswith("ML-DSA")])
def test_a_signature_of_every_algorithm_that_pyjwt_knows_verifies_with_the_public_jwk(keys, algorithm):
    token = keys[algorithm].sign_compact({"alg": algorithm}, {"sub": "app"})
    assert independently_verified(token, keys[algorithm], algorithm)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_issuer_recognises_its_own_signature_and_no_other(keys, algorithm):
    key = keys[algorithm]
    signature = key.sign(b"data")
    assert key.verify(b"data", signature)
    assert not key.verify(b"other data", signature)
    assert not key.verify(b"data", signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not key.verify(b"data", b"")


@pytest.mark.parametrize(
    ("algorithm", "members"),
    [
        ("ES256", ["kty", "use", "kid", "alg", "crv", "x", "y"]),
        ("ES384", ["kty", "use", "kid", "alg", "crv", "x", "y"]),
        ("ES512", ["kty", "use", "kid", "alg", "crv", "x", "y"]),
        ("RS256", ["kty", "use", "kid", "e", "n"]),
        ("EdDSA", ["kty", "use", "kid", "alg", "crv", "x"]),
        ("ML-DSA-44", ["kty", "use", "kid", "alg", "pub"]),
    ],
)
def test_a_jwk_has_logtos_members_in_logtos_order(keys, algorithm, members):
    assert list(keys[algorithm].public_jwk) == members


def test_coordinates_keep_their_leading_zeros():
    """The base point of P-521, the public key of the private key 1, has an x of 520 bits."""
    jwk = SigningKey(algorithm="ES512", private_key=ec.derive_private_key(1, ec.SECP521R1()), kid="one").public_jwk
    assert base64url_decode(str(jwk["x"])).startswith(b"\x00\xc6\x85\x8e")
    assert len(base64url_decode(str(jwk["x"]))) == len(base64url_decode(str(jwk["y"]))) == 66


def test_the_thumbprint_is_that_of_rfc_7638():
    assert thumbprint(RFC_7638_KEY) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_thumbprint_is_the_kid_that_logto_recorded():
    recorded = json.loads((RECORDINGS / "rotation.json").read_text())
    for jwk in recorded[2]["jwks"]["keys"]:
        assert thumbprint(jwk) == jwk["kid"]


def test_a_new_key_goes_by_its_thumbprint_unless_it_is_given_a_name(ec_key):
    assert ec_key.kid == thumbprint(ec_key.public_jwk)
    assert SigningKey.generate("ES256", kid="mine").kid == "mine"


def test_a_key_read_from_pem_is_the_same_every_time(ec_key):
    pem = ec_key.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    again = SigningKey.from_pem(pem, "ES256")
    assert again.public_jwk == ec_key.public_jwk
    assert SigningKey.from_pem(pem, "ES256", kid="named").kid == "named"


def test_a_pem_of_another_kind_of_key_is_refused():
    pem = x25519.X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(TypeError, match="no RSA, EC, Ed25519 or ML-DSA"):
        SigningKey.from_pem(pem, "EdDSA")


def test_an_unknown_algorithm_is_refused_with_the_known_ones_named():
    with pytest.raises(ValueError, match="unknown algorithm 'HS256'; known are RS256"):
        SigningKey.generate("HS256")


def test_an_algorithm_that_cryptography_was_built_without_is_named(monkeypatch):
    known = {name: one for name, one in _signing.SIGNING_ALGORITHMS.items() if not name.startswith("ML-DSA")}
    monkeypatch.setattr(_signing, "SIGNING_ALGORITHMS", known)
    with pytest.raises(ConfigurationError, match="ML-DSA-44 needs a cryptography that is built with ML-DSA"):
        SigningKey.generate("ML-DSA-44")
    assert SigningKey.generate("ES256").algorithm == "ES256"


def test_an_rsa_key_may_be_as_short_as_a_test_wants():
    jwk = SigningKey.generate("RS256", rsa_bits=1024).public_jwk
    assert len(base64url_decode(str(jwk["n"]))) == 128


def test_the_header_may_lie_about_the_algorithm(ec_key):
    token = ec_key.sign_compact({"alg": "none"}, {"sub": "app"})
    assert jwt.get_unverified_header(token) == {"alg": "none"}
    signing_input, _, signature = token.rpartition(".")
    assert ec_key.verify(signing_input.encode(), base64url_decode(signature))


def test_raw_bytes_are_signed_as_they_are(ec_key):
    token = ec_key.sign_compact(b'{"alg":"ES256","alg":"none"}', b"\xff not JSON")
    assert token.split(".")[:2] == [base64url(b'{"alg":"ES256","alg":"none"}'), base64url(b"\xff not JSON")]


def test_the_same_private_key_can_sign_by_another_algorithm(keys):
    token = keys["RS256"].using(algorithm="PS512").sign_compact({"alg": "PS512"}, {"sub": "app"})
    assert independently_verified(token, keys["RS256"], "PS512")
    assert keys["RS256"].using(kid="").kid == ""


def test_a_signature_by_a_shared_secret_is_a_true_hs256(ec_key):
    token = sign_with_secret({"alg": "HS256"}, {"sub": "app"}, b"a secret of thirty-two characters")
    assert jwt.decode(token, b"a secret of thirty-two characters", algorithms=["HS256"]) == {"sub": "app"}
    assert ec_key.public_pem.startswith(b"-----BEGIN PUBLIC KEY-----")


def test_a_compact_form_may_have_an_empty_signature():
    token = compact({"alg": "none"}, {"sub": "app"}, b"")
    assert token.count(".") == 2
    assert token.endswith(".")


def test_nothing_private_is_shown(keys):
    for key in keys.values():
        assert repr(key) == f"SigningKey(algorithm={key.algorithm!r}, kid={key.kid!r})"


def test_an_eddsa_name_on_another_kind_of_key_can_neither_sign_nor_verify(ec_key):
    with pytest.raises(ValueError, match="needs an Ed25519 key"):
        ec_key.using(algorithm="EdDSA").sign(b"data")
    assert not ec_key.using(algorithm="EdDSA").verify(b"data", ec_key.sign(b"data"))
    with pytest.raises(ValueError, match="ML-DSA-44 needs an ML-DSA key"):
        ec_key.using(algorithm="ML-DSA-44").sign(b"data")
