"""What a CORS preflight without a token may carry: no body, neither way."""

from __future__ import annotations

from m2mguard._asgi.scope import Message, Receive, Send
from m2mguard._asgi.sending import BODY_MESSAGES


def without_body(receive: Receive) -> Receive:
    """The messages of a request without a body, whatever the client sends."""
    has_ended = False

    async def receive_nothing() -> Message:
        nonlocal has_ended
        if not has_ended:
            has_ended = True
            return {"type": "http.request", "body": b"", "more_body": False}
        message = await receive()
        while message["type"] == "http.request":
            message = await receive()
        return message

    return receive_nothing


def without_answer_body(send: Send) -> Send:
    """Let status and fields of an answer through, and no body: a preflight needs none."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() != b"content-length"]
            if message["status"] != 204:  # RFC 9110 section 8.6
                kept.append((b"content-length", b"0"))
            await send({"type": "http.response.start", "status": message["status"], "headers": kept})
        elif message["type"] in BODY_MESSAGES and not message.get("more_body", False):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head
