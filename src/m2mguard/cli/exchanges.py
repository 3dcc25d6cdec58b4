"""A transport that notes what was asked and how that ended, so that a command can say where keys came from, or why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from m2mguard.net.protocol import Response, Transport, TransportError
from m2mguard.reasons.codes import TransportProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One exchange: the URL, how it ended in our own words, and the body of the answer, which is never shown as it is.

    `code` is that of the `TransportError`, or None if there was an answer.
    """

    url: str
    outcome: str
    code: TransportProblem | None = None
    body: bytes | None = field(default=None, repr=False)


class NotingTransport:
    """Makes exchanges through another transport, and notes each.

    Args:
        transport: the one that makes them.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.exchanges: list[Exchange] = []

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout_s: float, max_bytes: int
    ) -> Response:
        """Make one exchange. Blocks and raises as the other transport does."""
        try:
            response = self._transport.request(
                method, url, headers=headers, body=body, timeout_s=timeout_s, max_bytes=max_bytes
            )
        except TransportError as error:
            self.exchanges.append(Exchange(url=url, outcome=str(error), code=error.code))
            raise
        self.exchanges.append(Exchange(url=url, outcome=f"status {response.status}", body=response.body))
        return response
