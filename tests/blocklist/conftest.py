"""Lists that end with the test, and a wait for what another thread reads."""

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from m2mguard.blocklist import Block, Blocklist
from m2mguard.blocklist._block import document_of
from tests.security.forge import NOW, URL

REASON = "the secret leaked"
Opened = Callable[[Blocklist], Blocklist]


def block(**changes: Any) -> Block:
    given: dict[str, Any] = {"issuer": URL, "reason": REASON, "expires_at": NOW + 3600, **changes}
    return Block(
        **({"app_id": "app-orders"} | given if not set(given) & {"token_id", "key_id", "organization"} else given)
    )


def document(*blocks: Block) -> bytes:
    return document_of(blocks)


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def answer_of_child(ask: Callable[[], object]) -> str:
    """The repr of what a forked process gets."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, repr(ask()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        answer = answers.read().decode()
    os.waitpid(child, 0)
    return answer


@pytest.fixture
def opened():
    """Closes the lists that it is given when the test ends."""
    lists = []

    def keep(blocklist):
        lists.append(blocklist)
        return blocklist

    yield keep
    for one in lists:
        one.close()
