"""One hardened HTTP exchange over urllib3: verified TLS, no redirects, one deadline over everything, a bounded answer.

What the answer means is not known here. Only absolute URLs that were configured, or found by discovery, come in.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from m2mguard._validation import OriginParts, is_loopback, origin_of
from m2mguard.net._addresses import is_address, may_connect
from m2mguard.net._connection import Deadline, HTTPConnectionWithDeadline, HTTPSConnectionWithDeadline
from m2mguard.net._failures import transport_error
from m2mguard.net._protocol import Response, TransportError
from m2mguard.net._proxies import proxy_for

_CHUNK_BYTES = 16_384


def exchange(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout_s: float,
    connect_timeout_s: float,
    max_bytes: int,
    tls: Callable[[], ssl.SSLContext],
    http_origins: Collection[OriginParts],
) -> Response:
    """Make one exchange on a connection of its own. Arguments and errors as `HttpTransport.request`."""
    _check_target(url, http_origins)
    deadline = Deadline(timeout_s, connect_timeout_s=connect_timeout_s)
    try:
        with _pools(url, deadline, tls) as pools:
            response = pools.request(
                method,
                url,
                headers=headers,
                body=body,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=timeout_s,
            )
            try:
                content = _read(response, max_bytes)
            finally:
                response.close()
    except (HTTPError, OSError, ValueError) as error:
        raise transport_error(error) from None
    fields = {name.lower(): value for name, value in response.headers.items()}
    return Response(status=response.status, headers=MappingProxyType(fields), body=content)


def _check_target(url: str, http_origins: Collection[OriginParts]) -> None:
    """Refuse a URL that is never asked, also not through a proxy, whose connections we do not see."""
    try:
        parts, origin = urlsplit(url), origin_of(url)
    except ValueError:
        raise TransportError("the URL is invalid; check its host and port", code="refused_target") from None
    host = parts.hostname or ""
    if parts.scheme != "https" and not (parts.scheme == "http" and (is_loopback(host) or origin in http_origins)):
        raise TransportError(
            "only https is asked, and http on loopback or where allow_http says so", code="refused_target"
        )
    if "@" in parts.netloc:
        raise TransportError("a URL must not carry credentials", code="refused_target")
    if is_address(host) and not may_connect(host):
        raise TransportError(
            "the address is link-local or of a metadata service, and is never asked", code="refused_target"
        )


def _pools(url: str, deadline: Deadline, make_tls: Callable[[], ssl.SSLContext]) -> urllib3.PoolManager:
    """One pool per exchange: a shared connection could be half-read, or shared with a forked child."""
    proxy = proxy_for(url)
    tls = None if proxy is None and url.startswith("http://") else make_tls()
    pools = (
        urllib3.PoolManager(num_pools=1, ssl_context=tls)
        if proxy is None
        else urllib3.ProxyManager(
            proxy.url,
            num_pools=1,
            ssl_context=tls,
            proxy_ssl_context=tls,
            proxy_headers=urllib3.make_headers(proxy_basic_auth=unquote(proxy.auth)) if proxy.auth else None,
        )
    )
    plain = functools.partial(
        HTTPConnectionWithDeadline, deadline=deadline, loopback_only=is_loopback(urlsplit(url).hostname or "")
    )
    secure = functools.partial(HTTPSConnectionWithDeadline, deadline=deadline)
    pools.pool_classes_by_scheme = {
        "http": type("HTTPPool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": staticmethod(plain)}),
        "https": type("HTTPSPool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": staticmethod(secure)}),
    }
    return pools


def _read(response: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
    """Read the body in pieces that are bounded after decompression, so that neither a flood nor a bomb gets far."""
    content = bytearray()
    while piece := response.read(_CHUNK_BYTES, decode_content=True):
        content += piece
        if len(content) > max_bytes:
            raise TransportError(f"the answer is longer than {max_bytes} bytes", code="too_long")
    return bytes(content)
