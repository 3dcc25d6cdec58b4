"""A thread that looks at something again and again, as long as its owner exists."""

import gc
import threading

import pytest

from m2mguard.net._watcher import Watcher
from tests.blocklist.conftest import until


class Owner:
    """Counts its looks, and can be told to look at once."""

    def __init__(self, pause_s: float = 60.0) -> None:
        self.looks = 0
        self.reason = threading.Event()
        self.watcher = Watcher(self.look, pause=self.pause, pause_s=pause_s, name="test-watcher")

    def look(self) -> None:
        self.looks += 1

    def pause(self, seconds: float) -> bool:
        if self.reason.wait(min(seconds, 0.02)):
            self.reason.clear()
            return True
        return False


@pytest.fixture
def owner():
    made = Owner()
    yield made
    made.watcher.close()


def runs() -> bool:
    return any(thread.name == "test-watcher" for thread in threading.enumerate())


def test_it_looks_at_once_and_when_there_is_reason(owner):
    assert not owner.watcher.has_looked
    assert owner.watcher.start()
    assert owner.watcher.first_look.wait(10)
    assert (owner.looks, owner.watcher.has_looked) == (1, True)
    owner.reason.set()
    until(lambda: owner.looks == 2)
    assert owner.watcher.start()
    assert owner.looks == 2  # there is one thread


def test_it_looks_again_after_the_pause():
    owner = Owner(pause_s=0.05)
    owner.watcher.start()
    until(lambda: owner.looks >= 3)
    owner.watcher.close()
    until(lambda: not runs())


def test_it_ends_when_it_is_closed_and_does_not_start_again(owner):
    owner.watcher.start()
    assert owner.watcher.first_look.wait(10)
    owner.watcher.close()
    until(lambda: not runs())
    assert not owner.watcher.start()
    owner.watcher.rest(60)  # does not wait


def test_it_ends_with_its_owner():
    owner = Owner()
    owner.watcher.start()
    assert owner.watcher.first_look.wait(10)
    del owner
    gc.collect()
    until(lambda: not runs())


def test_where_no_thread_can_be_started_the_next_call_tries_again(owner, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", lambda _: (_ for _ in ()).throw(RuntimeError("no more threads")))
        assert not owner.watcher.start()
    assert owner.looks == 0
    assert owner.watcher.start()
    assert owner.watcher.first_look.wait(10)
