"""200 greenlets share one fetch, and other greenlets continue. gevent patches a whole process, so the test starts a new one."""

import subprocess
import sys
import textwrap

import pytest

SCRIPT = """
    import sys, time
    ORDER
    import gevent

    url, tokens = sys.argv[1], sys.argv[2].split()
    server = ResourceServer(Issuer.logto(url), audience="https://shopping.api")
    callers = [gevent.spawn(server.verify, token) for token in tokens]

    def tick():
        for _ in range(20):
            gevent.sleep(0.005)
        print("other greenlets continue", not any(caller.ready() for caller in callers), flush=True)

    ticker = gevent.spawn(tick)
    gevent.joinall(callers, raise_error=True)
    ticker.join()
    assert len({greenlet.value.app_id for greenlet in callers}) == 7
    print("served", len(callers))
"""
PATCH = "from gevent import monkey; monkey.patch_all()"
IMPORT = "from m2mguard import Issuer, ResourceServer"


@pytest.mark.parametrize("order", [(PATCH, IMPORT), (IMPORT, PATCH)], ids=["patched first", "imported first"])
def test_200_greenlets_share_one_fetch(issuer, order):
    tokens = [issuer.mint(f"app-{number % 7}") for number in range(200)]
    script = textwrap.dedent(SCRIPT).replace("ORDER", "\n".join(order))
    command = [sys.executable, "-W", "ignore", "-c", script, issuer.endpoint, " ".join(tokens)]
    with (
        issuer.hold("jwks") as gate,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child,
    ):
        assert child.stdout is not None
        first = child.stdout.readline()  # while the fetch is held back, and all callers wait for it
        gate.release()
        rest, errors = child.communicate(timeout=30)
    assert (first, rest) == ("other greenlets continue True\n", "served 200\n"), errors
    assert issuer.count("jwks") == 1
