"""Reads the body of a request before the application does, and hands it on."""

from __future__ import annotations

from m2mguard._asgi.scope import Message, Receive, Scope

_MOST_DIGITS = 20


class Disconnected(Exception):
    """The client went away before its body was complete."""


def declared_size(scope: Scope) -> int:
    """The size of the body in bytes as the request declares it, 0 where it does not."""
    declared = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"0")
    digits = declared.lstrip(b"0") if declared.isdigit() else b""
    return int(digits[:_MOST_DIGITS] or b"0")  # a number of more digits is as good as any that is too large


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """Read a whole body; None if it is longer than the limit. Raises Disconnected."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def replayed_body(body: bytes, receive: Receive) -> Receive:
    """The messages of a request whose body was read."""
    replayed = False

    async def replay() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
