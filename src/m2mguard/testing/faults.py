"""The ways in which an issuer can answer wrongly, as data, and how a faulty answer is put on the wire.

A `Fault` says what is wrong and nothing of when or where; `LocalIssuer.misbehave` decides that.
"""

import asyncio
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from m2mguard.testing._messages import Reply

__all__ = [
    "Fault",
    "body",
    "delay",
    "disconnect",
    "drip",
    "empty_key_set",
    "gzip_bomb",
    "hang",
    "html",
    "huge",
    "members",
    "redirect",
    "status",
    "truncated",
]

_CHUNK: Final = b" " * 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One misbehaviour, or several together. The functions of this module make the usual ones.

    Of `disconnect`, `truncate`, `drip` and padding (with or without `gzip`) there is at most one: each is another way
    to send.

    Args:
        delay_s: seconds to wait before anything else.
        hang: answer only when the fault is lifted.
        disconnect: close the connection without a byte.
        status: instead of the right one.
        headers: set on top of the right ones.
        body: instead of the right one.
        members: replaced in the JSON object that is the right body; an answer that has none stays as it is.
        padding_bytes: spaces after the body, streamed: JSON stays valid, but grows to any size.
        gzip: compress the body with its padding.
        truncate: send half of the promised body, then close.
        drip: send this part byte by byte.
        drip_interval_s: seconds between two such bytes.

    Raises:
        ValueError: two ways to send.
    """

    delay_s: float = 0.0
    hang: bool = False
    disconnect: bool = False
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    members: Mapping[str, object] = field(default_factory=dict)
    padding_bytes: int = 0
    gzip: bool = False
    truncate: bool = False
    drip: Literal["head", "body"] | None = None
    drip_interval_s: float = 1.0

    def __post_init__(self) -> None:
        if sum((self.disconnect, self.truncate, self.drip is not None, bool(self.padding_bytes or self.gzip))) > 1:
            raise ValueError("an answer is sent in one way: disconnect, truncate, drip or padding")

    @property
    def only_waits(self) -> bool:
        """Whether the answer is the right one, only late."""
        return self == Fault(delay_s=self.delay_s)

    def alter(self, reply: Reply) -> Reply:
        """Return the answer with this fault's status, headers and body."""
        body = reply.body if self.body is None else self.body
        if self.members and body and "json" in reply.headers.get("Content-Type", ""):
            body = json.dumps({**json.loads(body), **self.members}).encode()
        headers = {**reply.headers, **self.headers}
        if self.gzip:
            headers["Content-Encoding"] = "gzip"
        return Reply(status=reply.status if self.status is None else self.status, headers=headers, body=body)

    async def send(self, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        """Write the altered answer as this fault has it; say whether the connection is still usable."""
        if self.disconnect:
            writer.transport.abort()
            return False
        if self.truncate:
            writer.write(reply.head(length=len(reply.body)) + reply.body[: len(reply.body) // 2])
        elif self.padding_bytes or self.gzip:
            writer.write(reply.head(length=None))
            for chunk in self._stream(reply.body):
                writer.write(chunk)
                await writer.drain()
        elif self.drip is not None:
            head = reply.head(length=len(reply.body))
            slow, rest = (head, reply.body) if self.drip == "head" else (reply.body, b"")
            writer.write(b"" if self.drip == "head" else head)
            for position in range(len(slow)):
                writer.write(slow[position : position + 1])
                await writer.drain()
                await asyncio.sleep(self.drip_interval_s)
            writer.write(rest)
        else:
            writer.write(reply.head(length=len(reply.body)) + reply.body)
        await writer.drain()
        return not (self.truncate or self.padding_bytes or self.gzip)

    def _stream(self, body: bytes) -> Iterator[bytes]:
        whole, rest = divmod(self.padding_bytes, len(_CHUNK))
        chunks = (body, *(_CHUNK for _ in range(whole)), _CHUNK[:rest])
        if not self.gzip:
            yield from chunks
            return
        compressor = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        for chunk in chunks:
            yield compressor.compress(chunk)
        yield compressor.flush()


def status(code: int) -> Fault:
    """Answer with this status, and the right body."""
    return Fault(status=code)


def redirect(location: str, *, status: int = 301) -> Fault:
    """Send the client elsewhere."""
    return Fault(status=status, headers={"Location": location}, body=b"")


def delay(seconds: float) -> Fault:
    """Answer rightly, but this late."""
    return Fault(delay_s=seconds)


def hang() -> Fault:
    """Accept the request and answer only when `behave` lifts the fault."""
    return Fault(hang=True)


def disconnect() -> Fault:
    """Close the connection without a byte."""
    return Fault(disconnect=True)


def truncated() -> Fault:
    """Promise the whole body and send half of it."""
    return Fault(truncate=True)


def html() -> Fault:
    """Answer 200 with a web page, as a proxy or a captive portal does."""
    page = b"<!doctype html><title>Welcome</title><p>Please sign in."
    return Fault(headers={"Content-Type": "text/html; charset=utf-8"}, body=page)


def body(content: bytes) -> Fault:
    """Answer 200 with these bytes under the right content type; `b""` is an empty answer."""
    return Fault(body=content)


def empty_key_set() -> Fault:
    """Publish no key at all."""
    return Fault(body=b'{"keys":[]}')


def members(**replaced: object) -> Fault:
    """Replace members of the JSON document: discovery's `issuer` or `jwks_uri`."""
    return Fault(members=replaced)


def huge(size_bytes: int = 20_000_000) -> Fault:
    """Answer rightly, but with this many spaces after the JSON, and no announced length."""
    return Fault(padding_bytes=size_bytes)


def gzip_bomb(size_bytes: int = 20_000_000) -> Fault:
    """As `huge`, compressed to a thousandth."""
    return Fault(padding_bytes=size_bytes, gzip=True)


def drip(part: Literal["head", "body"] = "body", *, interval_s: float = 1.0) -> Fault:
    """Send the header or the body one byte at a time."""
    return Fault(drip=part, drip_interval_s=interval_s)


def __dir__() -> list[str]:
    return sorted(__all__)
