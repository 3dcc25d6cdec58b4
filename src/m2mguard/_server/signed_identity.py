"""A Caller as a short-lived signed token (RFC 7515, RFC 9068), for an upstream that must not trust a plain header field.

The other side is a ResourceServer that trusts `identity_issuer()`, or any library that verifies ES256.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from m2mguard._token.base64url import base64url_encode
from m2mguard._token.jws import load_key
from m2mguard._token.signing import sign_jwt
from m2mguard.caller import Caller
from m2mguard.errors import ConfigurationError
from m2mguard.issuer import Issuer

IDENTITY_ISSUER: Final = "https://m2mguard.invalid/forward-auth"  # a name that nobody has (RFC 2606 section 2)
TYP: Final = "m2m-identity+jwt"  # no access token's: neither is taken for the other (RFC 8725 section 3.11)
LIFETIME_S: Final = 60
_ALGORITHM: Final = "ES256"
_COORDINATE_BYTES: Final = 32
_CLAIMS: Final = ("iss", "aud", "exp", "iat", "sub", "client_id", "jti", "machine")


class IdentitySigner:
    """Signs Callers with one private key. Immutable and safe to share between threads; its repr shows nothing of the key.

    Args:
        pem: an unencrypted private key of the curve P-256, as PEM.

    Attributes:
        jwks: the public key, as a JWK Set (RFC 7517).

    Raises:
        ConfigurationError: it is no such key.
    """

    __slots__ = ("_header", "_key", "jwks")

    def __init__(self, pem: str | bytes) -> None:
        self._key = _private_key(pem)
        numbers = self._key.public_key().public_numbers()
        jwk = {"kty": "EC", "crv": "P-256", "x": _coordinate(numbers.x), "y": _coordinate(numbers.y)}
        jwk |= {"use": "sig", "alg": _ALGORITHM, "kid": load_key(jwk).thumbprint}
        self.jwks: Mapping[str, Any] = {"keys": [jwk]}
        self._header = {"alg": _ALGORITHM, "typ": TYP, "kid": jwk["kid"]}

    def sign(self, caller: Caller, now: float) -> str:
        """The token that says who calls, valid for 60 s. Pure CPU.

        Args:
            caller: who calls.
            now: seconds since the epoch.
        """
        claims: dict[str, object] = {
            "iss": IDENTITY_ISSUER,
            "aud": caller.audience,
            "sub": caller.subject,
            "client_id": caller.app_id,
            "machine": "yes" if caller.is_machine else "no",
            "scope": " ".join(sorted(caller.scopes)),
            "token_issuer": caller.issuer,
            "token_exp": caller.expires_at,
            "iat": int(now),
            "exp": int(now) + LIFETIME_S,
            "jti": secrets.token_urlsafe(12),
        }
        for name in ("auth_time", "acr"):  # so that the API itself may ask how the person signed in (RFC 9470)
            value = caller.claims.get(name)
            if isinstance(value, str | int | float):
                claims[name] = value
        if caller.organization_id is not None:
            claims["organization_id"] = caller.organization_id
        return sign_jwt(self._key, self._header, claims)


def identity_issuer(*, jwks: Mapping[str, Any] | None = None, jwks_uri: str | None = None) -> Issuer:
    """Whom an upstream trusts that verifies `X-M2M-Identity` with a `ResourceServer` of the same audience.

    `server.verify(value)` then gives the same Caller; its `issuer` is this one, and the access token's own is its claim `token_issuer`.

    Args:
        jwks: the public key of the forward-auth service, as parsed JSON.
        jwks_uri: where to fetch it: `/m2mguard/jwks.json` of the service. Plain http is accepted.

    Raises:
        ConfigurationError: neither or both are given, or an invalid value.
    """
    if (jwks is None) == (jwks_uri is None):
        raise ConfigurationError("Give jwks or jwks_uri: the public key of the forward-auth service, or where it is.")
    return Issuer(
        url=IDENTITY_ISSUER,
        jwks=jwks,
        jwks_uri=jwks_uri,
        allow_http=jwks_uri is not None,
        algorithms=[_ALGORITHM],
        token_types=[TYP],
        required_claims=_CLAIMS,
        is_machine=_is_machine,
        organization_claim="organization_id",
    )


def _is_machine(claims: Mapping[str, object]) -> bool:
    return claims.get("machine") == "yes"


def _private_key(pem: str | bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(pem.encode() if isinstance(pem, str) else pem, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        key = None  # these errors may hold a part of the key, and must not become the context of ours
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigurationError(
            "identity_key must be an unencrypted private key of the curve P-256 as PEM: "
            "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out identity.pem"
        )
    return key


def _coordinate(number: int) -> str:
    return base64url_encode(number.to_bytes(_COORDINATE_BYTES))
