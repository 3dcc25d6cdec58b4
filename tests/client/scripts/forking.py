"""Forks with a token at hand, while a request is in flight, and after one has failed. Run by test_concurrency."""

import os
import sys
import threading

from m2mguard.client import TokenEndpointUnavailable, TokenSource
from m2mguard.events import Event
from m2mguard.net import HttpTransport
from m2mguard.testing import SHOPPING_API


class Transport(HttpTransport):
    """Fails, or holds requests back, as told."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        self.asked = threading.Event()
        self.free = threading.Event()
        self.free.set()

    def request(self, *args, **kwargs):
        self.asked.set()
        self.free.wait(20)
        if self.broken:
            raise OSError("broken")
        return super().request(*args, **kwargs)


def in_a_child(function) -> None:
    """Run it in a forked child, and fail if it does."""
    child = os.fork()
    if child == 0:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - the child must not go on as a second parent
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, "the child failed"


def fetches() -> None:
    transport.free.set()
    transport.broken = False
    assert source.token().scopes == {"read:orders"}


def has_the_token() -> None:
    assert source.token() == token
    assert other.token().scopes == frozenset()


events: list[Event] = []
transport = Transport()
source = TokenSource.logto(
    sys.argv[1],
    "app-orders",
    "secret-of-app-orders",
    resource=SHOPPING_API,
    scopes=["read:orders"],
    transport=transport,
    on_event=events.append,
)
other = source.for_target(resource=SHOPPING_API)

# a request has failed: the child asks at once, whatever its parent knows of failures
transport.broken = True
try:
    source.token()
except TokenEndpointUnavailable:
    in_a_child(fetches)  # request 1
else:
    sys.exit("the broken transport gave a token")

# a request is in flight: the child does not wait for it, since it has not got its thread
transport.broken = False
source = source.for_target(resource=SHOPPING_API, scopes=["read:orders"], parameters={"colour": "blue"})
transport.asked.clear()
transport.free.clear()
caller = threading.Thread(target=source.token)
caller.start()
assert transport.asked.wait(20)
in_a_child(fetches)  # request 2
transport.free.set()
caller.join(20)  # request 3

# a token is at hand: the child has it, too
token = source.token()
in_a_child(has_the_token)  # request 4, for the other token
assert source.token() is token
