"""Algorithms and signatures: RFC 7515 section 5.2, RFC 7518 section 3, RFC 8725 sections 3.1 to 3.3."""

import itertools

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from m2mguard import Issuer, ResourceServer
from m2mguard.testing import ALGORITHMS, base64url, sign_with_secret
from tests.security.forge import (
    ACCEPTED,
    API,
    MALFORMED,
    NOW,
    REMOVED,
    URL,
    claims,
    compact,
    header,
    key,
    mint,
    outcome,
    server,
)

EVERY = {"algorithms": ALGORITHMS}
ALGORITHM, SIGNATURE = (401, "algorithm"), (401, "signature")
GUARD = server()


def signing_key(algorithm):
    """A key for this algorithm: one RSA key serves six algorithms, one Ed25519 key two names."""
    if algorithm[:2] in ("RS", "PS"):
        return key("RS256").using(algorithm=algorithm)
    return key("EdDSA").using(algorithm=algorithm) if algorithm == "Ed25519" else key(algorithm)


def jwk(algorithm, **changes):
    return {**signing_key(algorithm).public_jwk, "alg": algorithm, **changes}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_supported_algorithm_verifies_with_its_key(algorithm):
    guard = server(jwk(algorithm), issuer=EVERY)
    assert outcome(guard, mint(signer=signing_key(algorithm))) == ACCEPTED


@pytest.mark.parametrize(("of_key", "of_token"), list(itertools.permutations(ALGORITHMS, 2)))
def test_a_key_with_alg_verifies_only_that_algorithm(of_key, of_token):
    guard = server(jwk(of_key), issuer=EVERY)
    assert outcome(guard, mint(signer=signing_key(of_token))) == ALGORITHM
    assert outcome(guard, mint(signer=signing_key(of_key), with_header={"alg": of_token})) == ALGORITHM


@pytest.mark.parametrize(
    ("of_key", "of_token"), [("ES256", "ES384"), ("ES384", "ES256"), ("ES512", "ES384"), ("ES256", "EdDSA")]
)
def test_a_curve_without_alg_verifies_only_its_own_algorithm(of_key, of_token):
    bare = {name: value for name, value in key(of_key).public_jwk.items() if name != "alg"}
    guard = server(bare)
    assert outcome(guard, mint(signer=key(of_key))) == ACCEPTED
    assert outcome(guard, mint(signer=key(of_key), with_header={"alg": of_token})) == ALGORITHM


def test_an_rsa_key_without_alg_verifies_the_issuers_algorithms():
    """Logto's RSA keys carry no alg."""
    bare = key("RS256").public_jwk
    assert "alg" not in bare
    rs256, ps256 = mint(signer=signing_key("RS256")), mint(signer=signing_key("PS256"))
    assert outcome(server(bare), rs256) == outcome(server(bare), ps256) == ACCEPTED
    logto = server(bare, issuer={"algorithms": Issuer.logto("https://tenant.logto.app").algorithms})
    assert (outcome(logto, rs256), outcome(logto, ps256)) == (ACCEPTED, ALGORITHM)


@pytest.mark.parametrize(
    "alg",
    ["none", "None", "nOnE", "NONE", "", " ", "es256", "Es256", "ES256 ", " ES256", "ES256\x00", "ES256K", "ES521", "HS256", "HS384",
     "HS512", "hs256", "RS1", "dir", "RSA-OAEP", "A128KW", "ECDH-ES", "PBES2-HS256+A128KW", "Ed448", "\u0045S256\u0301",
     "ML-DSA-65", "ml-dsa-44", "ML-DSA", "HashML-DSA-44"],
)  # fmt: skip
def test_an_alg_outside_the_list_is_refused_without_case_folding(alg):
    assert outcome(GUARD, mint(with_header={"alg": alg})) == ALGORITHM
    assert outcome(GUARD, mint(with_header={"alg": "ES256"})) == ACCEPTED


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE"])
def test_an_unsigned_token_is_refused(alg):
    unsigned = compact(header({"alg": alg}), claims())
    assert outcome(GUARD, unsigned + ".") == MALFORMED
    assert outcome(GUARD, unsigned) == MALFORMED
    assert outcome(GUARD, unsigned + ".AA") == ALGORITHM
    assert outcome(GUARD, compact(header({"alg": alg, "kid": REMOVED}), claims(), b"x")) == ALGORITHM


