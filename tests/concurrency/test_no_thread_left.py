"""A process that cannot start another thread: there is no fetch, and no token is refused because of that."""

import contextlib
import threading
from collections.abc import Iterator

import pytest

from m2mguard import Issuer, KeysUnavailable, ResourceServer
from m2mguard.testing import SHOPPING_API

IMPOSSIBLE_STACK_SIZE = 1 << 48


@contextlib.contextmanager
def no_new_thread() -> Iterator[None]:
    """Inside the block the operating system refuses every new thread."""
    default_size = threading.stack_size(IMPOSSIBLE_STACK_SIZE)
    try:
        with pytest.raises(RuntimeError):
            threading.Thread(target=int).start()
        yield
    finally:
        threading.stack_size(default_size)


def test_without_keys_verification_is_unavailable_and_health_says_why(issuer):
    server = ResourceServer(Issuer.logto(issuer.endpoint), SHOPPING_API)
    with no_new_thread(), pytest.raises(KeysUnavailable):
        server.verify(issuer.mint())
    health = server.health()
    assert not health.ready
    assert health.issuers[0].failures == 1
    assert "thread" in (health.issuers[0].last_error or "")


def test_cached_keys_are_still_used_and_a_later_fetch_succeeds(issuer):
    server = ResourceServer(Issuer.logto(issuer.endpoint), SHOPPING_API)
    server.warm_up()
    with no_new_thread():
        server.refresh()
        assert server.verify(issuer.mint()).app_id == "app-orders"
    assert server.health().issuers[0].failures == 1
    assert server.refresh().issuers[0].failures == 0
