"""Private keys that sign tokens, good ones and every kind of broken one.

Knows keys, JWKs and compact serialization; nothing of claims, HTTP or Logto's rotation.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from m2mguard._token.base64url import base64url_encode
from m2mguard._token.ml_dsa import NEEDED, PARAMETER_SETS, MlDsaPrivateKey
from m2mguard._token.signing import (
    SIGNING_ALGORITHMS,
    PrivateKey,
    SigningAlgorithm,
    public_members,
    rsa_padding,
    sign,
)
from m2mguard.errors import ConfigurationError

base64url = base64url_encode
"""Encode without padding (RFC 7515 §2)."""
Segment = Mapping[str, object] | bytes
"""One part of a token before base64url: a JSON object, or raw bytes where the test wants no JSON."""


ALGORITHMS: Final = tuple(SIGNING_ALGORITHMS)
"""Every algorithm a `SigningKey` can have: RFC 7518, RFC 8037, the RFC 9864 name Ed25519, and ML-DSA of RFC 9964."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key with the algorithm it signs with and the `kid` it goes by.

    Immutable, so any thread may use it. `repr` never shows the private part.

    Args:
        algorithm: a JWS `alg` of `ALGORITHMS`.
        private_key: the key itself, of `cryptography`.
        kid: the key id that tokens and the JWK carry.
    """

    algorithm: str
    private_key: PrivateKey = field(repr=False)
    kid: str

    @classmethod
    def generate(cls, algorithm: str = "ES384", *, kid: str | None = None, rsa_bits: int = 2048) -> Self:
        """Make a new key.

        Args:
            algorithm: a member of `ALGORITHMS`; default ES384, as Logto's.
            kid: the key id; default the RFC 7638 SHA-256 thumbprint, as Logto's.
            rsa_bits: the length of an RSA modulus, at least 1024; default 2048, which takes some 100 ms.

        Raises:
            ValueError: the algorithm is not one of `ALGORITHMS`; a `ConfigurationError` if this build of cryptography lacks it.
        """
        curve = _algorithm(algorithm).curve
        private_key: PrivateKey
        if curve is not None:
            private_key = ec.generate_private_key(curve)
        elif algorithm in ("EdDSA", "Ed25519"):
            private_key = ed25519.Ed25519PrivateKey.generate()
        elif algorithm in PARAMETER_SETS:
            private_key = PARAMETER_SETS[algorithm].private_key.generate()
        else:
            private_key = rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)
        return cls._named(algorithm, private_key, kid)

    @classmethod
    def from_pem(cls, pem: bytes, algorithm: str, *, kid: str | None = None) -> Self:
        """Read an unencrypted private key, so that a test has the same key on every run.

        Raises:
            TypeError: it is no RSA, EC, Ed25519 or ML-DSA private key.
            ValueError: it is no PEM, or the algorithm is unknown.
        """
        _algorithm(algorithm)
        private_key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(private_key, PrivateKey):
            raise TypeError("the PEM holds no RSA, EC, Ed25519 or ML-DSA private key")
        return cls._named(algorithm, private_key, kid)

    @classmethod
    def _named(cls, algorithm: str, private_key: PrivateKey, kid: str | None) -> Self:
        if kid is None:
            kid = thumbprint(public_members(private_key))
        return cls(algorithm=algorithm, private_key=private_key, kid=kid)

    def using(self, *, algorithm: str | None = None, kid: str | None = None) -> Self:
        """Return the same private key under another algorithm or `kid` (a PS256 token of an RS256 key)."""
        return replace(self, algorithm=algorithm or self.algorithm, kid=self.kid if kid is None else kid)

    @property
    def public_jwk(self) -> dict[str, object]:
        """The public JWK (RFC 7517) with Logto's members in Logto's order: an RSA key has no `alg`."""
        members = public_members(self.private_key)
        jwk: dict[str, object] = {"kty": members.pop("kty"), "use": "sig", "kid": self.kid}
        if not isinstance(self.private_key, rsa.RSAPrivateKey):
            jwk["alg"] = self.algorithm
        return jwk | members

    @property
    def public_pem(self) -> bytes:
        """The public key as PEM: what an HMAC confusion attack takes for its secret."""
        return self.private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, data: bytes) -> bytes:
        """Return the JWS signature (RFC 7518 §3, RFC 8037 §3.1) over these bytes."""
        return sign(self.private_key, self.algorithm, data)

    def verify(self, data: bytes, signature: bytes) -> bool:
        """Say whether this key made the signature. For the issuer's own use, no model of a verifier."""
        key, digest = self.private_key, _algorithm(self.algorithm).digest
        try:
            if isinstance(key, ed25519.Ed25519PrivateKey | MlDsaPrivateKey):
                key.public_key().verify(signature, data)
            elif digest is None:
                return False
            elif isinstance(key, ec.EllipticCurvePrivateKey):
                size = _coordinate_bytes(key)
                r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
                key.public_key().verify(encode_dss_signature(r, s), data, ec.ECDSA(digest))
            else:
                key.public_key().verify(signature, data, rsa_padding(self.algorithm), digest)
        except InvalidSignature:
            return False
        return True

    def sign_compact(self, header: Segment, payload: Segment) -> str:
        """Return `header.payload.signature`, signed with this key's own algorithm whatever the header says."""
        signing_input = compact(header, payload)
        return f"{signing_input}.{base64url(self.sign(signing_input.encode()))}"


def compact(header: Segment, payload: Segment, signature: bytes | None = None) -> str:
    """Join encoded segments (RFC 7515 §7.1); without a signature, only the signing input of two segments."""
    segments = [header, payload] if signature is None else [header, payload, signature]
    return ".".join(base64url(part if isinstance(part, bytes) else _json(part)) for part in segments)


def sign_with_secret(header: Segment, payload: Segment, secret: bytes) -> str:
    """Return an HS256 token: for the attack that passes a public key off as the shared secret."""
    signature = hmac.digest(secret, compact(header, payload).encode(), "sha256")
    return compact(header, payload, signature)


def thumbprint(jwk: Mapping[str, object]) -> str:
    """Return the RFC 7638 SHA-256 thumbprint of a public JWK of type EC, RSA, OKP or AKP."""
    names = ("alg", "kty", "pub") if jwk["kty"] == "AKP" else ("crv", "e", "kty", "n", "x", "y")
    required = {name: jwk[name] for name in names if name in jwk}
    return base64url(hashlib.sha256(_json(required)).digest())


def _algorithm(name: str) -> SigningAlgorithm:
    if name in PARAMETER_SETS and name not in SIGNING_ALGORITHMS:
        raise ConfigurationError(f"{name} needs {NEEDED}.")
    if name not in SIGNING_ALGORITHMS:
        raise ValueError(f"unknown algorithm {name!r}; known are {', '.join(ALGORITHMS)}")
    return SIGNING_ALGORITHMS[name]


def _coordinate_bytes(private_key: ec.EllipticCurvePrivateKey) -> int:
    return (private_key.key_size + 7) // 8


def _json(members: Mapping[str, object]) -> bytes:
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
