"""A forked child asks for itself, whatever the threads of its parent were doing. The test forks in a separate process."""

import subprocess
import sys
import textwrap

SCRIPT = """
    import os, sys, threading
    from m2mguard import ResourceServer
    from m2mguard.testing import SHOPPING_API, LocalIssuer

    with LocalIssuer() as issuer:
        api = ResourceServer(issuer.introspecting(timeout=30, endpoint=None), SHOPPING_API)
        token = issuer.mint_opaque()
        with issuer.hold("discovery") as gate:
            waiting = threading.Thread(target=api.verify, args=(token,))
            waiting.start()
            gate.wait_for(1)
            introspector = api._verifier._introspector
            search = introspector._asker._endpoint
            with introspector._lock, introspector._answers._lock, search._lock:  # a child that inherits a locked lock hangs forever
                pid = os.fork()
                if pid == 0:
                    try:
                        assert api.verify(token).app_id == "app-orders"
                        assert api.health().issuers[0].introspection.remembered == 1
                        os._exit(7)
                    finally:
                        os._exit(1)
            gate.wait_for(2)
            gate.release()
            waiting.join()
        print("exit", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), "questions", issuer.count("introspection"))
"""


def test_a_forked_child_asks_for_itself():
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(SCRIPT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout == "exit 7 questions 2\n", done.stderr