def test_an_algorithm_that_the_issuer_does_not_allow_is_refused():
    guard = server(key("ES384").public_jwk, key("ES256", "key-2").public_jwk, issuer={"algorithms": ["ES384"]})
    assert outcome(guard, mint(signer=key("ES384"))) == ACCEPTED
    assert outcome(guard, mint(signer=key("ES256", "key-2"))) == ALGORITHM


@pytest.mark.parametrize("of_key", ["RS256", "ES256", "EdDSA", "ML-DSA-44"])
@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_an_hmac_with_the_public_key_is_refused(of_key, alg):
    signer = key(of_key)
    guard = server(signer.public_jwk)
    for secret in (signer.public_pem, signer.public_pem.strip(), b"", str(signer.public_jwk).encode()):
        assert outcome(guard, sign_with_secret(header({"alg": alg}, signer=signer), claims(), secret)) == ALGORITHM


def test_a_token_of_one_issuer_is_not_verified_with_a_key_of_another():
    other = key("ES256", "key-of-other")
    guard = ResourceServer(
        [
            Issuer(url=URL, jwks={"keys": [key().public_jwk]}),
            Issuer(url="https://other.example", jwks={"keys": [other.public_jwk]}),
        ],
        audience=API,
        clock=lambda: NOW,
    )
    assert outcome(guard, mint()) == ACCEPTED
    assert outcome(guard, mint({"iss": "https://other.example"}, signer=other)) == ACCEPTED
    assert outcome(guard, mint(signer=other)) == (401, "unknown_key")
    assert outcome(guard, mint({"iss": "https://other.example"})) == (401, "unknown_key")
    assert outcome(guard, mint(signer=other.using(kid="key-1"))) == SIGNATURE


def resigned(token, change):
    """The token with the signature that `change` returns for its signing input."""
    signing_input, _, _ = token.rpartition(".")
    return f"{signing_input}.{base64url(change(signing_input.encode()))}"


ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ECDSA = {
    "r and s zero": lambda r, s: bytes(64),
    "r zero": lambda r, s: bytes(32) + s,
    "s zero": lambda r, s: r + bytes(32),
    "r and s one": lambda r, s: (bytes(31) + b"\x01") * 2,
    "r and s of the order": lambda r, s: ORDER_OF_P256.to_bytes(32) * 2,
    "r plus the order": lambda r, s: ((int.from_bytes(r) + ORDER_OF_P256) % 2**256).to_bytes(32) + s,
    "all ones": lambda r, s: b"\xff" * 64,
    "swapped": lambda r, s: s + r,
    "a byte too short": lambda r, s: (r + s)[:-1],
    "a byte too long": lambda r, s: r + s + b"\x00",
    "a leading zero": lambda r, s: b"\x00" + r + s,
    "r alone": lambda r, s: r,
    "padded for P-384": lambda r, s: bytes(16) + r + bytes(16) + s,
    "DER": lambda r, s: encode_dss_signature(int.from_bytes(r), int.from_bytes(s)),
    "one bit flipped": lambda r, s: bytes([r[0] ^ 1]) + r[1:] + s,
}


@pytest.mark.parametrize("change", ECDSA.values(), ids=ECDSA)
def test_an_ecdsa_signature_must_be_r_and_s_of_exact_length(change):
    def forged(signing_input):
        good = key().sign(signing_input)
        return change(good[:32], good[32:])

    token = mint()
    assert outcome(GUARD, token) == ACCEPTED
    assert outcome(GUARD, resigned(token, forged)) == SIGNATURE


