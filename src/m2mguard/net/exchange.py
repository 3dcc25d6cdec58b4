"""One hardened HTTP exchange over urllib3: verified TLS, no redirects, one deadline over everything, a bounded answer.

What the answer means is not known here. Only absolute URLs that were configured, or found by discovery, come in.
"""

from __future__ import annotations

import functools
import ssl
import urllib.request
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.util import Url, parse_url

from m2mguard.configuration import is_loopback
from m2mguard.net.connection import (
    Deadline,
    HTTPConnectionWithDeadline,
    HTTPSConnectionWithDeadline,
    is_address,
    may_connect,
)
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
    _check_target(url)
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


def _check_target(url: str) -> None:
    """Refuse what must not be asked even by way of a proxy, which connects where we cannot see it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise TransportError("only https is asked, and http on loopback")
    if "@" in parts.netloc:
        raise TransportError("a URL must not carry credentials")
    if is_address(host) and not may_connect(host):
        raise TransportError("the address is link-local or of a metadata service, and is never asked")


def _pools(url: str, deadline: Deadline, tls: ssl.SSLContext) -> urllib3.PoolManager:
    """One exchange's own connections: a shared one could be half-read, or in the hands of a forked sibling."""
    proxy = _proxy_for(url)
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
    pools.pool_classes_by_scheme = {
        "http": _pool_class(urllib3.HTTPConnectionPool, HTTPConnectionWithDeadline, deadline),
        "https": _pool_class(urllib3.HTTPSConnectionPool, HTTPSConnectionWithDeadline, deadline),
    }
    return pools


def _proxy_for(url: str) -> Url | None:
    parts = urlsplit(url)
    if is_loopback(parts.hostname or "") or urllib.request.proxy_bypass(parts.netloc):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    return parse_url(proxy if "://" in proxy else f"http://{proxy}")


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
    if isinstance(error, ProxyError):
        return "the proxy refused, or cannot be reached"
    return f"the exchange broke off ({type(error).__name__})"
