"""ML-DSA: FIPS 204, RFC 9964. The rows that every algorithm has are in `test_algorithms` and `test_key_sets`."""

import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.backends.openssl.backend import backend

from m2mguard import ConfigurationError, Issuer
from m2mguard._keys.key_set import key_set_from_members
from m2mguard._token.base64url import base64url_decode
from m2mguard._token.jws import load_key
from m2mguard._token.key_strength import UnusableKey
from m2mguard._token.ml_dsa import PARAMETER_SETS
from m2mguard.issuer import DEFAULT_ALGORITHMS
from m2mguard.testing import SigningKey, base64url
from tests.security.forge import ACCEPTED, REMOVED, URL, changed, key, mint, outcome, server

SETS = list(PARAMETER_SETS)
EVERY = {"algorithms": SETS}
ALGORITHM, SIGNATURE, NO_KEY = (401, "algorithm"), (401, "signature"), (401, "unknown_key")
PUBLISHED = json.loads((Path(__file__).parents[1] / "data" / "ml-dsa" / "rfc9964.json").read_text())
OID_OF_SHA_512 = bytes.fromhex("0609608648016503040203")


def resigned(token, signature):
    return f"{token.rpartition('.')[0]}.{base64url(signature)}"


def representative(pub, text, *, hashed=False):
    """The mu of FIPS 204 algorithm 7 with an empty context: of pure ML-DSA, or of HashML-DSA with SHA-512."""
    content = OID_OF_SHA_512 + hashlib.sha512(text).digest() if hashed else text
    return hashlib.shake_256(hashlib.shake_256(pub).digest(64) + bytes([hashed, 0]) + content).digest(64)


