"""Fixtures and hooks of all tests. The fixtures of one folder are in its own conftest.py."""

import contextlib
import gc
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from hypothesis import settings

from m2mguard.testing import LocalIssuer
from tests.manual_clock import ManualClock
from tests.observed_events import ObservedEvents

SECURITY_PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "security.md"
NAMED_TEST = re.compile(r"`((?:\w+/)*test_\w+\.py)::(test_\w+)`")
settings.register_profile("no deadline", deadline=None)  # a test machine is no stop-watch
settings.load_profile("no deadline")

SLOW_FOLDERS = {
    "benchmarks",
    "browser",
    "dev",
    "docs",
    "examples",
    "interop",
    "mcp",
    "migrate",
    "servers",
    "grpc_server",
}
STARTING = ("subprocess", "running", "running_command")  # names in a module that starts processes
SLOW_FIXTURES = {"pytester", "serve", "served"}
MAY_BE_SKIPPED = (
    "tests/security/test_vectors.py",  # if the vectors are not available
    "tests/certificates/test_proxies.py",  # if HAProxy or nginx is not installed
    "tests/interop/test_certificate_bound_tokens.py",
)


class NamedTests:
    """Fails a run if a test that docs/explanation/security.md names did not pass; in a full run also if it did not run."""

    def __init__(self, config: pytest.Config) -> None:
        self.outcomes: dict[str, set[str]] = {}
        self.is_full_run = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not (
            config.option.markexpr or config.option.keyword
        )
        self.problems: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self.outcomes.setdefault(report.nodeid.partition("[")[0], set()).add(report.outcome)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        for file, name in sorted(set(NAMED_TEST.findall(SECURITY_PAGE.read_text()))):
            test = f"tests/{file}::{name}"
            outcomes = self.outcomes.get(test, set())
            if outcomes - ({"passed", "skipped"} if test.startswith(MAY_BE_SKIPPED) else {"passed"}):
                self.problems.append(f"docs/explanation/security.md names {test}, which did not pass")
            elif not outcomes and self.is_full_run and exitstatus == pytest.ExitCode.OK:
                self.problems.append(f"docs/explanation/security.md names {test}, which did not run")
        if self.problems and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for problem in self.problems:
            terminalreporter.write_line(problem, red=True)


def pytest_configure(config: pytest.Config) -> None:
    gc.disable()  # what is collected lives until the end; a fifth of the time of the collection would go to garbage collections
    if not hasattr(config, "workerinput"):  # under pytest-xdist the controller sees every report
        config.pluginmanager.register(NamedTests(config), "named-tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test as slow that starts a process or a server of a framework."""
    for item in items:
        module = getattr(item, "module", None)
        starts_a_process = SLOW_FOLDERS & set(item.path.parts) or any(hasattr(module, name) for name in STARTING)
        if starts_a_process or SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """Leave what thousands of tests are made of out of every later garbage collection."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def no_thread_remains() -> Iterator[None]:
    """Fail a test that ends while a thread that it started still runs. Threads get a few seconds to end."""
    before = set(threading.enumerate())
    yield
    # Trio keeps the threads of its cache for ten seconds; the runner of asynchronous tests uses one. Dummy threads represent
    # threads that C code starts and ends, such as those of gRPC.
    started = [t for t in threading.enumerate() if t not in before and not t.name.startswith(("Trio thread", "Dummy"))]
    # The single-thread executors of asgiref end when they are garbage-collected; frames of an exception may still refer to them.
    for generation, longest_wait_s in ((1, 0.1), (2, 5)):
        if any(thread.is_alive() for thread in started):
            gc.collect(generation)
        for thread in started:
            thread.join(timeout=longest_wait_s)
    alive = [thread.name for thread in started if thread.is_alive()]
    assert not alive, f"threads still running after the test: {alive}"


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """A running issuer for one test. A module that needs another kind of issuer, or one for all its tests, has its own fixture."""
    with LocalIssuer(algorithm="ES256") as running:  # ES256 signs quickly
        yield running


@pytest.fixture
def clock() -> ManualClock:
    """A clock that the test moves."""
    return ManualClock()


@pytest.fixture
def events() -> ObservedEvents:
    """An `on_event` that records the events."""
    return ObservedEvents()


@pytest.fixture
def serve(no_thread_remains: None) -> Iterator[Callable[[Any], str]]:
    """Serve ASGI apps under uvicorn on loopback while the test runs: `url = serve(app)`."""
    with contextlib.ExitStack() as stack:
        yield lambda app: stack.enter_context(under_uvicorn(app))


@contextlib.contextmanager
def under_uvicorn(
    app: Any = None,
    *,
    build: Callable[[str], Any] | None = None,
    ws: str = "none",
    max_head_bytes: int = 16_384,
    **more: Any,
) -> Iterator[str]:
    """Serve an ASGI app on loopback inside the block, or the one that `build` makes for the URL. `serve` does it for one test.

    `more` are further settings of uvicorn.
    """
    # The socket listens before the server runs, so the first request waits in its queue and no test has to poll.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()
        url = f"http://{host}:{port}"
        app = app if build is None else build(url)
        config = uvicorn.Config(app, log_level="warning", ws=ws, h11_max_incomplete_event_size=max_head_bytes, **more)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="uvicorn")
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join(timeout=10)
            assert not thread.is_alive(), "uvicorn did not stop"
