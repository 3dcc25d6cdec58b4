"""Reads a private key and its certificate, and signs assertions with it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from m2mguard._token.base64url import base64url_encode
from m2mguard._token.key_strength import RSA_BITS, UnusableKey
from m2mguard._token.ml_dsa import MlDsaPrivateKey
from m2mguard._token.signing import PrivateKey, algorithms_of, public_members, sign_jwt
from m2mguard.net._credential_files import UnreadableFile, read_credential_file

_KINDS = "expected a key of RSA, Ed25519, ML-DSA, or EC on P-256, P-384 or P-521"
Content = str | os.PathLike[str] | bytes


@dataclass(frozen=True, slots=True)
class Signer:
    """A key and the header of what it signs."""

    key: PrivateKey = field(repr=False)
    header: Mapping[str, object]

    def sign(self, claims: Mapping[str, object]) -> str:
        """A JWT in compact form."""
        return sign_jwt(self.key, self.header, claims)


def load_signer(
    key: Content | PrivateKey,
    password: str | bytes | None,
    *,
    algorithm: str | None,
    key_id: str | None,
    certificate: Content | None,
) -> Signer:
    """Read a key as `PrivateKeyJwt` describes it. Blocks for as long as its files take.

    Raises:
        UnusableKey: there is no such key, or it cannot do what is asked; the message holds nothing of it.
    """
    loaded = _load_key(key, password)
    possible = algorithms_of(loaded)
    if algorithm is not None and algorithm not in possible:
        raise UnusableKey(f"this key cannot sign with {algorithm!r}, but with {', '.join(possible)}")
    header: dict[str, object] = {"alg": algorithm or possible[0], "typ": "JWT"}
    if key_id is not None:
        header["kid"] = key_id
    if certificate is not None:
        header["x5t#S256"] = _thumbprint(_content("certificate", certificate), loaded)
    return Signer(loaded, header)


def load_proof_signer(
    key: Content | PrivateKey | None, password: str | bytes | None, *, algorithm: str | None
) -> Signer:
    """Read or make a key as `DpopKey` describes it: the header of what it signs holds the public half (RFC 9449 section 4.2).

    Raises:
        UnusableKey: as `load_signer`.
    """
    given = generate_private_key(SECP256R1()) if key is None else key
    signer = load_signer(given, password, algorithm=algorithm, key_id=None, certificate=None)
    if isinstance(signer.key, MlDsaPrivateKey):
        raise UnusableKey("a proof by ML-DSA is larger than what servers take for a header field")
    return Signer(signer.key, {"typ": "dpop+jwt", "alg": signer.header["alg"], "jwk": public_members(signer.key)})


def _load_key(given: Content | PrivateKey, password: str | bytes | None) -> PrivateKey:
    key: object = given
    if isinstance(given, str | os.PathLike | bytes):
        secret = password.encode(errors="surrogateescape") if isinstance(password, str) else password
        content = _content("key", given)
        try:
            key = load_pem_private_key(content, secret)
        except UnsupportedAlgorithm:
            raise UnusableKey(_KINDS) from None
        except (TypeError, ValueError):  # of cryptography's, which might quote what it has read
            raise UnusableKey("it is no private key in PEM, or its password is missing, wrong or needless") from None
    if isinstance(key, RSAPrivateKey):
        if key.key_size not in RSA_BITS:
            raise UnusableKey(f"it has {key.key_size} bits, expected {RSA_BITS[0]} to {RSA_BITS[-1]}")
        return key
    if isinstance(key, Ed25519PrivateKey | MlDsaPrivateKey) or (
        isinstance(key, EllipticCurvePrivateKey) and algorithms_of(key)
    ):
        return key
    raise UnusableKey(_KINDS)


def _content(what: str, given: Content) -> bytes:
    if isinstance(given, bytes):
        return given
    if isinstance(given, str) and "-----BEGIN" in given:
        raise UnusableKey(f"{what} must be the path of a file; give its content as bytes: {what}=pem.encode()")
    try:
        return read_credential_file(given)
    except UnreadableFile as error:
        raise UnusableKey(str(error)) from None


def _thumbprint(pem: bytes, key: PrivateKey) -> str:
    try:
        certificate = load_pem_x509_certificate(pem)
        certified = certificate.public_key()
    except UnsupportedAlgorithm:
        raise UnusableKey("certificate is of another key") from None
    except ValueError:
        raise UnusableKey("certificate is no certificate in PEM") from None
    if certified != key.public_key():
        raise UnusableKey("certificate is of another key")
    return base64url_encode(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest())
