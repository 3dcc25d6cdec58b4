"""A statement about the application that it signs itself, with a key that never leaves it: `private_key_jwt` (RFC 7523 section 3)."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from m2mguard._token.base64url import base64url_encode
from m2mguard._token.key_strength import RSA_BITS
from m2mguard._token.signing import PrivateKey, algorithms_of, sign_jwt
from m2mguard._validation import number
from m2mguard.client._authentication.assertion import assertion_proof
from m2mguard.client._authentication.proof import Proof, ProofRequest, ProofUnavailable
from m2mguard.errors import ConfigurationError

MAX_PEM_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class PrivateKeyJwt:
    """A key pair instead of a secret: the issuer knows the public half. The repr leaves the key out.

    Each token request carries a new assertion: `iss` and `sub` are the client id, `jti` is random, and it is valid for a minute. A file is
    read for each token request, so that a key that is replaced is used at the next one; if it cannot be read then, there is no token,
    for the reason `client_assertion`.

    Args:
        key: the path of a PEM file, its content as bytes, or a private key of `cryptography`: RSA of at least 2048 bits, EC on P-256,
            P-384 or P-521, or Ed25519.
        algorithm: the `alg`; default RS256, ES256, ES384, ES512 or EdDSA, by the key. RSA keys can also do RS384, RS512 and PS256 to PS512.
        key_id: the `kid` by which the issuer finds the public key. Default none.
        certificate: the path of a PEM certificate of this key, or its content as bytes, for `x5t#S256` (RFC 7515 section 4.1.8), by which
            Entra finds the key. Read as the key is. Default none.
        assertion_audience: the `aud`; default the issuer's URL, as RFC 7523 revised demands. Some issuers want their token endpoint's.
        lifetime: seconds that an assertion is valid, 10 to 600, default 60.
        password: of an encrypted PEM. Default none.

    Raises:
        ConfigurationError: an invalid value, or no such key; the message never holds the key.
    """

    key: str | os.PathLike[str] | bytes | PrivateKey = field(repr=False)
    algorithm: str | None = None
    key_id: str | None = None
    certificate: str | os.PathLike[str] | bytes | None = field(default=None, repr=False)
    assertion_audience: str | None = None
    lifetime: float = 60
    password: str | bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        number("lifetime", self.lifetime, least=10, most=600)
        try:
            self._header(self._load_key())
        except _Unusable as error:
            raise ConfigurationError(f"PrivateKeyJwt: {error}.") from None

    def proof(self, request: ProofRequest) -> Proof:
        """A new assertion."""
        try:
            key = self._load_key()
            header = self._header(key)
        except _Unusable as error:
            raise ProofUnavailable("client_assertion", f"the private key cannot be used: {error}") from None
        claims = {
            "iss": request.client_id,
            "sub": request.client_id,
            "aud": request.issuer if self.assertion_audience is None else self.assertion_audience,
            "jti": secrets.token_urlsafe(24),
            "iat": int(request.now_s),
            "nbf": int(request.now_s),
            "exp": int(request.now_s + self.lifetime),
        }
        return assertion_proof(request, sign_jwt(key, header, claims), what="the assertion")

    def _header(self, key: PrivateKey) -> dict[str, object]:
        possible = algorithms_of(key)
        if self.algorithm is not None and self.algorithm not in possible:
            raise _Unusable(f"this key cannot sign with {self.algorithm!r}, but with {', '.join(possible)}")
        header: dict[str, object] = {"alg": self.algorithm or possible[0], "typ": "JWT"}
        if self.key_id is not None:
            header["kid"] = self.key_id
        if self.certificate is not None:
            header["x5t#S256"] = _thumbprint(_content("certificate", self.certificate), key)
        return header

    def _load_key(self) -> PrivateKey:
        key: object = self.key
        if isinstance(key, str | os.PathLike | bytes):
            password = self.password.encode() if isinstance(self.password, str) else self.password
            try:
                key = load_pem_private_key(_content("key", key), password)
            except (TypeError, ValueError):  # of cryptography's, which might quote what it has read
                raise _Unusable("it is no private key in PEM, or its password is missing, wrong or needless") from None
        if isinstance(key, RSAPrivateKey):
            if key.key_size not in RSA_BITS:
                raise _Unusable(f"it has {key.key_size} bits, expected {RSA_BITS[0]} to {RSA_BITS[-1]}")
            return key
        if isinstance(key, Ed25519PrivateKey) or (isinstance(key, EllipticCurvePrivateKey) and algorithms_of(key)):
            return key
        raise _Unusable("expected a key of RSA, Ed25519, or EC on P-256, P-384 or P-521")


class _Unusable(Exception):
    """The key or the certificate cannot be used. The message holds nothing of it."""


def _content(what: str, given: str | os.PathLike[str] | bytes) -> bytes:
    if isinstance(given, bytes):
        return given
    if isinstance(given, str) and "-----BEGIN" in given:
        raise _Unusable(f"{what} must be the path of a file; give its content as bytes: {what}=pem.encode()")
    try:
        with Path(given).open("rb") as file:
            return file.read(MAX_PEM_BYTES)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        raise _Unusable(f"the file {given} cannot be read: {why}") from None


def _thumbprint(pem: bytes, key: PrivateKey) -> str:
    try:
        certificate = load_pem_x509_certificate(pem)
    except ValueError:
        raise _Unusable("certificate is no certificate in PEM") from None
    if certificate.public_key() != key.public_key():
        raise _Unusable("certificate is of another key")
    return base64url_encode(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest())
