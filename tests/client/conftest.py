"""A local issuer, a clock that tests move, the events of a source, and APIs for the HTTP plug-ins."""

import queue
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from m2mguard import Event
from m2mguard.client import TokenSource
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.client.apis import Api, Entry
from tests.client.plugins import PLUGINS
from tests.conftest import under_uvicorn
from tests.manual_clock import ManualClock

APP_ID = "app-orders"
APP_SECRET = "secret-of-app-orders"
LIFETIME_S = 3600.0
E = TypeVar("E", bound=Event)


class EventQueue:
    """The events of a source, taken one by one: when an event of a fetch is in the queue, the fetch has ended."""

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
    """An issuer whose tokens have the lifetime that these tests calculate with."""
    with LocalIssuer(token_lifetime=LIFETIME_S) as running:
        yield running


@pytest.fixture
def clock() -> ManualClock:
    """Both clocks of a source; it starts at the current time, because the issuer uses the real clock."""
    return ManualClock(time.time())


@pytest.fixture
def events() -> EventQueue:
    """A queue, because these tests wait for each event of a fetch thread in turn."""
    return EventQueue()


@pytest.fixture
def make_source(issuer: LocalIssuer, clock: ManualClock, events: EventQueue) -> Callable[..., TokenSource]:
    """Make a source for tokens of the shopping API; takes any argument of `TokenSource.logto`."""

    def make(
        endpoint: str = issuer.endpoint, app_id: str = APP_ID, app_secret: str = APP_SECRET, **changed
    ) -> TokenSource:
        arguments: dict[str, Any] = {
            "resource": SHOPPING_API,
            "scopes": ["read:orders"],
            "clock": clock,
            "monotonic": clock,
            "on_event": events,
        }
        return TokenSource.logto(endpoint, app_id, app_secret, **(arguments | changed))

    return make


@pytest.fixture
def source(make_source: Callable[..., TokenSource]) -> TokenSource:
    return make_source()


@pytest.fixture(params=PLUGINS)
def plugin(request):
    return request.param


@pytest.fixture(scope="module")
def served():
    """Two entries with different origins, served for all tests of a module; each test sets their APIs."""
    entries = Entry(), Entry()
    with under_uvicorn(entries[0]) as url, under_uvicorn(entries[1]) as other_url:
        yield (entries[0], url), (entries[1], other_url)


@pytest.fixture
def api(served):
    served[0][0].api = Api()
    return served[0][0].api


@pytest.fixture
def url(served):
    return served[0][1]


@pytest.fixture
def other_api(served):
    served[1][0].api = Api()
    return served[1][0].api


@pytest.fixture
def other_api_url(served):
    return served[1][1]


@pytest.fixture
def send(plugin, source, url):
    """Call the API with the source's token: `status, body = send("GET", "/orders")`."""

    def send(method, path, **how):
        return plugin(source, url, method, path if "://" in path else url + path, **how)

    return send
