"""A transport that records the request for a token: what is sent where. Metadata is answered, a token is not."""

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from m2mguard.client import TokenEndpointUnavailable, TokenSource
from m2mguard.net import Response, TransportError

METADATA = "/.well-known/openid-configuration"


class Recorder:
    """Its attributes are those of the request for a token."""

    url: str
    headers: dict[str, str]
    form: dict[str, list[str]]

    def request(
        self, method: str, url: str, *, headers: Any, body: bytes | None, timeout_s: float, max_bytes: int
    ) -> Response:
        if body is None:
            issuer = url.removesuffix(METADATA)
            for named in (issuer, f"{issuer}/"):  # Auth0's ends in a slash
                if named == self.issuer:
                    document = {"issuer": named, "token_endpoint": f"{issuer}/discovered"}
                    return Response(status=200, headers={}, body=json.dumps(document).encode())
            raise TransportError(f"no metadata of {issuer}")
        self.url, self.headers, self.form = url, dict(headers), parse_qs(body.decode())
        raise TransportError("recorded")

    def __init__(self, issuer: str = "") -> None:
        self.issuer = issuer

    def record(self, source: TokenSource) -> "Recorder":
        with pytest.raises(TokenEndpointUnavailable, match="recorded"):
            source.token()
        return self
