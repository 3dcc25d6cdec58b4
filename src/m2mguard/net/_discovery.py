"""Issuer metadata: the URLs of an issuer's endpoints (OpenID Connect Discovery 1.0 section 4, RFC 8414 sections 3 and 5).

The metadata must name the issuer exactly, and may not send us to another origin.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Callable
from urllib.parse import urlsplit

from m2mguard._reasons.codes import DiscoveryProblem
from m2mguard._token.strict_json import NotStrictJson, parse_object
from m2mguard._validation import origin_of, secure_url
from m2mguard.errors import ConfigurationError
from m2mguard.net._protocol import Response

METADATA_TTL_S = 3600.0
Get = Callable[[str], Response]
"""Fetches a URL, within the time and size limits of its maker."""


class DiscoveryFailed(Exception):
    """The metadata is not available, or must not be believed.

    Args:
        message: one sentence in our own words, without anything that the issuer sent.
        code: the kind.

    Attributes:
        code: what went wrong, for programs; the sentence may change, the code does not.

            * `no_metadata`: every well-known URL is answered with a status from 400 to 499.
            * `metadata_status`: a well-known URL is answered with another status than 200 and those, such as a redirect or an outage.
            * `metadata_not_json`: the metadata is not one strict JSON object.
            * `other_issuer`: the metadata names another issuer, or none.
            * `no_endpoint`: the metadata has no such endpoint.
            * `bad_endpoint`: the endpoint is not the URL of an https resource.
            * `other_origin`: the endpoint has another origin than the issuer.
    """

    code: DiscoveryProblem

    def __init__(self, message: str, *, code: DiscoveryProblem) -> None:
        super().__init__(message)
        self.code = code


def well_known_urls(issuer: str) -> tuple[str, ...]:
    """Where metadata may be, each URL once.

    In this order: OpenID Connect's name after the issuer's path (OIDC Discovery section 4.1), OAuth's name before it (RFC 8414
    section 3.1), OpenID Connect's name before it (RFC 8414 section 5). An issuer without a path has two.
    """
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    base = f"{parts.scheme}://{parts.netloc}"
    urls = (
        f"{base}{path}/.well-known/openid-configuration",
        f"{base}/.well-known/oauth-authorization-server{path}",
        f"{base}/.well-known/openid-configuration{path}",
    )
    return tuple(dict.fromkeys(urls))


def discover(issuer: str, endpoint: str, get: Get, *, mutual_tls: bool = False) -> str:
    """Find the URL of one of the issuer's endpoints.

    Goes on to the next well-known URL after any status from 400 to 499: where there is no metadata, some servers want
    credentials first. Any other trouble ends the search.

    Args:
        issuer: the configured issuer.
        endpoint: the metadata member, such as `jwks_uri` or `token_endpoint`.
        get: fetches a URL; what it raises passes through. Called once per URL that is asked, three times at most.
        mutual_tls: prefer the URL for connections with a client certificate, which may have another origin (RFC 8705 section 5). Nothing
            secret is sent there.

    Raises:
        DiscoveryFailed: no metadata at any of the URLs, another issuer's metadata, or an endpoint that is missing, not https or of
            another origin; its `code` tells.
    """
    statuses = []
    for url in well_known_urls(issuer):
        response = get(url)
        if response.status == 200:
            return _endpoint(issuer, endpoint, response.body, mutual_tls=mutual_tls)
        if not 400 <= response.status < 500:
            raise DiscoveryFailed(
                f"the issuer's metadata was answered with status {response.status}", code="metadata_status"
            )
        statuses.append(str(response.status))
    raise DiscoveryFailed(
        f"the issuer has no metadata at any well-known URL (status {', '.join(statuses)})", code="no_metadata"
    )


class Endpoint:
    """One endpoint of an issuer: a configured URL, or the one that its metadata names. Safe to share between threads.

    A URL from the metadata is asked for again after an hour. If that fails, the old one stays: it is a better guess than none.

    Args:
        issuer: the configured issuer.
        name: the metadata member, such as `jwks_uri`.
        configured: the configured URL, which needs no metadata; or None.
        mutual_tls: as for `discover`.

    Attributes:
        found_at: when the metadata named the URL, on the clock for ages.
    """

    def __init__(self, issuer: str, name: str, *, configured: str | None, mutual_tls: bool = False) -> None:
        self._issuer = issuer
        self._name = name
        self._configured = configured
        self._mutual_tls = mutual_tls
        self._url: str | None = None
        self.found_at: float = -math.inf

    def find(self, get: Get, now: float, *, max_age_s: float = METADATA_TTL_S) -> str:
        """The URL, from the metadata if it is not known or older than `max_age_s` seconds.

        Raises:
            DiscoveryFailed: as `discover`, if no URL is known.
        """
        if self._configured is not None:
            return self._configured
        if self._url is not None and self.age_s(now) < max_age_s:
            return self._url
        try:
            self._url = discover(self._issuer, self._name, get, mutual_tls=self._mutual_tls)
        except Exception:
            if self._url is None:
                raise
        else:
            self.found_at = now
        return self._url

    def age_s(self, now: float) -> float:
        """Seconds since the metadata named the URL; 0 for a configured one."""
        return 0.0 if self._configured is not None else now - self.found_at

    def doubt(self) -> None:
        """Ask the metadata at the next use: the endpoint may have moved."""
        self.found_at = -math.inf

    def forget(self) -> None:
        """Forget the URL."""
        self._url = None


def _endpoint(issuer: str, endpoint: str, body: bytes, *, mutual_tls: bool) -> str:
    try:
        metadata = parse_object(body.removeprefix(codecs.BOM_UTF8))
    except NotStrictJson as error:
        raise DiscoveryFailed(f"the issuer's metadata is {error}", code="metadata_not_json") from None
    if metadata.get("issuer") != issuer:
        raise DiscoveryFailed("the metadata is another issuer's", code="other_issuer")
    aliases = metadata.get("mtls_endpoint_aliases") if mutual_tls else None
    alias = aliases.get(endpoint) if isinstance(aliases, dict) else None
    url = metadata.get(endpoint) if alias is None else alias  # a null member counts as absent
    if url is None:
        raise DiscoveryFailed(f"the metadata has no {endpoint}", code="no_endpoint")
    try:
        parts = secure_url(endpoint, url, allow_http=issuer.startswith("http://"))  # the origins are compared below
    except ConfigurationError as error:
        raise DiscoveryFailed(f"the metadata's {error}", code="bad_endpoint") from None
    if alias is not None and parts.scheme == "http" and not issuer.startswith("http://"):
        raise DiscoveryFailed(f"the metadata's {endpoint} for certificates is not https", code="bad_endpoint")
    if not isinstance(url, str) or (alias is None and origin_of(url) != origin_of(issuer)):
        raise DiscoveryFailed(f"the metadata's {endpoint} has another origin than the issuer", code="other_origin")
    return url
