"""Connections for `exchange`: urllib3's own, with one deadline over every step, and rules for the addresses they connect to.

Sockets only: no requests, answers or keys.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from m2mguard._validation import is_loopback
from m2mguard.net._addresses import Address, may_connect
from m2mguard.net._happy_eyeballs import connect


class NoAllowedAddress(NewConnectionError):
    """The host has no address that may be connected to."""


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
    """A plain connection. With `loopback_only`, it connects to loopback only, whatever a name resolves to."""

    def __init__(self, *args: Any, deadline: Deadline, loopback_only: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline = deadline
        self._loopback_only = loopback_only

    def _new_conn(self) -> socket.socket:
        return _connect(self, self._deadline, loopback_only=self._loopback_only)

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
    """Applies the remaining deadline to every read, so that a server that sends byte by byte cannot extend it."""

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
        resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise NameResolutionError(host, connection, socket.gaierror("name not known")) from None
    addresses = [
        address
        for address in map(Address._make, resolved)
        if may_connect(address.host) and (is_loopback(address.host) or not loopback_only)
    ]
    if not addresses:
        raise NoAllowedAddress(connection, "the name has no address that may be connected to")
    try:
        connected = connect(addresses, timeout_s=min(deadline.connect_timeout_s, deadline.remaining()))
    except TimeoutError:
        raise ConnectTimeoutError(connection, "the connection took too long") from None
    except OSError as error:
        raise NewConnectionError(connection, f"cannot connect: {error.strerror or type(error).__name__}") from None
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(deadline.remaining())
    except OSError:  # a TimeoutError is one, too
        connected.close()
        raise
    return connected
