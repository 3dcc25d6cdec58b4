"""The other end: a calling service gets its own access token, and keeps it fresh. Public names only.

The plug-ins for HTTP clients stand beside this: `m2mguard.client.httpx2`, `.requests`, `.aiohttp` and `.grpc`.
"""

from m2mguard.client.access_token import AccessToken
from m2mguard.client.errors import (
    TokenEndpointUnavailable,
    TokenRequestError,
    TokenRequestRefused,
)
from m2mguard.client.token_source import TokenSource
from m2mguard.reasons.codes import TokenRequestReason

__all__ = [
    "AccessToken",
    "TokenEndpointUnavailable",
    "TokenRequestError",
    "TokenRequestReason",
    "TokenRequestRefused",
    "TokenSource",
]
