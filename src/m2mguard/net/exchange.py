"""One hardened HTTP exchange over urllib3: verified TLS, no redirects, one deadline over everything, a bounded answer.

What the answer means is not known here. Only absolute URLs that were configured, or found by discovery, come in.
"""

from __future__ import annotations

import functools
import ssl
import urllib.request
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError, SSLError

from m2mguard.configuration import is_loopback
from m2mguard.net.connection import Deadline, HTTPConnectionWithDeadline, HTTPSConnectionWithDeadline
from m2mguard.net.protocol import Response, TransportError

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
    tls: ssl.SSLContext,
) -> Response:
    """Make one exchange on a connection of its own. Arguments and errors as `HttpTransport.request`."""
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
        raise TransportError(_in_our_words(error)) from None
    fields = {name.lower(): value for name, value in response.headers.items()}
    return Response(status=response.status, headers=MappingProxyType(fields), body=content)


def _pools(url: str, deadline: Deadline, tls: ssl.SSLContext) -> urllib3.PoolManager:
    """One exchange's own connections: a shared one could be half-read, or in the hands of a forked sibling."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = {} if is_loopback(host) or urllib.request.proxy_bypass(host) else urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    pools = (
        urllib3.ProxyManager(proxy, num_pools=1, ssl_context=tls, proxy_ssl_context=tls)
        if proxy
        else urllib3.PoolManager(num_pools=1, ssl_context=tls)
    )
    pools.pool_classes_by_scheme = {
        "http": _pool_class(urllib3.HTTPConnectionPool, HTTPConnectionWithDeadline, deadline),
        "https": _pool_class(urllib3.HTTPSConnectionPool, HTTPSConnectionWithDeadline, deadline),
    }
    return pools


def _pool_class(
    pool: type[urllib3.HTTPConnectionPool],
    connection: type[HTTPConnectionWithDeadline | HTTPSConnectionWithDeadline],
    deadline: Deadline,
) -> type[urllib3.HTTPConnectionPool]:
    return type(
        pool.__name__, (pool,), {"ConnectionCls": staticmethod(functools.partial(connection, deadline=deadline))}
    )


def _read(response: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
    """Read the body in pieces that are bounded after decompression, so that neither a flood nor a bomb gets far."""
    content = bytearray()
    while piece := response.read(_CHUNK_BYTES, decode_content=True):
        content += piece
        if len(content) > max_bytes:
            raise TransportError(f"the answer is longer than {max_bytes} bytes")
    return bytes(content)


def _in_our_words(error: Exception) -> str:
    """Say what went wrong without repeating text that may hold a URL with secrets, or what the peer sent."""
    if isinstance(error, NameResolutionError):
        return "the host name cannot be resolved"
    if isinstance(error, NewConnectionError):
        return "no connection can be made"
    if isinstance(error, ConnectTimeoutError):
        return "the connection took too long"
    if isinstance(error, SSLError | ssl.SSLError):
        return "TLS failed: the certificate or the protocol is not acceptable"
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "the answer took too long"
    return f"the exchange broke off ({type(error).__name__})"
