"""Makes signatures: the algorithms of RFC 7518 section 3, RFC 8037 and RFC 9964 with private keys of `cryptography`. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurve,
    EllipticCurvePrivateKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from m2mguard._token.base64url import base64url_encode
from m2mguard._token.ml_dsa import PARAMETER_SETS, MlDsaPrivateKey, is_available

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey | MlDsaPrivateKey


_CURVE_NAMES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


class SigningAlgorithm(NamedTuple):
    """What an algorithm needs: a digest, except Ed25519 and ML-DSA; a curve, if it is one of ECDSA; PSS or not, if it is one of RSA."""

    digest: HashAlgorithm | None = None
    curve: EllipticCurve | None = None
    pss: bool = False


SIGNING_ALGORITHMS: Final[Mapping[str, SigningAlgorithm]] = {
    "RS256": SigningAlgorithm(SHA256()),
    "RS384": SigningAlgorithm(SHA384()),
    "RS512": SigningAlgorithm(SHA512()),
    "PS256": SigningAlgorithm(SHA256(), pss=True),
    "PS384": SigningAlgorithm(SHA384(), pss=True),
    "PS512": SigningAlgorithm(SHA512(), pss=True),
    "ES256": SigningAlgorithm(SHA256(), SECP256R1()),
    "ES384": SigningAlgorithm(SHA384(), SECP384R1()),
    "ES512": SigningAlgorithm(SHA512(), SECP521R1()),
    "EdDSA": SigningAlgorithm(),
    "Ed25519": SigningAlgorithm(),  # RFC 9864
    **(dict.fromkeys(PARAMETER_SETS, SigningAlgorithm()) if is_available() else {}),
}


def algorithms_of(key: PrivateKey) -> tuple[str, ...]:
    """The algorithms that a key can sign with, the usual one first."""
    if isinstance(key, Ed25519PrivateKey):
        return "EdDSA", "Ed25519"
    if isinstance(key, MlDsaPrivateKey):
        return (parameter_set_of(key),)
    if isinstance(key, EllipticCurvePrivateKey):
        return tuple(name for name, one in SIGNING_ALGORITHMS.items() if one.curve and one.curve.name == key.curve.name)
    return tuple(name for name, one in SIGNING_ALGORITHMS.items() if one.digest and one.curve is None)


def parameter_set_of(key: MlDsaPrivateKey) -> str:
    """The parameter set of an ML-DSA key, which is its only algorithm."""
    return next(name for name, one in PARAMETER_SETS.items() if isinstance(key, one.private_key))


def public_members(key: PrivateKey) -> dict[str, object]:
    """The members of the public JWK that make its thumbprint (RFC 7638 section 3.2, RFC 8037 section 2, RFC 9964)."""
    if isinstance(key, RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"kty": "RSA", "e": _integer(numbers.e), "n": _integer(numbers.n)}
    if isinstance(key, EllipticCurvePrivateKey):
        point, size = key.public_key().public_numbers(), (key.key_size + 7) // 8
        crv = _CURVE_NAMES[point.curve.name]
        return {"kty": "EC", "crv": crv, "x": _integer(point.x, size), "y": _integer(point.y, size)}
    pub = base64url_encode(key.public_key().public_bytes_raw())
    if isinstance(key, MlDsaPrivateKey):
        return {"kty": "AKP", "alg": parameter_set_of(key), "pub": pub}
    return {"kty": "OKP", "crv": "Ed25519", "x": pub}


def _integer(value: int, size: int | None = None) -> str:
    return base64url_encode(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def sign(key: PrivateKey, alg: str, data: bytes) -> bytes:
    """The JWS signature of these bytes.

    Raises:
        ValueError: the key cannot sign with this algorithm.
    """
    known = SIGNING_ALGORITHMS[alg]
    if isinstance(key, Ed25519PrivateKey | MlDsaPrivateKey):
        return key.sign(data)
    if known.digest is None:
        raise ValueError(f"{alg} needs an {'ML-DSA' if alg in PARAMETER_SETS else 'Ed25519'} key")
    if isinstance(key, EllipticCurvePrivateKey):
        size = (key.key_size + 7) // 8
        r, s = decode_dss_signature(key.sign(data, ECDSA(known.digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return key.sign(data, rsa_padding(alg), known.digest)


def rsa_padding(alg: str) -> AsymmetricPadding:
    """The padding of an RSA algorithm."""
    known = SIGNING_ALGORITHMS[alg]
    return PSS(MGF1(known.digest), PSS.DIGEST_LENGTH) if known.pss and known.digest else PKCS1v15()


def sign_jwt(key: PrivateKey, header: Mapping[str, object], claims: Mapping[str, object]) -> str:
    """A JWT in compact form, signed with the algorithm that the header names (RFC 7515 section 7.1)."""
    signed = ".".join(base64url_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{signed}.{base64url_encode(sign(key, str(header['alg']), signed.encode()))}"
