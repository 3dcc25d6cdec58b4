"""Servers for the shared `issuer`, `clock` and `events` fixtures."""

from collections.abc import Callable
from typing import Any

import pytest

from m2mguard import Issuer, KeyCaching, ResourceServer
from m2mguard.testing import SHOPPING_API


@pytest.fixture
def make_server(issuer, clock, events) -> Callable[..., ResourceServer]:
    """Build a server for `issuer` that measures key ages with `clock`; takes the arguments of `KeyCaching`."""

    def make(**caching: Any) -> ResourceServer:
        return ResourceServer(
            Issuer.logto(issuer.endpoint),
            audience=SHOPPING_API,
            caching=KeyCaching(**caching),
            monotonic=clock,
            on_event=events,
        )

    return make


@pytest.fixture
def server(make_server) -> ResourceServer:
    return make_server()
