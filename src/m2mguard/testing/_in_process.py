"""Answers for a resource server or client in the same process, without a socket: the issuer's own, good and bad ones.

What is answered is the issuer's decision; this module turns a `Reply` and a `Fault` into what an HTTP client would have made of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

from m2mguard._reasons import FETCH_PROBLEMS
from m2mguard._reasons.codes import TransportProblem
from m2mguard.net import Response, TransportError
from m2mguard.testing._messages import Reply, Request
from m2mguard.testing.faults import Fault


class Answering(Protocol):
    """What a `LocalIssuer` does for one request."""

    def __call__(self, request: Request, *, timeout_s: float) -> tuple[Reply, Fault | None]:
        """The answer, and how it is sent. TimeoutError: it would not begin within `timeout_s` seconds."""
        ...


class InProcessTransport:
    """A `Transport` that asks one issuer directly. No socket is opened; a fault of the issuer fails as it would over HTTP.

    Args:
        answering: gives the answer to a request.
        is_running: tells whether connections would be accepted.
    """

    def __init__(self, answering: Answering, is_running: Callable[[], bool]) -> None:
        self._answering = answering
        self._is_running = is_running

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout_s: float, max_bytes: int
    ) -> Response:
        """Make one exchange; arguments and result as `m2mguard.net.Transport.request`. Blocks while the issuer hangs.

        Raises:
            TransportError: the issuer is stopped, took too long, or sent no usable answer.
        """
        if not self._is_running():
            raise _failure("no_connection")
        parts = urlsplit(url)
        fields = {"host": parts.netloc, **{name.lower(): value for name, value in headers.items()}}
        request = Request(method=method, path=parts.path, headers=fields, body=body or b"", scheme=parts.scheme)
        began = time.monotonic()
        try:
            reply, fault = self._answering(request, timeout_s=timeout_s)
        except TimeoutError:
            raise _failure("timeout") from None
        left_s = timeout_s - (time.monotonic() - began)
        return _received(reply, fault or Fault(), timeout_s=left_s, max_bytes=max_bytes)


def _received(reply: Reply, fault: Fault, *, timeout_s: float, max_bytes: int) -> Response:
    """What an HTTP client receives of an answer."""
    if fault.disconnect or fault.truncate:
        raise _failure("broken")
    dripped = len(reply.head(length=len(reply.body)) if fault.drip == "head" else reply.body)
    if fault.drip is not None and dripped * fault.drip_interval_s > timeout_s:
        raise _failure("timeout")
    if len(reply.body) + fault.padding_bytes > max_bytes:
        raise _failure("too_long")
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return Response(status=reply.status, headers=headers, body=reply.body + b" " * fault.padding_bytes)


def _failure(code: TransportProblem) -> TransportError:
    return TransportError(FETCH_PROBLEMS[code].sentence, code=code)
