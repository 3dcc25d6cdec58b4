"""A running issuer, a clock that tests move, observed events, and servers built from them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from m2mguard import Issuer, KeyCaching, ResourceServer
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.manual_clock import ManualClock
from tests.observed_events import ObservedEvents


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with LocalIssuer(algorithm="ES256") as running:
        yield running


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def events() -> ObservedEvents:
    return ObservedEvents()


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