@pytest.mark.parametrize("alg", SETS)
def test_the_published_examples_verify_and_have_their_thumbprint(alg):
    """The examples of RFC 9964. One changed bit anywhere in the text or the signature does not verify."""
    published = PUBLISHED[alg]
    private_key = PARAMETER_SETS[alg].private_key.from_seed_bytes(bytes(32))
    usable = load_key(SigningKey(algorithm=alg, private_key=private_key, kid=published["kid"]).public_jwk)
    assert usable.thumbprint == published["kid"]
    text, _, encoded = published["jws"].encode().rpartition(b".")
    signature = bytearray(base64url_decode(encoded))
    assert usable.verify(alg, text, bytes(signature))
    assert not usable.verify(alg, text + b"A", bytes(signature))
    for position in range(0, len(signature), len(signature) // 40):
        signature[position] ^= 1
        assert not usable.verify(alg, text, bytes(signature))
        signature[position] ^= 1


@pytest.mark.parametrize("alg", SETS)
def test_a_signature_of_another_size_or_a_changed_one_is_refused(alg):
    signer, guard = key(alg), server(key(alg).public_jwk, issuer=EVERY)
    token = mint(signer=signer)
    good = signer.sign(token.rpartition(".")[0].encode())
    assert outcome(guard, resigned(token, good)) == ACCEPTED
    flipped = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in (0, len(good) // 2, len(good) - 1)]
    for bad in (*flipped, good[:-1], good + b"\x00", b"\x00" + good, bytes(len(good)), b"\x01", good * 2):
        assert outcome(guard, resigned(token, bad)) == SIGNATURE


@pytest.mark.parametrize("alg", SETS)
def test_a_context_other_than_the_empty_one_is_refused(alg):
    signer, guard, token = key(alg), server(key(alg).public_jwk, issuer=EVERY), mint(signer=key(alg))
    text = token.rpartition(".")[0].encode()
    assert outcome(guard, resigned(token, signer.private_key.sign(text, b""))) == ACCEPTED
    for context in (b"\x00", b"m2mguard", b"x" * 255):
        assert outcome(guard, resigned(token, signer.private_key.sign(text, context))) == SIGNATURE


@pytest.mark.skipif(
    not hasattr(PARAMETER_SETS["ML-DSA-44"].private_key, "sign_mu"), reason="needs a newer cryptography to make one"
)
@pytest.mark.parametrize("alg", SETS)
def test_a_signature_of_hash_ml_dsa_is_refused(alg):
    signer, guard, token = key(alg), server(key(alg).public_jwk, issuer=EVERY), mint(signer=key(alg))
    text = token.rpartition(".")[0].encode()
    pub = signer.private_key.public_key().public_bytes_raw()
    pure, hashed = (signer.private_key.sign_mu(representative(pub, text, hashed=one)) for one in (False, True))
    assert outcome(guard, resigned(token, pure)) == ACCEPTED
    assert outcome(guard, resigned(token, hashed)) == SIGNATURE
    assert outcome(guard, resigned(token, signer.sign(hashlib.sha512(text).digest()))) == SIGNATURE


@pytest.mark.parametrize("alg", SETS)
def test_it_is_accepted_only_where_it_is_named(alg):
    jwk, token = key(alg).public_jwk, mint(signer=key(alg))
    assert not {*SETS} & {*DEFAULT_ALGORITHMS, *Issuer.logto("https://tenant.logto.app").algorithms}
    assert outcome(server(jwk), token) == ALGORITHM
    assert outcome(server(jwk, issuer={"algorithms": [one for one in SETS if one != alg]}), token) == ALGORITHM
    assert outcome(server(jwk, issuer={"algorithms": [alg]}), token) == ACCEPTED


def test_such_a_key_beside_others_changes_nothing_for_them():
    guard = server(key("ML-DSA-44", "key-2").public_jwk, key().public_jwk)
    assert outcome(guard, mint()) == ACCEPTED
    assert outcome(guard, mint(with_header={"kid": REMOVED})) == ACCEPTED
    assert outcome(guard, mint(signer=key("ML-DSA-44", "key-2"))) == ALGORITHM
    assert outcome(guard, mint(with_header={"alg": "ML-DSA-44", "kid": "key-2"})) == ALGORITHM


def test_a_token_without_a_key_id_is_for_the_only_key_of_its_parameter_set():
    jwks = [key(alg, alg).public_jwk for alg in SETS]
    for alg in SETS:
        token = mint(signer=key(alg, alg), with_header={"kid": REMOVED})
        assert outcome(server(*jwks, issuer=EVERY), token) == ACCEPTED
        assert outcome(server(*jwks, key(alg, "two").public_jwk, issuer=EVERY), token) == NO_KEY


@pytest.mark.parametrize("alg", SETS)
@pytest.mark.parametrize("kty", ["RSA", "EC", "OKP"])
def test_a_key_of_another_type_that_claims_the_algorithm_is_skipped(alg, kty):
    other = key({"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}[kty], "other")
    keys = key_set_from_members({"keys": [{**other.public_jwk, "alg": alg}, key().public_jwk]}, max_keys=9)
    assert len(keys.skipped) == 1
    assert keys.skipped[0].startswith(f'key 0: its alg is "{alg}", expected ')
    guard = server({**other.public_jwk, "alg": alg}, key(alg).public_jwk, issuer=EVERY)
    assert outcome(guard, mint(signer=other, with_header={"alg": alg})) == NO_KEY
    assert outcome(guard, mint(signer=key(alg))) == ACCEPTED


@pytest.mark.parametrize("alg", SETS)
def test_a_skipped_key_says_why(alg):
    jwk, size = key(alg, "bad").public_jwk, PARAMETER_SETS[alg].public_key_bytes
    every = " or ".join(SETS)
    pub = key(alg, "bad").private_key.public_key().public_bytes_raw()
    for change, reason in (
        ({"alg": REMOVED}, f"its alg is missing, expected {every}"),
        ({"alg": None}, f"its alg is missing, expected {every}"),
        ({"alg": "ES256"}, f'its alg is "ES256", expected {every}'),
        ({"alg": alg.lower()}, f'its alg is "{alg.lower()}", expected {every}'),
        ({"alg": "HashML-DSA-65"}, f'its alg is "HashML-DSA-65", expected {every}'),
        ({"alg": 44}, "its alg is a number, expected a string"),
        ({"pub": base64url(pub[:-1])}, f"its pub has {size - 1} bytes, expected {size} for {alg}"),
        ({"pub": base64url(pub + b"x")}, f"its pub has {size + 1} bytes, expected {size} for {alg}"),
        ({"pub": base64url(pub[:32] + bytes(size - 32))}, "its pub has a vector of zeros"),
        ({"priv": base64url(bytes(32))}, "it holds private or symmetric members (priv)"),
    ):
        skipped = key_set_from_members({"keys": [changed(jwk, change), key().public_jwk]}, max_keys=9).skipped
        assert skipped == (f"key 0: {reason}",)
    assert not key_set_from_members({"keys": [jwk]}, max_keys=9).skipped


def test_a_vector_of_zeros_is_refused_since_anybody_can_sign_under_it():
    """The challenge then drops out of FIPS 204 algorithm 8, step 9: a response of zeros is right for every text. OpenSSL takes it."""
    pub, text = bytes(1312), b"any text"
    challenge = hashlib.shake_256(representative(pub, text) + bytes(768)).digest(32)
    response = sum(2**17 << 18 * coefficient for coefficient in range(1024)).to_bytes(2304, "little")
    forged = challenge + response + bytes(84)  # without a hint
    PARAMETER_SETS["ML-DSA-44"].public_key.from_public_bytes(pub).verify(forged, text)
    with pytest.raises(UnusableKey, match="a vector of zeros"):
        load_key({"kty": "AKP", "alg": "ML-DSA-44", "pub": base64url(pub)})
    nearly = load_key({"kty": "AKP", "alg": "ML-DSA-44", "pub": base64url(bytes(1311) + b"\xff")})
    assert not nearly.verify("ML-DSA-44", text, forged)


@pytest.fixture
def without_ml_dsa(monkeypatch):
    """A cryptography that was built with OpenSSL before 3.5: it is this that cryptography asks itself."""
    monkeypatch.setattr(type(backend), "mldsa_supported", lambda _: False)


@pytest.mark.usefixtures("without_ml_dsa")
def test_without_ml_dsa_in_cryptography_to_name_it_is_an_error_and_nothing_else_changes():
    with pytest.raises(ConfigurationError, match="algorithms: ML-DSA-44, ML-DSA-65 needs a cryptography that is built"):
        Issuer(url=URL, algorithms=["ML-DSA-65", "ES256", "ML-DSA-44"])
    jwk = {"kty": "AKP", "kid": "key-2", "alg": "ML-DSA-44", "pub": base64url(b"x" * 1312)}
    keys = key_set_from_members({"keys": [jwk, key().public_jwk]}, max_keys=9)
    assert [usable.kid for usable in keys.keys] == ["key-1"]
    assert keys.skipped[0].startswith("key 0: its alg is ML-DSA-44, which needs a cryptography")
    assert outcome(server(jwk, key().public_jwk), mint()) == ACCEPTED
