"""Connections for `transport`: urllib3's own, with one deadline over every step and with addresses that are never connected to.

Knows sockets; knows nothing of requests, answers or keys.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import time
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from m2mguard.configuration import is_loopback

_METADATA_SERVICES = tuple(
    ipaddress.ip_network(network)  # those that are not link-local: AWS, Google, Alibaba, Oracle, Azure
    for network in ("fd00:ec2::/32", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits


class Deadline:
    """The moment by which everything must be over."""

    __slots__ = ("_at", "connect_timeout_s")

    def __init__(self, timeout_s: float, *, connect_timeout_s: float) -> None:
        self._at = time.monotonic() + timeout_s
        self.connect_timeout_s: float = connect_timeout_s

    def remaining(self) -> float:
        """Seconds left. Raises TimeoutError where none are."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the exchange took too long")
        return left


class HTTPConnectionWithDeadline(HTTPConnection):
    """A plain connection, to loopback only, whatever a name resolves to."""

    def __init__(self, *args: Any, deadline: Deadline, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline = deadline

    def _new_conn(self) -> socket.socket:
        return _connect(self, self._deadline, loopback_only=True)

    def response_class(self, sock: socket.socket, **kwargs: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        """What `http.client` reads the answer with."""
        return http.client.HTTPResponse(_SocketWithDeadline(sock, self._deadline), **kwargs)  # type: ignore[arg-type]


class HTTPSConnectionWithDeadline(HTTPSConnection):
    """A TLS connection. The handshake, too, must be over by the deadline."""

    def __init__(self, *args: Any, deadline: Deadline, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline = deadline

    def _new_conn(self) -> socket.socket:
        return _connect(self, self._deadline, loopback_only=False)

    def response_class(self, sock: socket.socket, **kwargs: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        """What `http.client` reads the answer with."""
        return http.client.HTTPResponse(_SocketWithDeadline(sock, self._deadline), **kwargs)  # type: ignore[arg-type]


class _SocketWithDeadline:
    """The part of a socket that `http.client.HTTPResponse` uses."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_RawWithDeadline(self._sock, self._deadline))


class _RawWithDeadline(io.RawIOBase):
    """Reads from a socket, each time with no more patience than is left: a dripping peer gains nothing."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.remaining())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _connect(connection: HTTPConnection, deadline: Deadline, *, loopback_only: bool) -> socket.socket:
    host, port = connection.host, connection.port
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise NameResolutionError(host, connection, socket.gaierror("name not known")) from None
    failure: Exception = NewConnectionError(connection, "the name has no address that may be connected to")
    for family, kind, protocol, _, address in addresses:
        target = str(address[0])
        if not may_connect(target) or (loopback_only and not is_loopback(target)):
            continue
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(min(deadline.connect_timeout_s, deadline.remaining()))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(deadline.remaining())
        except TimeoutError:
            sock.close()
            failure = ConnectTimeoutError(connection, "the connection took too long")
        except OSError as error:
            sock.close()
            failure = NewConnectionError(connection, f"cannot connect: {error.strerror or type(error).__name__}")
        else:
            return sock
    raise failure


def is_address(host: str) -> bool:
    """Tell whether a host is an address literal, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def may_connect(address: str) -> bool:
    """Refuse link-local, cloud-metadata, multicast and unspecified addresses, in IPv6's clothes as well."""
    target = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(target, ipaddress.IPv6Address):
        target = _embedded(target) or target
    if target.is_link_local or target.is_multicast or target.is_unspecified:
        return False
    return not any(target in network for network in _METADATA_SERVICES)


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour
