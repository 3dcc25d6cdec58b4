"""Connects to the first of a host's addresses that answers (RFC 8305, "Happy Eyeballs"), on the calling thread alone.

An address that does not answer costs a quarter of a second, not the whole time-out. Sockets only: no HTTP or TLS.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence

from m2mguard.net._addresses import Address, interleaved

ATTEMPT_DELAY_S = 0.25  # RFC 8305 section 5: how long to wait for one address before the next is tried, too
LEAST_ATTEMPT_DELAY_S = 0.01  # the same section: never less
_IN_PROGRESS = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)  # 0: connected at once. EWOULDBLOCK: Windows


def connect(addresses: Sequence[Address], *, timeout_s: float) -> socket.socket:
    """Connect to the address that answers first. Every other attempt is closed, also when this raises.

    Args:
        addresses: where to connect; the families are tried in turn, in the order given.
        timeout_s: seconds for all addresses together.

    Returns:
        A connected socket, not blocking.

    Raises:
        TimeoutError: no address answered in time.
        OSError: every address refused; this is the last refusal.
    """
    now = time.monotonic()
    with _Attempts(interleaved(addresses), until=now + timeout_s) as attempts:
        while True:
            connected = attempts.next_connected()
            if connected is not None:
                return connected


def attempt_delay(count: int, timeout_s: float) -> float:
    """Seconds from one attempt to the next: a quarter, and less where many addresses must all begin in the first half of the time."""
    return max(LEAST_ATTEMPT_DELAY_S, min(ATTEMPT_DELAY_S, timeout_s / (2 * max(1, count))))


class _Attempts:
    """The connection attempts in progress, and the addresses that were not tried yet."""

    def __init__(self, addresses: Sequence[Address], *, until: float) -> None:
        now = time.monotonic()
        self._untried = deque(addresses)
        self._until = until
        self._delay_s = attempt_delay(len(addresses), until - now)
        self._next_at = now
        self._failure = OSError("no address")
        self._in_progress: list[socket.socket] = []
        self._selector = selectors.DefaultSelector()  # looked up when called, since gevent replaces it

    def __enter__(self) -> _Attempts:
        return self

    def __exit__(self, *_: object) -> None:
        for attempt in list(self._in_progress):
            self._close(attempt)
        self._selector.close()

    def next_connected(self) -> socket.socket | None:
        """Begin what is due, then wait for the next event: a connection, a refusal, or the time of the next attempt.

        Returns:
            The connected socket, or None where nothing is connected yet.

        Raises:
            TimeoutError, OSError: as `connect`.
        """
        now = time.monotonic()
        if now >= self._until:
            raise TimeoutError("no address answered in time")
        if self._untried and now >= self._next_at:
            self._next_at = now + self._delay_s
            self._begin(self._untried.popleft())
        if self._in_progress:
            wake_at = min(self._until, self._next_at) if self._untried else self._until
            for key, _ in self._selector.select(wake_at - now):
                if self._is_connected(key.data):
                    self._in_progress.remove(key.data)
                    self._selector.unregister(key.data)
                    return key.data  # type: ignore[no-any-return]
        elif not self._untried:
            raise self._failure
        return None

    def _begin(self, address: Address) -> None:
        attempt = None
        try:
            attempt = socket.socket(address.family, address.kind, address.protocol)
            attempt.settimeout(0)  # do not block
            _check(attempt.connect_ex(address.socket_address), _IN_PROGRESS)
            self._selector.register(attempt, selectors.EVENT_WRITE, attempt)
            self._in_progress.append(attempt)
        except OSError as error:  # refused at once, or no IPv6 on this machine, or no descriptor left
            if attempt is not None:
                attempt.close()
            self._failed(error)

    def _is_connected(self, attempt: socket.socket) -> bool:
        try:
            _check(attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        except OSError as error:
            self._close(attempt)
            self._failed(error)
            return False
        return True

    def _failed(self, error: OSError) -> None:
        self._failure = error
        self._next_at = time.monotonic()  # the next attempt begins at once

    def _close(self, attempt: socket.socket) -> None:
        self._in_progress.remove(attempt)
        self._selector.unregister(attempt)  # before closing, as gevent's selector requires
        attempt.close()


def _check(code: int, good: tuple[int, ...] = (0,)) -> None:
    if code not in good:
        raise OSError(code, os.strerror(code))
