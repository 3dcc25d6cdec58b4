"""Sends a finished answer over ASGI: to a request, or to the handshake of a WebSocket."""

from __future__ import annotations

from typing import Final

from m2mguard._asgi.scope import Scope, Send
from m2mguard._server.answers import Answer

DENIAL_RESPONSE = "websocket.http.response"  # the ASGI extension by which a handshake is answered over HTTP
POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1
BODY_MESSAGES: Final = frozenset(("http.response.body", "http.response.pathsend", "http.response.zerocopysend"))
"""The messages that carry a part of an answer's body."""


def is_answerable(scope: Scope) -> bool:
    """Tell whether a refusal can be sent: over HTTP always, to a WebSocket handshake where the server offers it."""
    return scope["type"] == "http" or DENIAL_RESPONSE in (scope.get("extensions") or ())


async def send_answer(answer: Answer, scope: Scope, send: Send) -> None:
    """Send an answer: over HTTP, HEAD without the body; a refusal to a WebSocket handshake as the server allows."""
    if not is_answerable(scope):
        await close_websocket(send)
        return
    prefix = "http.response" if scope["type"] == "http" else DENIAL_RESPONSE
    headers = {name.lower(): value for name, value in answer.headers.items()}
    headers["content-length"] = str(len(answer.body))  # an `on_error` may have given another body
    fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": f"{prefix}.start", "status": answer.status, "headers": fields})
    body = b"" if scope.get("method") == "HEAD" else answer.body
    await send({"type": f"{prefix}.body", "body": body, "more_body": False})  # Quart 0.23 takes no default


async def close_websocket(send: Send) -> None:
    """Close a WebSocket, or refuse its handshake, without an answer."""
    await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})
