"""A process that cannot start another thread: no fetch can be made, and that is no fault of the token."""

import contextlib
import threading
from collections.abc import Iterator

import pytest

from m2mguard import Issuer, KeysUnavailable, ResourceServer
from m2mguard.testing import SHOPPING_API, LocalIssuer

MORE_STACK_THAN_THERE_ARE_ADDRESSES = 1 << 48


@contextlib.contextmanager
def no_new_thread() -> Iterator[None]:
    """Inside the block the system really refuses each new thread."""
    usual = threading.stack_size(MORE_STACK_THAN_THERE_ARE_ADDRESSES)
    try:
        with pytest.raises(RuntimeError):
            threading.Thread(target=int).start()
        yield
    finally:
        threading.stack_size(usual)


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with LocalIssuer() as running:
        yield running


def test_without_keys_the_answer_is_503_and_health_says_why(issuer):
    server = ResourceServer(Issuer.logto(issuer.endpoint), SHOPPING_API)
    with no_new_thread(), pytest.raises(KeysUnavailable):
        server.verify(issuer.mint())
    health = server.health()
    assert not health.ready
    assert health.issuers[0].failures == 1
    assert "thread" in (health.issuers[0].last_error or "")


def test_keys_at_hand_go_on_serving_and_a_later_fetch_succeeds(issuer):
    server = ResourceServer(Issuer.logto(issuer.endpoint), SHOPPING_API)
    server.warm_up()
    with no_new_thread():
        server.refresh()
        assert server.verify(issuer.mint()).app_id == "app-orders"
    assert server.health().issuers[0].failures == 1
    assert server.refresh().issuers[0].failures == 0
