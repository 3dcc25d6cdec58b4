"""What the fixtures of the test kit cost a suite: from the set-up of one test to its first verified token."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from benchmarks.measure import Effort, Measured, summary
from m2mguard import Requirement
from m2mguard.testing import LocalIssuer, TestServer, calling_as, fake_caller

RUNS = 20
WITHOUT_HTTP = "`m2m_server`: issuer, server and one verified token, without HTTP"


def fixture_times(_effort: Effort) -> dict[str, Measured]:
    """Seconds by the clock on the wall, of one thread's work."""
    return {
        "`m2m_server`: issuer and server": _measured(lambda: _server(http=False, verifies=False)),
        WITHOUT_HTTP: _measured(lambda: _server(http=False, verifies=True)),
        "`m2m_served`: the same over HTTP": _measured(lambda: _server(http=True, verifies=True)),
        "`calling_as`: a request without a token": _measured(_call),
    }


def summary_line(times: dict[str, Measured]) -> str:
    """The one figure that a run prints."""
    return f"{WITHOUT_HTTP}: {times[WITHOUT_HTTP].median_s * 1e3:.2f} ms"


def _server(*, http: bool, verifies: bool) -> None:
    with LocalIssuer() as issuer:  # as the fixture `m2m_issuer`
        server = TestServer(issuer, http=http)
        if verifies:
            server.verify(server.token())


_SERVER = TestServer()
_READ = Requirement(scopes=["read"])
_READER = fake_caller(scopes=["read"])


def _call() -> None:
    with calling_as(_SERVER, _READER):
        _SERVER.authenticate([], _READ)


def _measured(function: Callable[[], None]) -> Measured:
    function()
    times = []
    for _ in range(RUNS):
        began = perf_counter()
        function()
        times.append(perf_counter() - began)
    return summary(times)
