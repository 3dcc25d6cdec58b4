"""HTTP/1.1 messages as plain data, and how one is read from a connection.

Knows the grammar a client of ours uses (no chunked requests); nothing of what is asked or answered.
"""

import asyncio
import http.client
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

MAX_REQUEST_BODY_BYTES: Final = 1_048_576
_BODYLESS: Final = (204, 304)


class BadRequestError(Exception):
    """The bytes on the connection are no request this server understands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that has arrived whole.

    Args:
        method: as sent.
        path: the target without its query.
        headers: by lower-case name; of a repeated field the last one counts.
        body: the bytes after the header.
        scheme: `http` or `https`.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    scheme: str

    @classmethod
    async def read(cls, reader: asyncio.StreamReader, *, scheme: str) -> Self | None:
        """Read the next request of a connection; None when the client has closed it.

        Raises:
            BadRequestError: what came is no HTTP/1.1 request, or its body is too large or chunked.
        """
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError as error:
            raise BadRequestError("the header is too large") from error
        request_line, _, fields = head.partition(b"\r\n")
        try:
            method, target, _version = request_line.decode("ascii").split(" ")
            headers = {name.lower(): value for name, value in http.client.parse_headers(io.BytesIO(fields)).items()}
            length = int(headers.get("content-length", "0"))
        except (ValueError, http.client.HTTPException) as error:
            raise BadRequestError("malformed request") from error
        if "transfer-encoding" in headers or not 0 <= length <= MAX_REQUEST_BODY_BYTES:
            raise BadRequestError("unsupported body")
        body = await reader.readexactly(length)
        return cls(method=method, path=target.partition("?")[0], headers=headers, body=body, scheme=scheme)

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow on this connection."""
        return self.headers.get("connection", "").lower() != "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer to be sent.

    Args:
        status: three digits.
        headers: without those that describe the connection and the length.
        body: the bytes after the header.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    def head(self, *, length: int | None, close: bool = False) -> bytes:
        """Return the status line and the header; without a length the end of the connection ends the body."""
        framing = {}
        if length is not None and self.status not in _BODYLESS:
            framing["Content-Length"] = str(length)
        if close or length is None:
            framing["Connection"] = "close"
        lines = [f"HTTP/1.1 {self.status} {http.client.responses.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in {**self.headers, **framing}.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")
