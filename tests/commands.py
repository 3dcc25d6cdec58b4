"""Runs a command that serves, on a port that it is told, and waits until it answers. `processes` is for servers that take a socket."""

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import urllib3

PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
CLOSE = {"Connection": "close"}
"""For requests to gunicorn, which waits for the end of kept connections when it stops: 2 s, and 30 s in versions below 27."""


def free_port() -> int:
    """A port that nobody listens on. It is below those that outgoing connections take, which would take it before the server does."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def wait_until_answering(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Wait for an answer of any status."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib3.request("GET", url, headers=CLOSE, retries=False, timeout=10)
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server did not start; its output is printed")


@contextlib.contextmanager
def running_command(
    command: Sequence[object],
    url: str,
    *,
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
    output: Path | None = None,
    wait: Callable[[str, "subprocess.Popen[bytes]"], None] = wait_until_answering,
) -> Iterator[str]:
    """Run a command until the block ends, once it answers at the URL, which is yielded. What it prints is printed at the end.

    Args:
        command: a program of the environment, or a path, and its arguments.
        url: to be asked.
        folder: where it runs.
        env: all of its variables; None: those of this process.
        output: the file for what it prints; None: one that is removed.
        wait: waits for the answer.
    """
    name, *arguments = map(str, command)
    with tempfile.TemporaryFile() if output is None else output.open("w+b") as printed:
        process = subprocess.Popen(
            [shutil.which(name, path=PATH) or name, *arguments], cwd=folder, env=env, stdout=printed, stderr=printed
        )
        try:
            wait(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(20)
            print(_text(printed))


def _text(printed: BinaryIO) -> str:
    printed.seek(0)
    return printed.read().decode(errors="replace")
