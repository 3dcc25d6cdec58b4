"""An API that asks an issuer about opaque tokens; both use one clock, which stands still."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from m2mguard import ResourceServer
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_800_000_000)


@pytest.fixture
def issuer(clock) -> Iterator[LocalIssuer]:
    with LocalIssuer(algorithm="ES256", clock=clock) as running:
        yield running


@pytest.fixture
def make_api(issuer, clock, events) -> Callable[..., ResourceServer]:
    """Build an API; takes arguments of `ResourceServer`, and those of `Introspection` as a dict."""

    def make(*, introspection: Any = None, **arguments: Any) -> ResourceServer:
        options = {"client_id": "app-admin", "timeout": 30} | (introspection or {})
        arguments = {"audience": SHOPPING_API, "on_event": events, "clock": clock, "monotonic": clock} | arguments
        return ResourceServer(issuer.introspecting(**options), **arguments)

    return make


@pytest.fixture
def api(make_api) -> ResourceServer:
    return make_api()
