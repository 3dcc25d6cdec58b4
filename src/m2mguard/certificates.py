"""Readers of a client's certificate, for tokens that are bound to one (RFC 8705): `certificate=certificates.from_nginx("X-Client-Cert")`.

The server that ends TLS has checked that the client holds the certificate's key, and passes the certificate on in a field. Each reader
believes that field from a declared proxy only, and knows how its proxy writes it. The proxy must replace the field whenever a client
sends one; the guide Certificate-bound tokens shows how each does. Of the certificate nothing but its bytes counts: whose it is, and
until when it is valid, is the matter of TLS (RFC 8705 section 3).

A reader is called for a token that is bound to a certificate, and for no other. Immutable, safe to share between threads; nothing blocks.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from m2mguard._reasons.codes import TokenProblem
from m2mguard._validation import one_or_more
from m2mguard.errors import ConfigurationError
from m2mguard.exemptions import RequestHead

__all__ = [
    "LOCAL",
    "CertificateReader",
    "UnusableCertificate",
    "from_caddy",
    "from_envoy",
    "from_grpc",
    "from_gunicorn",
    "from_haproxy",
    "from_nginx",
    "from_traefik",
]

CertificateReader = Callable[[RequestHead], bytes | None]
"""Reads the certificate that a client has shown: its DER form, or None if it has shown none. It must not block."""

LOCAL: Final = ("127.0.0.0/8", "::1")
"""The default of `proxies`: the same machine. A Unix socket has no address and always counts as such."""
ANY: Final = "any"

_MAX_CHARACTERS: Final = 16_384
_WITHOUT_ADDRESS: Final = (None, "", "testclient")  # Unix sockets, and the test clients of Starlette and Litestar
_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.6.2
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----\s*")
_XFCC_PAIR = re.compile(r'([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^",;]*)')
_Network = IPv4Network | IPv6Network


class UnusableCertificate(Exception):
    """What came with a request cannot be used as a certificate. A reader raises it, and the token is refused with its problem.

    Attributes:
        problem: "undeclared_proxy" or "certificate_field".
        expected: what would have been used.
        got: what came, if that may be logged.
    """

    def __init__(
        self, problem: TokenProblem, *, expected: tuple[str, ...] = (), got: tuple[str, ...] | None = None
    ) -> None:
        super().__init__(problem)
        self.problem: TokenProblem = problem
        self.expected = expected
        self.got = got


def from_nginx(field: str = "X-Client-Cert", *, proxies: Collection[str] | str = LOCAL) -> CertificateReader:
    """Read what nginx writes by `proxy_set_header X-Client-Cert $ssl_client_escaped_cert;`: percent-encoded PEM.

    Args:
        field: the name of the field.
        proxies: the addresses and networks from which the field is believed, such as `["10.0.0.0/8"]`. Default `LOCAL`: this machine.
            `"any"`: nothing but the proxy can reach this server, and addresses are not looked at. Needed where the server puts the client's
            address in place of the proxy's, from `X-Forwarded-For`, as uvicorn does for a proxy on the same machine, unless it is
            started with `--no-proxy-headers`.

    Raises:
        ConfigurationError: no name of a field, or no network.
    """
    return _from_field(field, proxies, _escaped_pem)


def from_haproxy(field: str = "Client-Cert", *, proxies: Collection[str] | str = LOCAL) -> CertificateReader:
    """Read what HAProxy writes by `http-request set-header Client-Cert :%[ssl_c_der,base64]:` (RFC 9440 section 2).

    Arguments and errors as `from_nginx`.
    """
    return _from_field(field, proxies, _byte_sequence)


def from_caddy(field: str = "Client-Cert", *, proxies: Collection[str] | str = LOCAL) -> CertificateReader:
    """Read what Caddy writes by `header_up Client-Cert ":{tls_client_certificate_der_base64}:"` (RFC 9440 section 2).

    Arguments and errors as `from_nginx`.
    """
    return _from_field(field, proxies, _byte_sequence)


def from_envoy(field: str = "X-Forwarded-Client-Cert", *, proxies: Collection[str] | str = LOCAL) -> CertificateReader:
    """Read what Envoy writes with `forward_client_cert_details: SANITIZE_SET` and `set_current_client_cert_details: {cert: true}`.

    A field that several proxies have added to is not used. In WSGI no value may have a comma, so do not set `subject: true`
    there. Arguments and errors as `from_nginx`.
    """
    return _from_field(field, proxies, _forwarded_by_envoy)


def from_traefik(
    field: str = "X-Forwarded-Tls-Client-Cert", *, proxies: Collection[str] | str = LOCAL
) -> CertificateReader:
    """Read what Traefik writes by its middleware `passTLSClientCert` with `pem: true`; of a chain, the client's own certificate.

    In WSGI a chain is refused: it is separated by commas, and so are fields that a server joined. Arguments and errors as `from_nginx`.
    """
    return _from_field(field, proxies, _forwarded_by_traefik)


def from_gunicorn() -> CertificateReader:
    """Read the certificate of the connection itself, where gunicorn ends TLS (`--cert-reqs 2 --ca-certs ca.pem`). WSGI only."""

    def read(head: RequestHead) -> bytes | None:
        environ: dict[str, Any] = getattr(head, "environ", {})
        get = getattr(environ.get("gunicorn.socket"), "getpeercert", None)
        found: bytes | None = get(True) if get is not None else None
        return found or None

    return read


def from_grpc() -> CertificateReader:
    """Read the certificate of a gRPC call's own connection: `Guard(server, certificate=certificates.from_grpc())`, and `AioGuard` alike.

    For servers whose credentials ask for a certificate (`require_client_auth=True`), so that gRPC has verified it. Nothing that a client
    writes into a call's metadata counts. For calls that come through a proxy that ends TLS, use that proxy's reader. gRPC only.
    """
    return of_grpc_call


def of_grpc_call(head: RequestHead) -> bytes | None:
    """What `from_grpc` returns. Not for HTTP, where a request has no such member."""
    pem = getattr(head, "connection_certificate", None)
    if not pem:
        return None
    try:
        return _of_pem(pem)
    except (ValueError, binascii.Error):
        raise UnusableCertificate("certificate_field") from None


def _from_field(field: str, proxies: Collection[str] | str, decode: Callable[[str], bytes | None]) -> CertificateReader:
    if not isinstance(field, str) or not _FIELD_NAME.fullmatch(field):
        raise ConfigurationError("field must be the name of a header field, such as X-Client-Cert.")
    name = field.lower()
    networks = None if proxies == ANY else _networks(proxies)

    def read(head: RequestHead) -> bytes | None:
        values = list(_values(head, name))
        if not any(values):
            return None
        peer = head.peer
        if networks is not None and not _is_declared(peer, networks):
            raise UnusableCertificate("undeclared_proxy", expected=tuple(map(str, networks)), got=(str(peer),))
        if len(values) > 1 or len(values[0]) > _MAX_CHARACTERS or (_is_wsgi(head) and "," in values[0]):
            raise UnusableCertificate("certificate_field")
        try:
            return decode(values[0])
        except (ValueError, binascii.Error):
            raise UnusableCertificate("certificate_field") from None

    return read


def _is_wsgi(head: RequestHead) -> bool:
    """Tell whether the fields are in a WSGI environ, where a client's X_Client_Cert and the proxy's X-Client-Cert are joined by a comma."""
    return getattr(head, "environ", None) is not None


def _networks(proxies: object) -> tuple[_Network, ...]:
    texts = one_or_more("proxies", proxies, what='addresses or networks, such as "10.0.0.0/8"')
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise ConfigurationError(f"proxies: {error}") from None


def _is_declared(peer: str | None, networks: tuple[_Network, ...]) -> bool:
    if peer in _WITHOUT_ADDRESS:
        return True
    try:
        address: Any = ip_address(str(peer))
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in networks)


def _values(head: RequestHead, name: str) -> Iterator[str]:
    """The values of a field. A WSGI environ has them under one name, in which hyphens are underscores."""
    environ = getattr(head, "environ", None)
    if environ is not None:
        value = environ.get("HTTP_" + name.upper().replace("-", "_"))
        return iter(() if value is None else (value,))
    return (value for found, value in head.fields if found.lower() == name)


def _escaped_pem(value: str) -> bytes:
    return _of_pem(unquote_to_bytes(value))


def _of_pem(pem: bytes) -> bytes:
    found = _PEM.fullmatch(pem)
    if found is None:
        raise ValueError("no PEM")
    return base64.b64decode(re.sub(rb"[\r\n]", b"", found[1]), validate=True)


def _byte_sequence(value: str) -> bytes | None:
    value = value.strip(" \t")
    if len(value) < 2 or value[0] != ":" or value[-1] != ":":
        raise ValueError("no byte sequence (RFC 8941 section 3.3.5)")
    return base64.b64decode(value[1:-1], validate=True) or None


def _forwarded_by_envoy(value: str) -> bytes | None:
    certificates, rest = [], value
    while rest:
        pair = _XFCC_PAIR.match(rest)
        if pair is None:
            raise ValueError("no element")
        if pair[1].lower() == "cert":
            certificates.append(pair[2].strip('"'))
        rest = rest[pair.end() :]
        if rest[:1] not in ("", ";"):
            raise ValueError("several elements, so that one may be the client's own")
        rest = rest[1:]
    if len(certificates) > 1:
        raise ValueError("several certificates")
    return _escaped_pem(certificates[0]) if certificates else None


def _forwarded_by_traefik(value: str) -> bytes | None:
    return base64.b64decode(unquote_to_bytes(value.split(",", 1)[0]), validate=True) or None


def __dir__() -> list[str]:
    return sorted(__all__)
