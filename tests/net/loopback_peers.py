"""Peers on loopback for what no HTTP server does: silence, invalid bytes, and a CONNECT proxy with its own host names."""

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def tcp_server(converse: Callable[[socket.socket], None], *, host: str = "127.0.0.1") -> Iterator[int]:
    """Accept connections and run `converse` for each on its own thread while the block runs. Yields the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    connections: list[socket.socket] = []
    with socket.create_server((host, 0), family=family) as listening:

        def serve(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                converse(connection)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    connections.append(connection)
                    threads.append(threading.Thread(target=serve, args=(connection,)))
                    threads[-1].start()

        threads = [threading.Thread(target=accept)]
        threads[0].start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(10)


def silence(connection: socket.socket) -> None:
    """Read everything and send nothing."""
    while connection.recv(65_536):
        pass


def answers(raw: bytes) -> Callable[[socket.socket], None]:
    """Read one request, answer with these bytes, and close."""

    def converse(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(raw)

    return converse


def read_head(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(1)
        if not chunk:
            break
        received += chunk
    return received


class ConnectProxy:
    """A proxy for CONNECT that resolves names from a table and records the heads of its requests. A test sets `port`.

    Args:
        addresses: "name:port" → the port on loopback.
        status: its answer to a CONNECT.
        pause_s: the pause before each byte that it forwards from the server, for a slow drip below TLS.
    """

    def __init__(self, addresses: dict[str, int], *, status: str = "200 OK", pause_s: float = 0) -> None:
        self.heads: list[bytes] = []
        self.port = 0
        self._addresses = addresses
        self._status = status
        self._pause_s = pause_s

    def converse(self, client: socket.socket) -> None:
        head = read_head(client)
        self.heads.append(head)
        client.sendall(f"HTTP/1.1 {self._status}\r\n\r\n".encode())
        if not self._status.startswith("200"):
            return
        target = head.split()[1].decode()
        with socket.create_connection(("127.0.0.1", self._addresses[target])) as server:
            self._forward(client, server)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while True:
                for ready, _ in selector.select():
                    chunk = ready.fileobj.recv(1 if self._pause_s else 65_536)  # type: ignore[union-attr]
                    if not chunk:
                        return
                    if ready.fileobj is server:
                        time.sleep(self._pause_s)
                    ready.data.sendall(chunk)
