"""What tests of every room share. Fixtures of one room stand in that room's folder."""

import contextlib
import gc
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
import uvicorn

OUTCOMES = pytest.StashKey[dict[str, set[str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[OUTCOMES] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks how the other tests went comes last."""
    items.sort(key=lambda item: item.path.name == "test_security_page.py")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" or not report.passed:
        item.config.stash[OUTCOMES].setdefault(item.nodeid.partition("[")[0], set()).add(report.outcome)
    return report


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    """Fail a test that ends while a thread it started still runs. Ending threads get a moment to end."""
    before = set(threading.enumerate())
    yield
    # Trio keeps the threads of its own cache for ten idle seconds; the runner of asynchronous tests takes one. Dummies stand
    # for threads that C code runs and ends, as gRPC's does.
    started = [t for t in threading.enumerate() if t not in before and not t.name.startswith(("Trio thread", "Dummy"))]
    # asgiref's executors of one thread end when nobody holds them, which the frames of an exception do until they are collected.
    for generation, patience_s in ((1, 0.1), (2, 5)):
        if any(thread.is_alive() for thread in started):
            gc.collect(generation)
        for thread in started:
            thread.join(timeout=patience_s)
    alive = [thread.name for thread in started if thread.is_alive()]
    assert not alive, f"threads still running after the test: {alive}"


@pytest.fixture
def serve(no_thread_is_left_behind: None) -> Iterator[Callable[[Any], str]]:
    """Serve ASGI apps under uvicorn on loopback while the test runs: `url = serve(app)`."""
    with contextlib.ExitStack() as stack:
        yield lambda app: stack.enter_context(under_uvicorn(app))


@contextlib.contextmanager
def under_uvicorn(app: Any) -> Iterator[str]:
    """Serve an ASGI app on loopback inside the block. `serve` does it for one test."""
    # The socket listens before the server runs, so the first request waits in its queue and nobody has to poll.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="uvicorn")
        thread.start()
        try:
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)
            assert not thread.is_alive(), "uvicorn did not stop"
