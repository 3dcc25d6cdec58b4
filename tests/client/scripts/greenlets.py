"""A thousand greenlets need a first token while another one counts. Run by test_concurrency."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - gevent must come first

import gevent  # noqa: E402

from m2mguard.client import TokenSource  # noqa: E402
from m2mguard.net import HttpTransport  # noqa: E402
from m2mguard.testing import SHOPPING_API  # noqa: E402

turns = 0  # a turn takes a millisecond: without a pause, gevent does not run its name resolver


class Transport(HttpTransport):
    """A transport that answers after a hundred turns of the other greenlets: it never answers if it blocks them."""

    def request(self, *args, **kwargs):
        before = turns
        while turns < before + 100:
            gevent.sleep(0.001)
        return super().request(*args, **kwargs)


def count() -> None:
    global turns
    while not all(job.ready() for job in jobs):
        turns += 1
        gevent.sleep(0.001)


source = TokenSource.logto(
    sys.argv[1], "app-orders", "secret-of-app-orders", resource=SHOPPING_API, transport=Transport()
)
jobs = [gevent.spawn(source.token) for _ in range(1_000)]
counting = gevent.spawn(count)
assert len({job.get(timeout=40).value for job in jobs}) == 1
counting.get(timeout=40)
