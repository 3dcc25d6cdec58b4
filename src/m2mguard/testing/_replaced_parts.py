"""Gives a ResourceServer other parts for the time of a block. Blocks may end in any order: what the last one to begin says counts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Final
from weakref import WeakKeyDictionary

from m2mguard._server.resource_server import ResourceServer

_lock: Final = threading.Lock()
_layers: Final[WeakKeyDictionary[ResourceServer, list[Mapping[str, object]]]] = WeakKeyDictionary()
"""For each server with blocks: its own parts, and then those of each block in the order in which they began."""


@contextlib.contextmanager
def replacing(server: ResourceServer, members: Mapping[str, object]) -> Iterator[None]:
    """Give a server other parts inside the block. All who hold the server use them."""
    with _lock:
        layers = _layers.setdefault(server, [{}])
        layers[0] = {name: vars(server)[name] for name in members} | dict(layers[0])
        layers.append(members)
        _apply(server, layers)
    try:
        yield
    finally:
        with _lock:
            layers[:] = [one for one in layers if one is not members]
            _apply(server, layers)
            if len(layers) == 1:
                del _layers[server]


def _apply(server: ResourceServer, layers: list[Mapping[str, object]]) -> None:
    parts: dict[str, object] = {}
    for layer in layers:
        parts |= layer
    vars(server).update(parts)
