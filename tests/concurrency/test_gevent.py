"""200 greenlets share one fetch, and other greenlets continue. gevent patches a whole process, so the test starts a new one."""

import subprocess
import sys
import textwrap

import pytest

from m2mguard.testing import faults

SCRIPT = """
    import sys, time
    ORDER
    import gevent

    url, tokens = sys.argv[1], sys.stdin.read().split()
    server = ResourceServer(Issuer.logto(url), audience="https://shopping.api")
    ticks, done = [], []

    def tick():
        while not done:
            ticks.append(time.perf_counter())
            gevent.sleep(0.005)

    ticker = gevent.spawn(tick)
    gevent.sleep(0)
    callers = [gevent.spawn(server.verify, token) for token in tokens]
    gevent.joinall(callers, raise_error=True)
    done.append(True)
    ticker.join()
    longest = max(later - earlier for earlier, later in zip(ticks, ticks[1:]))
    assert len({greenlet.value.app_id for greenlet in callers}) == 7
    assert longest < 0.25, f"other greenlets were blocked for {longest} s"
    print("served", len(callers))
"""
PATCH = "from gevent import monkey; monkey.patch_all()"
IMPORT = "from m2mguard import Issuer, ResourceServer"


@pytest.mark.parametrize("order", [(PATCH, IMPORT), (IMPORT, PATCH)], ids=["patched first", "imported first"])
def test_200_greenlets_share_one_fetch(issuer, order):
    issuer.misbehave("jwks", faults.delay(0.3))
    tokens = [issuer.mint(f"app-{number % 7}") for number in range(200)]
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            textwrap.dedent(SCRIPT).replace("ORDER", "\n".join(order)),
            issuer.endpoint,
        ],
        input="\n".join(tokens),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "served 200\n", done.stderr
    assert issuer.count("jwks") == 1
