"""A real HTTP/1.1 server on loopback, in one daemon thread, whatever the number of connections.

Knows sockets, connections and the thread; what is answered, and how, is the handler's.
"""

import asyncio
import contextlib
import socket
import ssl
import sys
import threading
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Final

from m2mguard.testing._messages import BadRequestError, Reply, Request

Handler = Callable[[Request, asyncio.StreamWriter], Awaitable[bool]]
"""Answers one request by writing to its connection, and says whether the connection may serve another."""

_BACKLOG: Final = 4096
_START_TIMEOUT_S: Final = 10.0


class LoopbackServer:
    """Serves between `start` and `stop`, always on the same port; on loopback unless told otherwise.

    The port is bound, and so known and kept from others, from construction to `close`; it refuses connections while
    the server is stopped. `start`, `stop` and `close` are for one thread at a time.

    Args:
        handler: runs on the server's event loop, once per request.
        port: 0 takes a free one.
        listen: the address to listen on; default 127.0.0.1.
        ssl_context: given, the server speaks TLS.
    """

    def __init__(
        self, *, handler: Handler, port: int = 0, listen: str = "127.0.0.1", ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._listen = listen
        self._handler = handler
        self._ssl_context = ssl_context
        self._socket: socket.socket | None = self._bind(port)
        self.port: Final[int] = self._socket.getsockname()[1]
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._conversations: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Accept connections from now on. Does nothing when already started."""
        if self._thread is not None:
            return
        listener = self._socket or self._bind(self.port)
        self._socket = listener
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listener, started)), name="m2mguard-local-issuer", daemon=True
        )
        self._thread.start()
        started.result(_START_TIMEOUT_S)

    def stop(self) -> None:
        """Close the listening socket and every connection; when this returns, new connections are refused."""
        if self._end():
            self._socket = self._bind(self.port)  # so that nobody else takes it

    def close(self) -> None:
        """Stop, and give up the port."""
        if not self._end() and self._socket is not None:
            self._socket.close()
        self._socket = None

    def _end(self) -> bool:
        """Close the listening socket and every connection. Tells whether there was a server."""
        if self._thread is None or self._loop is None or self._stopping is None:
            return False
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = self._loop = self._stopping = None
        return True

    async def _serve(self, listener: socket.socket, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = await asyncio.start_server(
            self._accept, sock=listener, ssl=self._ssl_context, backlog=_BACKLOG, start_serving=True
        )
        started.set_result(None)
        await self._stopping.wait()
        with contextlib.suppress(NotImplementedError, RuntimeError):  # of another kind of event loop
            self._loop.remove_reader(listener)
        await (
            _some_turns()
        )  # asyncio accepts in one turn and sets up in the next, for which the server must not be closed yet
        with contextlib.suppress(OSError):  # ends the listening in forked children too
            listener.shutdown(socket.SHUT_RDWR)
        server.close()
        await _some_turns()  # so that every connection has a conversation, which can end it
        for writer in self._conversations:  # a task that is cancelled before it began closes nothing
            writer.transport.abort()
        for conversation in self._conversations.values():
            conversation.cancel()
        await asyncio.gather(*self._conversations.values(), return_exceptions=True)
        if sys.version_info >= (3, 13):
            server.abort_clients()  # those in the middle of a TLS handshake
        await asyncio.sleep(0)  # ended connections let go of their sockets

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = asyncio.ensure_future(self._converse(reader, writer))
        self._conversations[writer] = conversation
        conversation.add_done_callback(lambda _: self._conversations.pop(writer))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        scheme = "http" if self._ssl_context is None else "https"
        try:
            while (request := await Request.read(reader, scheme=scheme)) is not None:
                if not await self._handler(request, writer) or not request.keeps_alive:
                    break
        except BadRequestError as error:
            reply = Reply(status=400, headers={"Content-Type": "text/plain"}, body=str(error).encode())
            writer.write(reply.head(length=len(reply.body), close=True) + reply.body)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):  # cancelled: the server stops
            writer.transport.abort()
        finally:
            writer.close()

    def _bind(self, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._listen else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        weakref.finalize(self, bound.close)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((self._listen, port))
        return bound


async def _some_turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)
