"""What a measured process runs: one application on an inherited socket, by one worker, until it is interrupted.

`python -m benchmarks.worker SERVER NAME ISSUER JWKS_URI ALGORITHM FD` prints the id of the process that serves. SERVER is
`uvicorn` or `gunicorn:THREADS`.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from benchmarks.apps import ASGI, WSGI


def main() -> None:
    """Serve on the first core; the load has the others."""
    server, name, issuer, jwks_uri, algorithm, listening = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    trusted: Any = SimpleNamespace(url=issuer, jwks_uri=jwks_uri, current_key=SimpleNamespace(algorithm=algorithm))
    server, _, threads = server.partition(":")
    if server == "uvicorn":
        _uvicorn(ASGI[name](trusted), int(listening))
    else:
        _gunicorn(lambda: WSGI[name](trusted), int(listening), int(threads))


def _uvicorn(app: Any, listening: int) -> None:
    import uvicorn

    print(os.getpid(), flush=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, ws="none"))
    server.run(sockets=[socket.socket(fileno=listening)])


def _gunicorn(build: Callable[[], Any], listening: int, threads: int) -> None:
    from gunicorn.app.base import BaseApplication

    settings = {
        "bind": f"fd://{listening}",
        "worker_class": "gthread",
        "threads": threads,
        "control_socket_disable": True,
        "loglevel": "critical",
        "post_fork": _tell_pid,
    }

    class Application(BaseApplication):
        def load_config(self) -> None:
            for name, value in settings.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return build()

    Application().run()


def _tell_pid(arbiter: object, worker: object) -> None:
    print(os.getpid(), flush=True)


if __name__ == "__main__":
    main()
