"""The one seam for HTTP: what a transport is asked, and what it answers. Types only; no socket, no library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


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
