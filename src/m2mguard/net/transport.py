"""One hardened HTTP exchange over urllib3: verified TLS, no redirects, one deadline over everything, a bounded answer.

What the answer means is not known here. Only absolute URLs that were configured, or found by discovery, come in.
"""

from __future__ import annotations

import functools
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from types import MappingProxyType
from typing import Protocol
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError, SSLError

from m2mguard.configuration import is_loopback
from m2mguard.errors import ConfigurationError
from m2mguard.net.connection import Deadline, HTTPConnectionWithDeadline, HTTPSConnectionWithDeadline

_CHUNK_BYTES = 16_384


class TransportError(Exception):
    """The exchange brought no answer. The message is in our own words and names neither body nor credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer: `status`, `headers` with lower-case names, and the decoded `body`, which the repr leaves out."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Transport(Protocol):
    """The one seam for HTTP: anything of this shape will do. Called on a thread of its own, so it may block."""

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout_s: float, max_bytes: int
    ) -> Response:
        """Make one exchange, following no redirect.

        Args:
            method: the HTTP method.
            url: an absolute URL.
            headers: the request's header fields.
            body: the request's body, or None.
            timeout_s: seconds for everything, from the name look-up to the last byte.
            max_bytes: the longest body, decoded, that may be returned.

        Raises:
            Exception: any, where there is no answer. It counts as a failed attempt; the text is told only of a `TransportError`.
        """
        ...


class HttpTransport:
    """The default transport. Safe to share between threads; every exchange has a connection of its own.

    Proxies are taken from the environment (`HTTPS_PROXY`, `NO_PROXY`), but never for loopback. The system's resolver knows no
    deadline: a name look-up that hangs is given up by whoever waits for the exchange, not by the exchange.

    Args:
        ca_file: a PEM file of certification authorities to trust instead of the system's. Default None.
        connect_timeout: seconds for each connection, default 2.

    Raises:
        ConfigurationError: the CA file cannot be read.
    """

    def __init__(self, ca_file: str | None = None, *, connect_timeout: float = 2.0) -> None:
        try:
            self._tls = ssl.create_default_context(cafile=ca_file)
        except (OSError, ValueError):
            raise ConfigurationError("ca_file cannot be read as PEM certificates; check the path and the file.") from None
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._connect_timeout_s = connect_timeout
        self._user_agent = f"m2mguard/{version('m2mguard')}"

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout_s: float, max_bytes: int
    ) -> Response:
        """Make one exchange. Blocks for at most `timeout_s` seconds, the name look-up excepted.

        Raises:
            TransportError: no connection, no valid certificate, no complete answer in time, or one that is too long.
        """
        deadline = Deadline(timeout_s, connect_timeout_s=self._connect_timeout_s)
        try:
            with self._pools(url, deadline) as pools:
                response = pools.request(
                    method,
                    url,
                    headers={"User-Agent": self._user_agent, "Accept-Encoding": "gzip", **headers},
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
        except TransportError:
            raise
        except (HTTPError, OSError, ValueError) as error:
            raise TransportError(_in_our_words(error)) from None
        fields = {name.lower(): value for name, value in response.headers.items()}
        return Response(status=response.status, headers=MappingProxyType(fields), body=content)

    def _pools(self, url: str, deadline: Deadline) -> urllib3.PoolManager:
        """One exchange's own connections: a shared one could be half-read, or in the hands of a forked sibling."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        proxies = {} if is_loopback(host) or urllib.request.proxy_bypass(host) else urllib.request.getproxies()
        proxy = proxies.get(parts.scheme) or proxies.get("all")
        pools = (
            urllib3.ProxyManager(proxy, num_pools=1, ssl_context=self._tls, proxy_ssl_context=self._tls)
            if proxy
            else urllib3.PoolManager(num_pools=1, ssl_context=self._tls)
        )
        pools.pool_classes_by_scheme = {
            "http": _pool_class(urllib3.HTTPConnectionPool, HTTPConnectionWithDeadline, deadline),
            "https": _pool_class(urllib3.HTTPSConnectionPool, HTTPSConnectionWithDeadline, deadline),
        }
        return pools


def _pool_class(
    pool: type[urllib3.HTTPConnectionPool], connection: type[HTTPConnectionWithDeadline | HTTPSConnectionWithDeadline], deadline: Deadline
) -> type[urllib3.HTTPConnectionPool]:
    return type(pool.__name__, (pool,), {"ConnectionCls": functools.partial(connection, deadline=deadline)})


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
    if isinstance(error, ConnectTimeoutError):
        return "the connection took too long"
    if isinstance(error, NewConnectionError):
        return "no connection can be made"
    if isinstance(error, SSLError | ssl.SSLError):
        return "TLS failed: the certificate or the protocol is not acceptable"
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "the answer took too long"
    return f"the exchange broke off ({type(error).__name__})"
