"""One question looks for the endpoint, the others wait for what it finds, each with a bound."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from m2mguard._introspection.endpoint_search import EndpointSearch
from m2mguard._keys.fetch import FetchFailed
from m2mguard.net import Response, TransportError
from m2mguard.net._discovery import DiscoveryFailed, Endpoint

ISSUER = "https://issuer.example"
METADATA = b'{"issuer": "https://issuer.example", "introspection_endpoint": "https://issuer.example/introspect"}'
FOUND = Response(status=200, headers={}, body=METADATA)


@pytest.fixture
def search() -> EndpointSearch:
    return EndpointSearch(Endpoint(ISSUER, "introspection_endpoint", configured=None))


def second_while_first_looks(search, get):
    """The futures of two: the second comes while the first looks, and the first goes on when the second waits."""
    arrived, second_waits = threading.Event(), threading.Event()

    def first_get(url):
        arrived.set()
        assert second_waits.wait(30)
        return get(url)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(search.find, first_get, 0.0, 30.0)
        assert arrived.wait(30)
        flight = search._search.flight
        search._search.flight = SimpleNamespace(
            wait=lambda timeout_s: second_waits.set() or flight.wait(timeout_s), finish=flight.finish
        )
        return first, pool.submit(search.find, lambda url: pytest.fail("asked twice"), 0.0, 30.0)


def test_the_second_gets_what_the_first_found(search):
    calls = second_while_first_looks(search, lambda url: FOUND)
    assert [call.result() for call in calls] == ["https://issuer.example/introspect"] * 2


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (TransportError("no answer", code="no_connection"), "no_connection"),
        (DiscoveryFailed("no metadata", code="no_metadata"), "no_metadata"),
        (ZeroDivisionError("anything"), "other"),
    ],
    ids=["transport", "discovery", "other"],
)
def test_the_second_fails_as_the_first_did(search, error, problem):
    def fail(url):
        raise error

    first, second = second_while_first_looks(search, fail)
    assert first.exception() is error
    assert isinstance(second.exception(), FetchFailed)
    assert second.exception().failure.problem == problem
    assert "anything" not in second.exception().failure.detail
    assert search.find(lambda url: FOUND, 0.0, 1.0)  # a new one may look


def test_the_second_waits_no_longer_than_it_may(search):
    def get(url):
        with pytest.raises(TransportError) as late:
            search.find(lambda url: pytest.fail("asked twice"), 0.0, 0.0)  # comes while this one looks
        assert late.value.code == "timeout"
        return FOUND

    assert search.find(get, 0.0, 30.0) == "https://issuer.example/introspect"
