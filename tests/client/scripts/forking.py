"""Forks after a failed request, during a request, and with a valid token. Run by test_concurrency."""

import os
import sys
import threading

from m2mguard.client import TokenEndpointUnavailable, TokenSource
from m2mguard.events import Event
from m2mguard.net import HttpTransport
from m2mguard.testing import SHOPPING_API


class Transport(HttpTransport):
    """A transport that fails if `broken` is set and waits until `free` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        self.requested = threading.Event()
        self.free = threading.Event()
        self.free.set()

    def request(self, *args, **kwargs):
        self.requested.set()
        self.free.wait(20)
        if self.broken:
            raise OSError("broken")
        return super().request(*args, **kwargs)


def in_a_child(function) -> None:
    """Run the function in a forked child; fails if it fails."""
    child = os.fork()
    if child == 0:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - the child must not continue as a second parent
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

# A request has failed: the child sends one at once and ignores the failures of its parent.
transport.broken = True
try:
    source.token()
except TokenEndpointUnavailable:
    in_a_child(fetches)  # request 1
else:
    sys.exit("the broken transport gave a token")

# A request is in flight: the child does not wait for it, because the thread does not exist in the child.
transport.broken = False
source = source.for_target(resource=SHOPPING_API, scopes=["read:orders"], parameters={"colour": "blue"})
transport.requested.clear()
transport.free.clear()
caller = threading.Thread(target=source.token)
caller.start()
assert transport.requested.wait(20)
in_a_child(fetches)  # request 2
transport.free.set()
caller.join(20)  # request 3

# The source has a token: the child has it too.
token = source.token()
in_a_child(has_the_token)  # request 4, for the other token
assert source.token() is token
