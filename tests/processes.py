"""Runs a server in a new process, on a socket that listens before the process starts, so no test has to poll."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
WITHOUT_PLUGINS = ("-p", "no:hypothesispytest", "-p", "no:faker")
"""For a pytest in a process of its own: plugins that are installed for other tests, and take half a second to load."""


@contextlib.contextmanager
def running(*arguments: str, env: Mapping[str, str]) -> Iterator[str]:
    """Run `python -m ...` in the project's root; yields its URL. `{fd}` in the arguments is the listening socket."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        host, port = listening.getsockname()
        command = [sys.executable, "-m", *(argument.format(fd=listening.fileno()) for argument in arguments)]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | env,
            pass_fds=[listening.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        listening.close()  # the process has its own copy; without ours, a process that has ended refuses connections
        try:
            yield f"http://{host}:{port}"
        finally:
            process.send_signal(signal.SIGINT)  # gunicorn ends slowly after a SIGTERM
            try:
                output, _ = process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                output, _ = process.communicate()
                raise AssertionError(f"the server did not end: {output}") from None
            print(output)
