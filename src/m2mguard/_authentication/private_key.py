"""A statement about the application that it signs itself, with a key that never leaves it: `private_key_jwt` (RFC 7523 section 3)."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from m2mguard._authentication.assertion import assertion_proof
from m2mguard._authentication.proof import EndpointAuthentication, Proof, ProofRequest, ProofUnavailable
from m2mguard._token.key_strength import UnusableKey
from m2mguard._validation import number, text
from m2mguard.errors import ConfigurationError

if TYPE_CHECKING:
    from m2mguard._authentication.signer import Signer
    from m2mguard._token.signing import PrivateKey


@dataclass(frozen=True, slots=True)
class PrivateKeyJwt(EndpointAuthentication):
    """A key pair instead of a secret: the issuer knows the public half. The repr leaves the key out.

    Each token request carries a new assertion: `iss` and `sub` are the client id, `jti` is random, and it is valid for a minute. A file is
    read for each token request, so that a key that is replaced is used at the next one; if it cannot be read then, there is no token,
    for the reason `client_assertion`.

    Args:
        key: the path of a PEM file, its content as bytes, or a private key of `cryptography`: RSA of at least 2048 bits, EC on P-256,
            P-384 or P-521, Ed25519, or ML-DSA.
        algorithm: the `alg`; default RS256, ES256, ES384, ES512, EdDSA or ML-DSA's, by the key. RSA keys can also do RS384, RS512 and
            PS256 to PS512.
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
        for setting in ("key_id", "assertion_audience"):
            if (value := getattr(self, setting)) is not None:
                text(setting, value)
        try:
            self._signer()
        except UnusableKey as error:
            raise ConfigurationError(f"PrivateKeyJwt: {error}.") from None

    def proof(self, request: ProofRequest) -> Proof:
        """A new assertion.

        Raises:
            ProofUnavailable: the files of the key or of its certificate cannot be used any more.
        """
        try:
            signer = self._signer()
        except UnusableKey as error:
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
        return assertion_proof(request, signer.sign(claims))

    def _signer(self) -> Signer:
        """The key as it is now. `cryptography` is loaded here, so that a service with a secret does not need it."""
        from m2mguard._authentication.signer import load_signer

        return load_signer(
            self.key, self.password, algorithm=self.algorithm, key_id=self.key_id, certificate=self.certificate
        )
