"""The Authorization fields of the rows: good, bad, and odd. Each function returns one that makes them for an issuer."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection
from typing import Any

from m2mguard.testing._local_issuer import LocalIssuer
from m2mguard.testing._signing import SigningKey, base64url

Credentials = Callable[[LocalIssuer], tuple[bytes, ...]]


def none(_: LocalIssuer) -> tuple[bytes, ...]:
    """No Authorization field."""
    return ()


def fields(*values: bytes) -> Credentials:
    """These fields, unchanged."""
    return lambda _: values


def bearer(
    app_id: str = "app-orders",
    *,
    scheme: bytes = b"Bearer ",
    end: bytes = b"",
    scopes: Collection[str] = ("read:orders",),
    **options: Any,
) -> Credentials:
    """A machine's token, as `LocalIssuer.mint` makes it."""
    return lambda issuer: (scheme + issuer.mint(app_id, scopes=scopes, **options).encode() + end,)


def token(make: Callable[[LocalIssuer], str]) -> Credentials:
    """The token that `make` makes, as a bearer token."""
    return lambda issuer: (b"Bearer " + make(issuer).encode(),)


def two_tokens(*, joined_by: bytes | None = None) -> Credentials:
    """Two good tokens of two applications, in two fields or in one."""

    def make(issuer: LocalIssuer) -> tuple[bytes, ...]:
        both = [b"Bearer " + issuer.mint(app_id).encode() for app_id in ("app-orders", "app-admin")]
        return tuple(both) if joined_by is None else (joined_by.join(both),)

    return make


def unsigned(issuer: LocalIssuer) -> str:
    """A token of `alg` "none", without a signature."""
    return issuer.mint(header={"alg": "none"}).rpartition(".")[0] + "."


def signed_with_the_public_key(issuer: LocalIssuer) -> str:
    """An HS256 token whose secret is the issuer's public key."""
    signing_input = issuer.mint(header={"alg": "HS256"}).rpartition(".")[0]
    return f"{signing_input}.{base64url(hmac.digest(issuer.current_key.public_pem, signing_input.encode(), 'sha256'))}"


def with_the_claims_of_another(issuer: LocalIssuer) -> str:
    """A good token's header and signature around the claims of another."""
    header, _, signature = issuer.mint("app-orders").split(".")
    return ".".join((header, issuer.mint("app-admin").split(".")[1], signature))


def signed_by_a_stranger(issuer: LocalIssuer) -> str:
    """A token signed with a key that is not the issuer's, under the `kid` of one that is."""
    return issuer.mint(key=SigningKey.generate(kid=issuer.current_key.kid))
