"""How the peers verify a token for an API, each as its own documentation says."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt

from m2mguard.testing import SHOPPING_API, LocalIssuer

SCOPE = "read:orders"
REQUIRED = ["iss", "aud", "exp", "sub", "client_id", "iat", "jti"]
Verify = Callable[[str], Any]
"""Verifies one token; plain or async."""


class NotOffered(Exception):
    """A peer does not know the algorithm of this issuer; the message says which ones it knows."""


class Refused(Exception):
    """A token was refused."""


def minted(issuer: LocalIssuer, count: int) -> list[str]:
    """Tokens that every peer accepts: fastapi-azure-auth asks for `nbf` and `ver`."""
    extra = {"nbf": int(time.time()), "ver": "2.0"}
    return [issuer.mint(f"app-{number}", scopes=[SCOPE], claims=extra) for number in range(count)]


def pyjwt(issuer: LocalIssuer, **settings: Any) -> Verify:
    client = jwt.PyJWKClient(issuer.jwks_uri, **settings)
    expected: Any = {"audience": SHOPPING_API, "issuer": issuer.url, "algorithms": [issuer.current_key.algorithm]}
    options: Any = {"require": REQUIRED}
    return lambda token: jwt.decode(token, client.get_signing_key_from_jwt(token), options=options, **expected)


def joserfc(issuer: LocalIssuer) -> Verify:
    from joserfc import jwt
    from joserfc.jwk import KeySet

    keys, algorithms = KeySet.import_key_set(issuer.jwks), [issuer.current_key.algorithm]
    rules = jwt.JWTClaimsRegistry(
        **{name: {"essential": True} for name in REQUIRED}
        | {"iss": {"essential": True, "value": issuer.url}, "aud": {"essential": True, "value": SHOPPING_API}}
    )
    return lambda token: rules.validate(jwt.decode(token, keys, algorithms=algorithms).claims)


def authlib_validator(issuer: LocalIssuer) -> Any:
    """Authlib's validator for its ResourceProtector."""
    from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
    from joserfc.jwk import KeySet

    if issuer.current_key.algorithm not in ("RS256", "ES256"):
        raise NotOffered("its validator takes RS256 and ES256 only")
    keys = KeySet.import_key_set(issuer.jwks)

    class Validator(JWTBearerTokenValidator):
        def get_jwks(self) -> Any:
            return keys

    return Validator(issuer=issuer.url, resource_server=SHOPPING_API)


def authlib(issuer: LocalIssuer) -> Verify:
    validator = authlib_validator(issuer)
    return lambda token: validator.validate_token(validator.authenticate_token(token), None, None)


def fastmcp_verifier(issuer: LocalIssuer, **settings: Any) -> Any:
    """fastmcp's verifier, which its middleware takes."""
    from fastmcp.server.auth.providers.jwt import JWTVerifier

    expected = {"issuer": issuer.url, "audience": SHOPPING_API, "algorithm": issuer.current_key.algorithm}
    return JWTVerifier(jwks_uri=issuer.jwks_uri, **expected, **settings)


def fastmcp(issuer: LocalIssuer) -> Verify:
    verifier = fastmcp_verifier(issuer)

    async def verify(token: str) -> None:
        if await verifier.verify_token(token) is None:
            raise Refused

    return verify


def mcpauth(issuer: LocalIssuer) -> Verify:
    from mcpauth.utils import create_verify_jwt

    # Its middleware checks the audience and the issuer.
    return create_verify_jwt(issuer.jwks_uri, algorithms=[issuer.current_key.algorithm])


def guardpost(issuer: LocalIssuer, **settings: Any) -> Verify:
    from guardpost.jwts import AsymmetricJWTValidator

    if issuer.current_key.algorithm == "EdDSA":
        raise NotOffered("it knows RSA and EC keys only")
    return AsymmetricJWTValidator(
        keys_url=issuer.jwks_uri,
        valid_issuers=[issuer.url],
        valid_audiences=[SHOPPING_API],
        algorithms=[issuer.current_key.algorithm],
        **settings,
    ).validate_jwt


def azure_scheme(issuer: LocalIssuer) -> Any:
    """The dependency of fastapi-azure-auth."""
    from fastapi_azure_auth import B2CMultiTenantAuthorizationCodeBearer

    async def issuer_of(tid: str) -> str:
        return issuer.url

    if issuer.current_key.algorithm != "RS256":
        raise NotOffered("it takes RS256 only")
    return B2CMultiTenantAuthorizationCodeBearer(
        app_client_id=SHOPPING_API,
        openid_config_url=f"{issuer.url}/.well-known/openid-configuration",
        openapi_authorization_url=f"{issuer.url}/auth",
        openapi_token_url=issuer.token_endpoint,
        iss_callable=issuer_of,
    )


def fastapi_azure_auth(issuer: LocalIssuer) -> Verify:
    from fastapi.security import SecurityScopes
    from starlette.requests import Request

    scheme, nothing = azure_scheme(issuer), SecurityScopes([])

    async def verify(token: str) -> Any:
        headers = [(b"authorization", b"Bearer " + token.encode())]
        return await scheme(Request({"type": "http", "method": "GET", "path": "/", "headers": headers}), nothing)

    return verify


def ryjwt(issuer: LocalIssuer) -> Verify:
    from ryjwt import JWKSClient  # Python 3.12 or newer

    algorithms = [issuer.current_key.algorithm]
    return JWKSClient(issuer.jwks_uri, algorithms=algorithms, audience=SHOPPING_API, issuer=issuer.url).decode


PEERS: Mapping[str, Callable[[LocalIssuer], Verify]] = {
    "PyJWT + PyJWKClient": pyjwt,
    "joserfc": joserfc,
    "Authlib (RFC 9068)": authlib,
    "fastmcp JWTVerifier": fastmcp,
    "mcpauth": mcpauth,
    "guardpost": guardpost,
    "fastapi-azure-auth": fastapi_azure_auth,
    "ryjwt": ryjwt,
}
