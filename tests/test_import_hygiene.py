"""What `import m2mguard` and `import m2mguard.client` may do to a process: nothing but define names. Seen from a fresh interpreter."""

import json
import subprocess
import sys

import pytest

# Runs first in the fresh interpreter. CPython's own audit events see what any module does, ours or not. Threads have
# such an event only in newer versions, so what starts them is watched itself, before `threading` takes it.
PROBE = """
import sys, _thread

WATCHED = {"socket.__new__", "socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.fork"}
deeds = []

def watch(event, args):
    if event in WATCHED:
        deeds.append(event)

def watched(start):
    def start_thread(*args, **kwargs):
        deeds.append("thread")
        return start(*args, **kwargs)
    return start_thread

sys.addaudithook(watch)
assert "threading" not in sys.modules
for name in ("start_new_thread", "start_new", "start_joinable_thread"):
    if hasattr(_thread, name):
        setattr(_thread, name, watched(getattr(_thread, name)))
"""

REPORT = """
import json, threading
print(json.dumps({
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
    "deeds": deeds,
    "threads": [thread.name for thread in threading.enumerate()],
}))
"""

FRAMEWORKS = {
    "aiohttp", "django", "fastapi", "flask", "grpc", "httpx", "httpx2", "opentelemetry", "pytest", "requests",
    "rest_framework", "starlette", "uvicorn", "werkzeug",
}  # fmt: skip
EVENT_LOOPS = {"anyio", "asyncio", "trio"}


def in_a_fresh_interpreter(statement: str) -> dict[str, list[str]]:
    """Run one statement in a new interpreter and tell what it did."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE + statement + REPORT],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module", params=["m2mguard", "m2mguard.client"])
def plain_import(request) -> dict[str, list[str]]:
    return in_a_fresh_interpreter(f"from {request.param} import *")


def test_importing_loads_no_framework(plain_import):
    assert not FRAMEWORKS & set(plain_import["modules"])


def test_importing_loads_no_event_loop(plain_import):
    assert not EVENT_LOOPS & set(plain_import["modules"])


def test_importing_opens_no_socket_and_starts_neither_thread_nor_process(plain_import):
    assert plain_import["deeds"] == []
    assert plain_import["threads"] == ["MainThread"]


@pytest.mark.parametrize(
    ("statement", "deed"),
    [
        ("import socket; socket.socket().close()", "socket.__new__"),
        ("import threading; t = threading.Thread(target=int); t.start(); t.join()", "thread"),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
    ],
)
def test_the_probe_sees_what_it_is_there_to_see(statement, deed):
    assert deed in in_a_fresh_interpreter(statement)["deeds"]
