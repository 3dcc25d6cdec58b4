"""How the peers verify a token for an API, each as its own documentation says.

A peer is a function that takes the issuer and the algorithm and returns a function that verifies one token. It raises `NotOffered` if the
peer does not offer that algorithm, and ImportError if it is not installed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.request
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from benchmarks.measure import Batch, awaits_over, calls_over
from m2mguard.testing import SHOPPING_API, LocalIssuer

REQUIRED = ["iss", "aud", "exp", "sub", "client_id", "iat", "jti"]
Verify = Callable[[str], Any]


class NotOffered(Exception):
    """This peer cannot do that; the message says what."""


def pyjwt(issuer: LocalIssuer, algorithm: str) -> Verify:
    import jwt

    client = jwt.PyJWKClient(issuer.jwks_uri)

    def verify(token: str) -> Any:
        key = client.get_signing_key_from_jwt(token)
        return jwt.decode(
            token,
            key,
            audience=SHOPPING_API,
            issuer=issuer.url,
            algorithms=[algorithm],
            options={"require": REQUIRED},
        )

    return verify


def joserfc(issuer: LocalIssuer, algorithm: str) -> Verify:
    from joserfc import jwt
    from joserfc.jwk import KeySet

    keys = KeySet.import_key_set(_key_set(issuer))
    rules = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer.url},
        aud={"essential": True, "value": SHOPPING_API},
        **{name: {"essential": True} for name in ("exp", "sub", "client_id", "iat", "jti")},
    )

    def verify(token: str) -> Any:
        decoded = jwt.decode(token, keys, algorithms=[algorithm])
        rules.validate(decoded.claims)
        return decoded

    return verify


def authlib_validator(issuer: LocalIssuer, algorithm: str) -> Any:
    """Authlib's validator for its ResourceProtector."""
    from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
    from joserfc.jwk import KeySet

    if algorithm not in ("RS256", "ES256"):
        raise NotOffered("its validator takes RS256 and ES256 only")
    keys = KeySet.import_key_set(_key_set(issuer))

    class Validator(JWTBearerTokenValidator):  # type: ignore[misc]
        def get_jwks(self) -> Any:
            return keys

    return Validator(issuer=issuer.url, resource_server=SHOPPING_API)


def authlib(issuer: LocalIssuer, algorithm: str) -> Verify:
    validator = authlib_validator(issuer, algorithm)

    def verify(token: str) -> Any:
        claims = validator.authenticate_token(token)
        validator.validate_token(claims, None, None)
        return claims

    return verify


def fastmcp(issuer: LocalIssuer, algorithm: str) -> Verify:
    from fastmcp.server.auth.providers.jwt import JWTVerifier

    verifier = JWTVerifier(jwks_uri=issuer.jwks_uri, issuer=issuer.url, audience=SHOPPING_API, algorithm=algorithm)
    return verifier.verify_token


def mcpauth(issuer: LocalIssuer, algorithm: str) -> Verify:
    from mcpauth.utils import create_verify_jwt

    return create_verify_jwt(issuer.jwks_uri, algorithms=[algorithm])  # aud and iss are its middleware's business


def guardpost(issuer: LocalIssuer, algorithm: str) -> Verify:
    from guardpost.jwts import AsymmetricJWTValidator

    if algorithm == "EdDSA":
        raise NotOffered("it knows RSA and EC keys only")
    warnings.filterwarnings("ignore", module="guardpost")  # it passes PyJWT an argument that is no more
    validator = AsymmetricJWTValidator(
        authority=issuer.url, valid_issuers=[issuer.url], valid_audiences=[SHOPPING_API], algorithms=[algorithm]
    )
    return validator.validate_jwt


def azure_scheme(issuer: LocalIssuer) -> Any:
    """The dependency of fastapi-azure-auth, which takes RS256 only."""
    from fastapi_azure_auth import B2CMultiTenantAuthorizationCodeBearer

    async def issuer_of(tid: str) -> str:
        return issuer.url

    logging.getLogger("fastapi_azure_auth").setLevel(logging.CRITICAL)
    return B2CMultiTenantAuthorizationCodeBearer(
        app_client_id=SHOPPING_API,
        openid_config_url=f"{issuer.url}/.well-known/openid-configuration",
        openapi_authorization_url=f"{issuer.url}/auth",
        openapi_token_url=issuer.token_endpoint,
        iss_callable=issuer_of,
    )


def fastapi_azure_auth(issuer: LocalIssuer, algorithm: str) -> Verify:
    from fastapi.security import SecurityScopes
    from starlette.requests import Request

    if algorithm != "RS256":
        raise NotOffered("it takes RS256 only")
    scheme, nothing = azure_scheme(issuer), SecurityScopes([])

    def verify(token: str) -> Awaitable[Any]:
        headers = [(b"authorization", b"Bearer " + token.encode())]
        return scheme(Request({"type": "http", "method": "GET", "path": "/", "headers": headers}), nothing)

    return verify


def ryjwt(issuer: LocalIssuer, algorithm: str) -> Verify:
    from ryjwt import JWKSClient  # Python 3.12 or newer

    return JWKSClient(issuer.jwks_uri, algorithms=[algorithm], audience=SHOPPING_API, issuer=issuer.url).decode


PEERS: Mapping[str, Callable[[LocalIssuer, str], Verify]] = {
    "PyJWT + PyJWKClient": pyjwt,
    "joserfc": joserfc,
    "Authlib (RFC 9068)": authlib,
    "fastmcp JWTVerifier": fastmcp,
    "mcpauth": mcpauth,
    "guardpost": guardpost,
    "fastapi-azure-auth": fastapi_azure_auth,
    "ryjwt": ryjwt,
}


def peer_batch(
    name: str, issuer: LocalIssuer, algorithm: str, tokens: Sequence[str], loop: asyncio.AbstractEventLoop
) -> Batch:
    """A batch of one peer's verifications of these tokens in turn.

    Raises:
        NotOffered: the peer does not offer this algorithm, or refused a good token.
        ImportError: the peer is not installed.
    """
    verify = PEERS[name](issuer, algorithm)
    accepted = verify(tokens[0])
    if isinstance(accepted, Awaitable):
        if loop.run_until_complete(_done(accepted)) is None:
            raise NotOffered("it refused a good token")
        return awaits_over(verify, tokens, loop)
    return calls_over(verify, tokens)


async def _done(accepted: Awaitable[Any]) -> Any:
    return await accepted


def _key_set(issuer: LocalIssuer) -> Any:
    with urllib.request.urlopen(issuer.jwks_uri) as answer:
        return json.load(answer)
