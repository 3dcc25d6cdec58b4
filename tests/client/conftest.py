"""A local issuer, a clock that stands still until told, and the events of a source, one after the other."""

import queue
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from m2mguard import Event
from m2mguard.client import TokenSource
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.manual_clock import ManualClock

APP_ID = "app-orders"
APP_SECRET = "secret-of-app-orders"
LIFETIME_S = 3600.0
E = TypeVar("E", bound=Event)


class Events:
    """What a source told, to be taken one by one. Whatever happens on a flight's thread is over when its event is here."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def __call__(self, event: Event) -> None:
        self.queue.put(event)

    def next(self, kind: type[E]) -> E:
        event = self.queue.get(timeout=10)
        assert isinstance(event, kind), event
        return event


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with LocalIssuer(token_lifetime=LIFETIME_S) as running:
        yield running


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def make_source(issuer: LocalIssuer, clock: ManualClock, events: Events) -> Callable[..., TokenSource]:
    """A source of the shopping API's token at the local issuer; any argument of `TokenSource.logto` can be changed."""

    def make(
        endpoint: str = issuer.endpoint, app_id: str = APP_ID, app_secret: str = APP_SECRET, **changed
    ) -> TokenSource:
        arguments: dict[str, Any] = {
            "resource": SHOPPING_API,
            "scopes": ["read:orders"],
            "monotonic": clock,
            "on_event": events,
        }
        return TokenSource.logto(endpoint, app_id, app_secret, **(arguments | changed))

    return make


@pytest.fixture
def source(make_source: Callable[..., TokenSource]) -> TokenSource:
    return make_source()
