"""Ends a long ASGI connection with its token: a WebSocket is closed, a streaming answer is cut. Decides nothing about tokens.

Works on asyncio and on trio. No thread, and one sleeping task for each connection that asked for this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from m2mguard._asgi.scope import Message, Send
from m2mguard._asgi.sending import BODY_MESSAGES, close_websocket
from m2mguard._server.open_connections import LONGEST_SLEEP_S, ais_still_accepted

if TYPE_CHECKING:
    from anyio import Event

_GRACE_S: Final = 1.0
_EVENT_STREAM: Final = b"text/event-stream"


async def run_while_token_is_good(
    run: Callable[[Send], Awaitable[None]],
    send: Send,
    *,
    kind: str,
    remaining_s: Callable[[], float],
    authenticate: Callable[[], Awaitable[object]],
) -> None:
    """Run an application for one connection, and cancel it when the token is no longer good.

    An answer that has not begun by then may begin: it was asked for with a good token, and is cut only if it then goes on for long. An
    event stream ends as complete, so that a browser connects again; any other answer breaks off, so that nobody takes it for
    whole. What the application raises passes through.

    Args:
        run: the application, given what to send with.
        send: of the connection.
        kind: "http" or "websocket".
        remaining_s: tells for how many seconds the token is still good, by the server's clock.
        authenticate: authenticates the connection again, every 15 seconds.
    """
    import anyio  # here, so that only those who want this load it

    connection = (_WebSocket if kind == "websocket" else _Answer)(send, anyio.Event())
    failure: BaseException | None = None
    has_ended = False

    async def watch() -> None:
        nonlocal has_ended
        is_good = True
        while is_good and (left := remaining_s()) > 0:
            await anyio.sleep(min(left, LONGEST_SLEEP_S))
            is_good = remaining_s() <= 0 or await ais_still_accepted(authenticate)
        if not connection.has_begun.is_set():
            await connection.has_begun.wait()
            await anyio.sleep(_GRACE_S)
        if not connection.is_complete:  # else the application is at its background tasks
            has_ended = True
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        try:
            await run(connection.send)
        except Exception as raised:  # noqa: BLE001 - passes through below, outside of the group, which would wrap it
            failure = raised
        tasks.cancel_scope.cancel()
    if has_ended:
        await connection.end()
    if failure is not None:
        raise failure


class _WebSocket:
    def __init__(self, send: Send, has_begun: Event) -> None:
        self._send = send
        self.has_begun = has_begun
        has_begun.set()
        self.is_complete = False

    async def send(self, message: Message) -> None:
        self.is_complete = message["type"] == "websocket.close"
        await self._send(message)

    async def end(self) -> None:
        await close_websocket(self._send)


class _Answer:
    def __init__(self, send: Send, has_begun: Event) -> None:
        self._send = send
        self.has_begun = has_begun
        self.is_complete = False
        self._is_event_stream = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun.set()
            self._is_event_stream = any(
                name.lower() == b"content-type" and value.startswith(_EVENT_STREAM)
                for name, value in message.get("headers", ())
            )
        await self._send(message)
        self.is_complete = message["type"] in BODY_MESSAGES and not message.get("more_body", False)

    async def end(self) -> None:
        if self._is_event_stream:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
