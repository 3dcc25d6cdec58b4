"""The other end: a calling service gets its own access token, and keeps it fresh. Public names only.

The plug-ins for HTTP clients are modules of this package: `m2mguard.client.httpx2`, `.requests`, `.aiohttp` and `.grpc`.
"""

from m2mguard._authentication.assertion import Assertion, AssertionFile
from m2mguard._authentication.exchange import TokenExchange
from m2mguard._authentication.mutual_tls import MutualTls
from m2mguard._authentication.private_key import PrivateKeyJwt
from m2mguard._authentication.secret import ClientSecret
from m2mguard._reasons.codes import TokenRequestReason
from m2mguard.client._access_token import AccessToken
from m2mguard.client._dpop import DpopKey
from m2mguard.client._errors import (
    TokenEndpointUnavailable,
    TokenRequestError,
    TokenRequestRefused,
)
from m2mguard.client._token_source import TokenSource

__all__ = [
    "AccessToken",
    "Assertion",
    "AssertionFile",
    "ClientSecret",
    "DpopKey",
    "MutualTls",
    "PrivateKeyJwt",
    "TokenEndpointUnavailable",
    "TokenExchange",
    "TokenRequestError",
    "TokenRequestReason",
    "TokenRequestRefused",
    "TokenSource",
]


def __dir__() -> list[str]:
    return sorted(__all__)
