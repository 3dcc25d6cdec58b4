"""No lock is held across I/O, a wait or a callback: the tests replace every lock and check its holder at those points."""

import threading
from typing import Any, ClassVar

import pytest

from m2mguard import InvalidToken, Issuer, KeyCaching, KeysUnavailable, ResourceServer
from m2mguard.net import HttpTransport
from m2mguard.net._flight import Flight
from m2mguard.testing import SHOPPING_API, SigningKey, faults

RealLock = threading.Lock


class WatchedLock:
    """A lock that records the thread that holds it."""

    made: ClassVar[list["WatchedLock"]] = []

    def __init__(self) -> None:
        self._lock = RealLock()
        self.holder: int | None = None
        WatchedLock.made.append(self)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self, *args: Any) -> bool:
        acquired = self._lock.acquire(*args)
        if acquired:
            self.holder = threading.get_ident()
        return acquired

    def release(self) -> None:
        self.holder = None
        self._lock.release()

    def locked(self) -> bool:
        return self._lock.locked()


class Checkpoints:
    """Points at which the current thread must hold no lock."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.held: list[str] = []

    def check(self, point: str) -> None:
        self.counts[point] = self.counts.get(point, 0) + 1
        if any(lock.holder == threading.get_ident() for lock in WatchedLock.made):
            self.held.append(point)


@pytest.fixture
def checkpoints(monkeypatch):
    checkpoints = Checkpoints()
    wait, start, finish = Flight.wait, Flight.start, Flight.finish
    monkeypatch.setattr(WatchedLock, "made", [])
    for module in ("m2mguard.net._shared_fetch", "m2mguard._server.verifier"):
        monkeypatch.setattr(f"{module}.new_lock", WatchedLock)

    def with_check(name, method):
        def call(self, *args):
            checkpoints.check(name)
            return method(self, *args)

        return call

    monkeypatch.setattr(Flight, "wait", with_check("wait", wait))
    monkeypatch.setattr(Flight, "start", with_check("start", start))
    monkeypatch.setattr(Flight, "finish", with_check("finish", finish))
    return checkpoints


class WatchedTransport:
    def __init__(self, checkpoints):
        self._checkpoints = checkpoints
        self._transport = HttpTransport()

    def request(self, *args, **kwargs):
        self._checkpoints.check("request")
        return self._transport.request(*args, **kwargs)


def test_no_lock_is_held_across_io_a_wait_or_a_callback(issuer, checkpoints):
    server = ResourceServer(
        Issuer.logto(issuer.endpoint),
        audience=SHOPPING_API,
        caching=KeyCaching(timeout=1.5, connect_timeout=1.5, max_wait=0.1),
        transport=WatchedTransport(checkpoints),
        on_event=lambda event: checkpoints.check("callback"),
    )
    forged = issuer.mint(key=SigningKey.generate("ES256", kid="forged"))
    server.verify(issuer.mint())
    with pytest.raises(InvalidToken):
        server.verify(forged)
    issuer.misbehave("jwks", faults.hang())
    with pytest.raises(KeysUnavailable):
        server.verify(forged)
    server.refresh()
    issuer.behave()
    server.refresh()
    server.purge()
    server.verify(issuer.mint())
    assert len(WatchedLock.made) >= 2
    assert checkpoints.held == []
    assert min(checkpoints.counts[point] for point in ("wait", "start", "finish", "request", "callback")) >= 3


def test_no_lock_is_held_during_a_fetch_with_waiting_callers(issuer, checkpoints):
    server = ResourceServer(
        Issuer.logto(issuer.endpoint), audience=SHOPPING_API, transport=WatchedTransport(checkpoints)
    )
    with issuer.hold("jwks") as gate:
        callers = [threading.Thread(target=server.verify, args=(issuer.mint(),)) for _ in range(20)]
        for caller in callers:
            caller.start()
        gate.wait_for(1)
        assert server.health().ready is False
        assert not any(lock.locked() for lock in WatchedLock.made)
        gate.release()
        for caller in callers:
            caller.join()


def test_a_held_lock_is_detected(checkpoints):
    lock = WatchedLock()
    with lock:
        checkpoints.check("here")
    assert checkpoints.held == ["here"]


def test_no_thread_remains_after_a_fetch(issuer):
    before = set(threading.enumerate())
    server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
    assert set(threading.enumerate()) == before  # a constructor starts no thread
    for _ in range(5):
        server.refresh()
        server.verify(issuer.mint())
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert set(threading.enumerate()) == before
