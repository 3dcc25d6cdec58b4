"""A forked child fetches keys itself, independent of the threads of its parent. The test forks in a separate process."""

import subprocess
import sys
import textwrap

import pytest

PARENT = """
    import contextlib, os, sys, threading
    from m2mguard import Issuer, ResourceServer
    from m2mguard._server import verifier
    from m2mguard.net import _shared_fetch
    from m2mguard.testing import SHOPPING_API, LocalIssuer

    locks = []

    def new_lock():
        locks.append(threading.Lock())
        return locks[-1]

    verifier.new_lock = _shared_fetch.new_lock = new_lock

    with LocalIssuer() as issuer:
        server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
        token = issuer.mint()

        def child():
            # A child that inherits a locked lock hangs forever.
            caller = server.verify(token)
            assert caller.app_id == "app-orders"
            assert server.health().issuers[0].failures == 0
            assert threading.active_count() == 1 + sum(t.name.startswith("m2mguard-keys") for t in threading.enumerate())
            os._exit(7)

        def in_a_child():
            pid = os.fork()
            if pid == 0:
                try:
                    child()
                finally:
                    os._exit(1)
            return pid

        SCENE

        print("exit", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), "fetches", issuer.count("jwks"))
"""
SCENES = {
    "the lock is held and a fetch is in flight": """
        with issuer.hold("jwks") as gate:
            waiting = threading.Thread(target=server.verify, args=(token,))
            waiting.start()
            gate.wait_for(1)
            with contextlib.ExitStack() as held:
                for lock in locks:
                    held.enter_context(lock)
                pid = in_a_child()
            gate.wait_for(2)  # the fetch of the child
            gate.release()
            waiting.join()
    """,
    "no fetch was made, as under gunicorn --preload": """
        pid = in_a_child()
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        server.verify(token)
    """,
    "the last fetch of the parent failed": """
        from m2mguard.testing import faults
        issuer.misbehave("jwks", faults.status(503), times=1)
        assert not server.warm_up().ready
        pid = in_a_child()
    """,
    "the parent has keys, so the child fetches none": """
        server.verify(token)
        issuer.rotate()
        pid = in_a_child()
    """,
}
FETCHES = {
    "the lock is held and a fetch is in flight": 2,
    "no fetch was made, as under gunicorn --preload": 2,
    "the last fetch of the parent failed": 2,
    "the parent has keys, so the child fetches none": 1,
}


@pytest.mark.parametrize("scene", SCENES)
def test_a_forked_child_fetches_keys_itself(scene):
    script = textwrap.dedent(PARENT).replace(
        "        SCENE\n".removeprefix("    "), textwrap.indent(textwrap.dedent(SCENES[scene]), "    ")
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout == f"exit 7 fetches {FETCHES[scene]}\n", done.stderr