def modulus():
    return key("RS256").private_key.public_key().public_numbers().n


RSA = {
    "zero": lambda good: bytes(256),
    "one": lambda good: bytes(255) + b"\x01",
    "all ones": lambda good: b"\xff" * 256,
    "a leading zero": lambda good: b"\x00" + good,
    "a byte too short": lambda good: good[1:],
    "a byte too long": lambda good: good + b"\x00",
    "one byte": lambda good: b"\x01",
    "plus the modulus": lambda good: (int.from_bytes(good) + modulus()).to_bytes(257),
    "one bit flipped": lambda good: good[:-1] + bytes([good[-1] ^ 1]),
}


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
@pytest.mark.parametrize("change", RSA.values(), ids=RSA)
def test_an_rsa_signature_must_be_as_long_as_the_modulus(algorithm, change):
    signer = signing_key(algorithm)
    token = mint(signer=signer)
    guard = server(signer.public_jwk)
    assert outcome(guard, token) == ACCEPTED
    assert outcome(guard, resigned(token, lambda text: change(signer.sign(text)))) == SIGNATURE


@pytest.mark.parametrize("salt_length", [0, 20, 31, 33, padding.PSS.MAX_LENGTH])
def test_the_salt_of_pss_must_be_as_long_as_the_hash(salt_length):
    signer, guard = signing_key("PS256"), server(jwk("PS256"))
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=salt_length)
    other_mask = padding.PSS(mgf=padding.MGF1(hashes.SHA1()), salt_length=32)
    token = mint(signer=signer)
    assert outcome(guard, token) == ACCEPTED
    for scheme in (pss, other_mask):
        signature = signer.private_key.sign(token.rpartition(".")[0].encode(), scheme, hashes.SHA256())
        assert outcome(guard, resigned(token, lambda _, signature=signature: signature)) == SIGNATURE


@pytest.mark.parametrize(
    ("named", "used"), [("RS256", "PS256"), ("PS256", "RS256"), ("RS256", "RS512"), ("RS512", "RS256")]
)
def test_the_signature_must_be_of_the_algorithm_in_the_header(named, used):
    guard = server(key("RS256").public_jwk, issuer=EVERY)
    assert outcome(guard, mint(signer=signing_key(used), with_header={"alg": named})) == SIGNATURE
    assert outcome(guard, mint(signer=signing_key(used))) == ACCEPTED


def test_a_change_of_any_part_invalidates_the_signature():
    first, second = mint().split("."), mint({"sub": "app-admin", "client_id": "app-admin"}).split(".")
    assert outcome(GUARD, ".".join([first[0], second[1], first[2]])) == SIGNATURE
    assert outcome(GUARD, ".".join([*first[:2], second[2]])) == SIGNATURE
    other_header = compact(header({"x": 1}), b"").split(".")[0]
    assert outcome(GUARD, ".".join([other_header, *first[1:]])) == SIGNATURE
    assert outcome(GUARD, ".".join(first)) == ACCEPTED


def test_an_ed25519_signature_has_only_one_valid_form():
    """RFC 8032 section 5.1.7: s is below the order of the group; s plus the order is another form of the same value."""
    order = 2**252 + 27742317777372353535851937790883648493
    signer, guard = key("EdDSA"), server(key("EdDSA").public_jwk)
    token = mint(signer=signer)

    def with_order_added(text):
        good = signer.sign(text)
        return good[:32] + (int.from_bytes(good[32:], "little") + order).to_bytes(32, "little")

    assert outcome(guard, token) == ACCEPTED
    assert outcome(guard, resigned(token, with_order_added)) == SIGNATURE
    assert outcome(guard, resigned(token, lambda text: signer.sign(text)[:-1])) == SIGNATURE
