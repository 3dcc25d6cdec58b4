"""The issuer's documents: its metadata and its key set, with the headers that Logto sends.

Pure: a request's host and the published keys go in, a `Reply` comes out.
"""

import base64
import hashlib
import http
import json
from collections.abc import Mapping
from typing import Final

from m2mguard.testing._messages import Reply, Request

_NOT_FOUND: Final = Reply(status=404, headers={"Content-Type": "text/plain; charset=utf-8"}, body=b"Not Found")


def not_found() -> Reply:
    """Return Logto's answer for an unknown path."""
    return _NOT_FOUND


def metadata_document(*, issuer: str, base: str, algorithm: str) -> Reply:
    """Return the OpenID Provider metadata (OIDC Discovery §3, RFC 8414 §2).

    Args:
        issuer: the one that was configured.
        base: `scheme://host/path` as the client addressed us: Logto builds every endpoint from the Host header.
        algorithm: of the current key.
    """
    document = {
        "authorization_endpoint": f"{base}/auth",
        "claims_parameter_supported": False,
        "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": [
            "implicit",
            "authorization_code",
            "refresh_token",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ],
        "introspection_endpoint": f"{base}/token/introspection",
        "issuer": issuer,
        "jwks_uri": f"{base}/jwks",
        "response_modes_supported": ["form_post", "fragment", "query"],
        "response_types_supported": ["code id_token", "code", "id_token", "none"],
        "subject_types_supported": ["public"],
        "token_endpoint_auth_methods_supported": [
            "client_secret_basic",
            "client_secret_jwt",
            "client_secret_post",
            "private_key_jwt",
            "none",
        ],
        "token_endpoint": f"{base}/token",
        "id_token_signing_alg_values_supported": [algorithm],
    }
    return json_reply(200, document)


def key_set_document(jwks: Mapping[str, object]) -> Reply:
    """Return the JWK Set (RFC 7517 §5), to be revalidated on every use, as Logto demands."""
    headers = {
        "Content-Type": "application/jwk-set+json; charset=utf-8",
        "Cache-Control": "no-cache, max-age=0, must-revalidate",
    }
    return json_reply(200, jwks, headers)


def json_reply(status: int, document: object, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a JSON answer with these headers too."""
    content_type = {"Content-Type": "application/json; charset=utf-8"}
    body = json.dumps(document, separators=(",", ":")).encode()
    return Reply(status=status, headers={**content_type, **(headers or {})}, body=body)


def revalidated(request: Request, reply: Reply) -> Reply:
    """Add an ETag to the 200 of a GET as Logto does; answer 304 to who holds that version (RFC 9110 §13.1.2)."""
    if request.method != "GET" or reply.status != http.HTTPStatus.OK:
        return reply
    digest = base64.b64encode(hashlib.sha1(reply.body, usedforsecurity=False).digest()).decode().rstrip("=")
    tag = f'"{len(reply.body):x}-{digest}"'
    headers = {**reply.headers, "ETag": tag}
    if request.headers.get("if-none-match") != tag:
        return Reply(status=reply.status, headers=headers, body=reply.body)
    headers.pop("Content-Type")
    return Reply(status=304, headers=headers)
