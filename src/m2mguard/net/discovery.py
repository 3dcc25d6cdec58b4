"""Issuer metadata: where an issuer's keys lie (OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3).

The metadata must name the issuer exactly, and may not send us to another origin.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from m2mguard.configuration import origin_of, secure_url
from m2mguard.errors import ConfigurationError
from m2mguard.net.protocol import Response
from m2mguard.token.strict_json import NotStrictJson, parse_object

Get = Callable[[str], Response]
"""Fetches a URL within the time and size that its maker set."""


class DiscoveryFailed(Exception):
    """The metadata cannot be had, or must not be believed. The message is in our own words."""


def well_known_urls(issuer: str) -> tuple[str, str]:
    """Where metadata may lie: appended to the issuer (OIDC section 4.1), then inserted after its host (RFC 8414 section 3.1)."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    base = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{base}{path}/.well-known/openid-configuration",
        f"{base}/.well-known/oauth-authorization-server{path}",
    )


def discover(issuer: str, endpoint: str, get: Get) -> str:
    """Find the URL of one of the issuer's endpoints.

    Args:
        issuer: the configured issuer.
        endpoint: the metadata member, such as `jwks_uri` or `token_endpoint`.
        get: fetches a URL; what it raises passes through.

    Raises:
        DiscoveryFailed: no metadata at either place, another issuer's metadata, or an endpoint that is missing, not https or of
            another origin.
    """
    for url in well_known_urls(issuer):
        response = get(url)
        if response.status == 200:
            return _endpoint(issuer, endpoint, response.body)
        if response.status != 404:
            raise DiscoveryFailed(f"the issuer's metadata was answered with status {response.status}")
    raise DiscoveryFailed("the issuer has no metadata at either well-known place; set the URL by hand")


def _endpoint(issuer: str, endpoint: str, body: bytes) -> str:
    try:
        metadata = parse_object(body)
    except NotStrictJson as error:
        raise DiscoveryFailed(f"the issuer's metadata is {error}") from None
    if metadata.get("issuer") != issuer:
        raise DiscoveryFailed("the metadata is another issuer's; configure the issuer exactly as it names itself")
    url = metadata.get(endpoint)
    try:
        secure_url(endpoint, url)
    except ConfigurationError as error:
        raise DiscoveryFailed(f"the metadata's {error}") from None
    if not isinstance(url, str) or origin_of(url) != origin_of(issuer):
        raise DiscoveryFailed(
            f"the metadata's {endpoint} has another origin than the issuer; if that is meant, set it by hand"
        )
    return url
