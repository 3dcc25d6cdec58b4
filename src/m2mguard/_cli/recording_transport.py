"""A transport that records its exchanges, so that a command can show where keys came from, or why a fetch failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from m2mguard._reasons.codes import TransportProblem
from m2mguard._token.strict_json import NotStrictJson, parse_object, without_byte_order_mark
from m2mguard.net._protocol import Response, Transport, TransportError
from m2mguard.net._retry_after import http_date_s

_MAX_AGE_DIGITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One recorded request and its response.

    Attributes:
        url: the URL of the request.
        outcome: the result, as a text of ours.
        problem: why there was no response, or None if there was one.
        status: the status of the response, or None without a response.
        headers: the fields of the response by lower-case names. The issuer chooses the values: escape them before you print them.
        body: the body of the response. Never print it unescaped.
        elapsed_s: duration in seconds.
        clock_offset_s: how many seconds this machine's clock is ahead of the response's `Date` plus `Age`; accurate to one second
            plus the duration; None without a `Date`.
    """

    url: str
    outcome: str
    problem: TransportProblem | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    elapsed_s: float = 0.0
    clock_offset_s: float | None = None

    def read_member(self, name: str) -> object:
        """Return a member of a JSON object in the body; None if it is missing or the body is not a JSON object."""
        try:
            return parse_object(without_byte_order_mark(self.body or b"")).get(name)
        except NotStrictJson:
            return None


class RecordingTransport:
    """Sends requests through another transport, and records each exchange.

    Args:
        transport: the transport that sends them.
        wall_clock: seconds since the epoch, default `time.time`.
    """

    def __init__(self, transport: Transport, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._transport = transport
        self._wall_clock = wall_clock
        self.exchanges: list[Exchange] = []

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout_s: float, max_bytes: int
    ) -> Response:
        """Send one request. Blocks and raises as the other transport does."""
        began = time.monotonic()
        try:
            response = self._transport.request(
                method, url, headers=headers, body=body, timeout_s=timeout_s, max_bytes=max_bytes
            )
        except TransportError as error:
            elapsed = time.monotonic() - began
            self.exchanges.append(Exchange(url=url, outcome=str(error), problem=error.code, elapsed_s=elapsed))
            raise
        self.exchanges.append(
            Exchange(
                url=url,
                outcome=f"status {response.status}",
                status=response.status,
                headers=response.headers,
                body=response.body,
                elapsed_s=time.monotonic() - began,
                clock_offset_s=self._measure_offset_s(response.headers),
            )
        )
        return response

    def _measure_offset_s(self, headers: Mapping[str, str]) -> float | None:
        date = http_date_s(headers.get("date", "").strip())
        if date is None:
            return None
        age = headers.get("age", "").strip()  # a cache does not change the issuer's Date (RFC 9111 section 5.1)
        age_s = int(age) if age.isascii() and age.isdigit() and len(age) < _MAX_AGE_DIGITS else 0
        return self._wall_clock() - (date + age_s)


def measure_clock_offset_s(exchanges: list[Exchange]) -> float | None:
    """Return how many seconds this machine's clock is ahead of the issuer's: the smallest offset; None without any."""
    offsets = [exchange.clock_offset_s for exchange in exchanges if exchange.clock_offset_s is not None]
    return min(offsets, key=abs, default=None)
