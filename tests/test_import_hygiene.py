"""`import m2mguard` and `import m2mguard.client` only define names and load the modules that these need.

The tests run in a new interpreter. Other modules load when an object is built, or on a thread that no request waits for.
"""

import inspect
import json
import os
import subprocess
import sys

import pytest

import m2mguard
from m2mguard.testing import LocalIssuer, SigningKey

# Runs first in the new interpreter. CPython's audit events show the actions of every module. Threads have such an event
# only in newer versions, so the probe wraps the functions that start threads before `threading` imports them.
PROBE = """
import sys, _thread

WATCHED = {"socket.__new__", "socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.fork"}
actions = []

def watch(event, args):
    if event in WATCHED:
        actions.append(event)

def watched(start):
    def start_thread(*args, **kwargs):
        actions.append("thread")
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
    "modules": sorted(sys.modules),
    "actions": actions,
    "threads": [thread.name for thread in threading.enumerate()],
}))
"""

# A valid request, and one of each kind that is refused. `actions` records the imports on the thread of the event loop.
REQUESTS = """
import asyncio, threading
from m2mguard import M2MGuardError, Requirement, ResourceServer

issuer, unreachable, directory, warm, *tokens = sys.argv[1:]
server = ResourceServer(
    [issuer, unreachable],
    audience="https://shopping.api",
    key_directory=directory,
    resource_url="https://shopping.api",
    on_event=lambda event: None,
)

class ImportRecorder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if threading.current_thread() is threading.main_thread():
            actions.append(f"import {name}")

async def requests():
    if warm:
        await server.awarm_up()
    sys.meta_path.insert(0, ImportRecorder)
    for fields in ([], ["Basic YTpi"], ["Bearer a", "Bearer b"], ["Bearer ("], *([f"Bearer {token}"] for token in tokens)):
        try:
            await server.aauthenticate(fields, Requirement(scopes=["read:orders"]))
        except M2MGuardError as error:
            actions.append(server.answer(error).status)
        else:
            actions.append(200)
    actions.append(server.readiness().status)
    sys.meta_path.remove(ImportRecorder)

asyncio.run(requests())
"""

FRAMEWORKS = {
    "aiohttp", "django", "fastapi", "fastmcp", "flask", "grpc", "httpx", "httpx2", "litestar", "mcp", "ninja", "opentelemetry", "pydantic",
    "pytest", "requests", "rest_framework", "starlette", "uvicorn", "werkzeug",
}  # fmt: skip
UNREACHABLE = "http://127.0.0.1:1/oidc"  # no server listens on this port
EVENT_LOOPS = {"anyio", "asyncio", "trio"}
VERIFIER = {
    "cryptography",
    "jwt",
    "m2mguard._server.resource_server",
    "m2mguard._token.jws",
    "m2mguard._server.verifier",
}
FOR_AN_OPTION = {  # modules for settings that few servers have, or that come from outside the code
    "m2mguard._keys.archive", "m2mguard._keys.key_file", "m2mguard.presets",
    "m2mguard._server.environment", "m2mguard._server.resource_metadata",
}  # fmt: skip
FOR_AN_EXCHANGE = {"importlib.metadata", "m2mguard.net._connection", "m2mguard.net._exchange", "urllib3"}


def in_a_new_interpreter(statement: str, *arguments: str) -> dict[str, list]:
    """Run one statement in a new interpreter; returns its modules, actions and threads."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE + statement + REPORT, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        # the measurement of coverage loads modules
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module", params=["m2mguard", "m2mguard.client"])
def plain_import(request) -> dict[str, list[str]]:
    return in_a_new_interpreter(f"from {request.param} import *")


def test_importing_loads_no_framework(plain_import):
    assert not FRAMEWORKS & set(plain_import["modules"])


def test_importing_loads_no_event_loop(plain_import):
    assert not EVENT_LOOPS & set(plain_import["modules"])


def test_importing_loads_no_module_for_an_option_or_an_exchange(plain_import):
    assert not (FOR_AN_OPTION | FOR_AN_EXCHANGE) & set(plain_import["modules"])


@pytest.mark.parametrize(
    ("module", "ours"),
    [
        ("m2mguard", {"m2mguard"}),
        ("m2mguard.testing.pytest_plugin", {"m2mguard", "m2mguard.testing", "m2mguard.testing.pytest_plugin"}),
    ],
)
def test_importing_the_package_or_plugin_loads_no_other_module_of_ours(module, ours):
    loaded = in_a_new_interpreter(f"import {module}")["modules"]
    assert {name for name in loaded if name.partition(".")[0] == "m2mguard"} == ours


def test_a_transport_loads_no_http_library_before_its_first_request():
    made = in_a_new_interpreter(
        "from m2mguard.net import HttpTransport; HttpTransport(http_origins=['http://logto:3001'])"
    )
    assert not (FOR_AN_EXCHANGE | EVENT_LOOPS | {"http.client", "urllib.request"}) & set(made["modules"])
    assert made["actions"] == []


def test_importing_the_client_does_not_load_the_verifier():
    assert not VERIFIER & set(in_a_new_interpreter("from m2mguard.client import *")["modules"])


def test_only_public_names_are_loaded_at_their_first_use():
    for name in m2mguard.__all__:
        assert name == "__version__" or inspect.isclass(getattr(m2mguard, name))
    with pytest.raises(AttributeError, match="has no attribute 'Verifier'"):
        _ = m2mguard.Verifier


@pytest.mark.parametrize("package", [m2mguard, m2mguard.testing])
def test_dir_shows_only_public_names(package):
    assert dir(package) == sorted(package.__all__)


@pytest.mark.parametrize("warm", [False, True])
def test_no_request_loads_a_module_on_its_event_loop(warm, tmp_path):
    with LocalIssuer() as issuer:
        good = issuer.mint(scopes=["read:orders"])
        tokens = [
            good,
            good,
            issuer.mint(scopes=[]),
            issuer.mint_user_token(scopes=["read:orders"]),
            issuer.mint(lifetime=-60),
            issuer.mint(key=SigningKey.generate()),
            issuer.mint(claims={"iss": UNREACHABLE}),
        ]
        actions = in_a_new_interpreter(REQUESTS, issuer.url, UNREACHABLE, str(tmp_path), "warm" * warm, *tokens)[
            "actions"
        ]
    answers = [action for action in actions if isinstance(action, int)]
    assert answers == [401, 401, 400, 400, 200, 200, 403, 403, 401, 401, 503, 200]
    assert not [action for action in actions if str(action).startswith("import ")]


def test_importing_opens_no_socket_and_starts_no_thread_or_process(plain_import):
    assert plain_import["actions"] == []
    assert plain_import["threads"] == ["MainThread"]


@pytest.mark.parametrize(
    ("statement", "action"),
    [
        ("import socket; socket.socket().close()", "socket.__new__"),
        ("import threading; t = threading.Thread(target=int); t.start(); t.join()", "thread"),
        ("import subprocess; subprocess.run([sys.executable, '-c', ''])", "subprocess.Popen"),
    ],
)
def test_the_probe_detects_each_kind_of_action(statement, action):
    assert action in in_a_new_interpreter(statement)["actions"]
