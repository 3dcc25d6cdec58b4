"""What an editor must know of the client's public names. Checked by mypy and pyright in their strict modes; never run."""

from typing import assert_type

import aiohttp
import grpc
import httpx2
import requests

from m2mguard.client import (
    AccessToken,
    Assertion,
    AssertionFile,
    ClientSecret,
    MutualTls,
    PrivateKeyJwt,
    TokenEndpointUnavailable,
    TokenExchange,
    TokenRequestError,
    TokenRequestReason,
    TokenRequestRefused,
    TokenSource,
)
from m2mguard.client.aiohttp import TokenMiddleware
from m2mguard.client.grpc import call_credentials
from m2mguard.client.httpx2 import TokenAuth
from m2mguard.client.requests import TokenAuth as RequestsTokenAuth
from m2mguard.events import RenewalFailed, ScopesDropped, TokenEvent

source = TokenSource.logto(
    "https://tenant.logto.app",
    "app",
    "secret",
    resource="https://shopping.api",
    scopes=["read:orders"],
    organization_id=None,
)
general = TokenSource(
    "https://issuer.example",
    client_id="app",
    client_secret="secret",
    token_endpoint="https://issuer.example/token",
    parameters={"audience": "https://shopping.api"},
    client_authentication="client_secret_post",
    missing_scope="dropped",
    token_types=["Bearer", None],
)
TokenSource("https://issuer.example", client_id="app", client_secret=lambda: "secret", clock=None, monotonic=None)
TokenSource.logto("https://tenant.logto.app", "app", lambda: "secret", resource="https://shopping.api")
TokenSource("https://issuer.example", client_id="app", client_secret="secret", client_authentication="none")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

assert_type(source, TokenSource)
assert_type(source.token(), AccessToken)
assert_type(source.token().value, str)
assert_type(source.token().scopes, frozenset[str])
assert_type(source.token().expires_at, float)
assert_type(source.token().authorization, str)
assert_type(source.replace(source.token()), AccessToken | None)
source.reject(source.token())
assert_type(source.for_target(resource="https://stock.api", scopes={"read:stock"}), TokenSource)
source.token().value = "another"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]

httpx2.Client(auth=TokenAuth(source, "https://shopping.example"))
httpx2.AsyncClient(auth=TokenAuth(source, "https://shopping.example"))
requests.Session().auth = RequestsTokenAuth(source, "https://shopping.example")
assert_type(call_credentials(source), grpc.CallCredentials)


async def awaited() -> None:
    assert_type(await source.atoken(), AccessToken)
    assert_type(await source.areplace(await source.atoken()), AccessToken | None)
    aiohttp.ClientSession(middlewares=[TokenMiddleware(source, "https://shopping.example")])


def failed(error: TokenRequestError) -> float:
    match error:
        case TokenRequestRefused() | TokenEndpointUnavailable():
            assert_type(error.reason, TokenRequestReason)
            assert_type(error.error, str | None)
            assert_type(error.error_description, str | None)
            assert_type(error.detail, str)
            assert_type(error.retry_after, float)
        case _:
            pass
    return error.retry_after


def seen(event: TokenEvent) -> str:
    match event:
        case ScopesDropped():
            assert_type(event.missing, tuple[str, ...])
        case RenewalFailed():
            assert_type(event.remaining_s, float)
        case _:
            pass
    return event.app_id


for way in (
    ClientSecret("secret", "client_secret_post"),
    PrivateKeyJwt("key.pem", algorithm="PS256", certificate=b"PEM", assertion_audience="https://issuer.example/token"),
    AssertionFile("/var/run/secrets/tokens/issuer"),
    Assertion(lambda: "a.b.c"),
    MutualTls("tls.crt", "tls.key"),
    TokenExchange(AssertionFile("token"), ClientSecret("secret")),
):
    TokenSource("https://issuer.example", client_id="app", authentication=way)
assert_type(TokenSource.from_env({}, resource="https://shopping.api"), TokenSource)
TokenSource("https://issuer.example", client_id="app", authentication="client_secret_post")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
