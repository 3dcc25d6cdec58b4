"""The default transport. Importing it loads no HTTP library; `exchange` uses one."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable, Collection, Mapping
from urllib.parse import urlsplit

from m2mguard._validation import OriginParts, is_loopback, origin_of, secure_url, strings
from m2mguard._version import __version__
from m2mguard.errors import ConfigurationError
from m2mguard.net._client_certificate import ClientCertificate
from m2mguard.net._credential_files import FilePath
from m2mguard.net._protocol import Response, Transport


class HttpTransport:
    """The default transport. Safe to share between threads; every exchange has a connection of its own.

    Proxies are taken from the environment, but never for loopback: HTTPS_PROXY (HTTP_PROXY for plain http), else ALL_PROXY. NO_PROXY
    lists the hosts that are asked directly, separated by commas or white space: `example.com` and `.example.com` (the host and all
    below it), `*.example.com` (all below it), an address, a range such as `10.0.0.0/8` or `fd00::/8` (of URLs with an address: no name is
    resolved for it), `host:port`, and `*` for everything. Each variable may be written in lower case, which takes precedence.

    If a host has several addresses, the next one is tried while the last has not answered yet, IPv6 and IPv4 in turn (RFC 8305).
    The system's resolver has no deadline: a name look-up that hangs is given up by the caller that waits, not by the exchange.

    Args:
        ca_file: a PEM file of certification authorities to trust instead of the system's. Default None.
        connect_timeout: seconds for the connection, shared among all addresses of a host. Default 2.
        client_certificate: the paths of the PEM files with a certificate and its key (None: in the same file), to be shown to servers that
            ask for one (RFC 8705). Read again when they change; while that fails, the last good ones stay in use. Default None.
        http_origins: origins, such as "http://logto:3001", that may be asked over plain http although they are not loopback. For
            networks in which no other party can read or answer. Link-local addresses and metadata services stay out of reach. Default none.

    Raises:
        ConfigurationError: a file cannot be read, or an origin is not `http://HOST` or `http://HOST:PORT`.
    """

    def __init__(
        self,
        ca_file: str | None = None,
        *,
        connect_timeout: float = 2.0,
        client_certificate: tuple[FilePath, FilePath | None] | None = None,
        http_origins: Collection[str] = (),
    ) -> None:
        self._tls: Callable[[], ssl.SSLContext] = _system_tls_context
        if ca_file is not None:
            own = _tls_context(ca_file)
            self._tls = lambda: own
        if client_certificate is not None:
            certificate, key = client_certificate
            self._tls = ClientCertificate(certificate, key, lambda: _tls_context(ca_file)).context
        self._connect_timeout_s = connect_timeout
        self._http_origins = frozenset(map(_http_origin, strings("http_origins", http_origins, what="origins")))

    def may_ask(self, url: str) -> bool:
        """Tell whether this transport asks a URL: over https always, over plain http on loopback or at one of its `http_origins`."""
        parts = urlsplit(url)
        return parts.scheme == "https" or is_loopback(parts.hostname or "") or origin_of(url) in self._http_origins

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout_s: float, max_bytes: int
    ) -> Response:
        """Make one exchange. Blocks for at most `timeout_s` seconds, the name look-up excepted.

        Raises:
            TransportError: no connection, no valid certificate, no complete answer in time, or one that is too long; its `code` tells.
        """
        # urllib3 opens a socket when it is imported, so not before the first use
        from m2mguard.net._exchange import exchange

        return exchange(
            method,
            url,
            headers={"User-Agent": f"m2mguard/{__version__}", "Accept-Encoding": "gzip", **headers},
            body=body,
            timeout_s=timeout_s,
            connect_timeout_s=self._connect_timeout_s,
            max_bytes=max_bytes,
            tls=self._tls,
            http_origins=self._http_origins,
        )


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError):
        raise ConfigurationError("ca_file cannot be read as PEM certificates; check the path and the file.") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@functools.cache
def _system_tls_context() -> ssl.SSLContext:
    """The context that trusts the system's authorities: one for the process, made at the first use, since reading them takes 25 ms."""
    return _tls_context(None)


def private_authority_transport(ca_file: str) -> HttpTransport:
    """A transport that trusts one private authority, also if its certificates break the rules of form that Python 3.13 and newer check.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    transport = HttpTransport(ca_file)
    transport._tls().verify_flags &= ~ssl.VERIFY_X509_STRICT  # noqa: SLF001 - a context of its own
    return transport


def transport_for(
    given: Transport | None, *, http_origins: Collection[str] = (), connect_timeout: float = 2.0
) -> Transport:
    """The transport that a constructor was given, or a default one that may ask these origins over plain http.

    Raises:
        ConfigurationError: no transport, or a `HttpTransport` that does not ask one of the origins.
    """
    if given is None:
        return HttpTransport(connect_timeout=connect_timeout, http_origins=http_origins)
    if not callable(getattr(given, "request", None)):
        raise ConfigurationError("transport must have the method request of m2mguard.net.Transport.")
    if isinstance(given, HttpTransport) and (refused := [one for one in http_origins if not given.may_ask(one)]):
        raise ConfigurationError(
            f"transport: allow_http needs HttpTransport(..., http_origins={refused}), since a transport has its own list."
        )
    return given


def plain_http_origins(*urls: str | None) -> tuple[str, ...]:
    """The origins off loopback among URLs of plain http, as `HttpTransport` takes them."""
    parts = [urlsplit(url) for url in urls if url is not None]
    plain = (one for one in parts if one.scheme == "http" and not is_loopback(one.hostname or ""))
    return tuple(dict.fromkeys(f"http://{one.netloc}" for one in plain))


def _http_origin(value: str) -> OriginParts:
    parts = secure_url("http_origins", value, allow_http=True)
    if parts.scheme != "http" or parts.path not in ("", "/") or parts.query or value.endswith("?"):
        raise ConfigurationError("http_origins must hold origins such as http://logto:3001, without a path.")
    return origin_of(value)
