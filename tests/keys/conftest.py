"""A running issuer, a clock that tests move, observed events, and servers built from them."""

from collections.abc import Callable
from typing import Any

import pytest

from m2mguard import Issuer, KeyCaching, ResourceServer
from m2mguard.testing import SHOPPING_API


@pytest.fixture
def make_server(issuer, clock, events) -> Callable[..., ResourceServer]:
    """Build a server for `issuer`, whose key ages follow `clock`; arguments are those of `KeyCaching`."""

    def make(**numbers: Any) -> ResourceServer:
        return ResourceServer(
            Issuer.logto(issuer.endpoint),
            audience=SHOPPING_API,
            caching=KeyCaching(**numbers),
            monotonic=clock,
            on_event=events,
        )

    return make


@pytest.fixture
def server(make_server) -> ResourceServer:
    return make_server()
