"""Questions of many callers, sent in batches by one thread."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import trio

from m2mguard.net import _batches
from m2mguard.net._batches import Batches, NoAnswer
from m2mguard.net._flight import run_async, run_sync


def doubled(questions):
    return [2 * one for one in questions]


def test_each_caller_gets_its_own_answer():
    batches = Batches(doubled, timeout_s=10, name="test")
    assert run_sync(batches.ask(4)) == 8
    assert asyncio.run(run_async(batches.ask(5))) == 10
    assert trio.run(run_async, batches.ask(6)) == 12
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda one: run_sync(batches.ask(one)), range(200))) == doubled(range(200))


class Held:
    """Sends a batch when it is told to, and keeps what each batch held."""

    def __init__(self):
        self.batches = []
        self.began = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)

    def __call__(self, questions):
        self.batches.append(list(questions))
        self.began.release()
        assert self.go_on.acquire(timeout=20)
        return doubled(questions)


def test_what_waits_while_a_batch_is_in_flight_makes_the_next():
    held = Held()
    batches = Batches(held, timeout_s=20, name="test")
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(run_sync, batches.ask(1))
        assert held.began.acquire(timeout=20)
        others = [batches.ask(one) for one in (2, 3)]
        waits = [next(one) for one in others]  # they wait now
        held.go_on.release(2)
        assert first.result(20) == 2
        assert all(wait.flight.wait(20) for wait in waits)
    assert held.batches == [[1], [2, 3]]
    for number, work in ((2, others[0]), (3, others[1])):
        with pytest.raises(StopIteration) as end:
            work.send(True)
        assert end.value.value == 2 * number


def test_without_an_answer_nothing_is_sent_for_a_while(monkeypatch):
    sent = []

    def fail(questions):
        sent.append(list(questions))
        raise NoAnswer("it is down")

    batches = Batches(fail, timeout_s=10, name="test")
    for _ in range(5):
        with pytest.raises(NoAnswer, match="it is down"):
            run_sync(batches.ask(1))
    assert sent == [[1]]
    monkeypatch.setattr(_batches, "PAUSE_S", 0.0)
    batches = Batches(fail, timeout_s=10, name="test")
    for _ in range(2):
        with pytest.raises(NoAnswer):
            run_sync(batches.ask(1))
    assert sent == [[1]] * 3


def test_a_mistake_in_sending_wakes_those_who_wait():
    batches = Batches(lambda questions: questions[7], timeout_s=20, name="test")
    with pytest.raises(NoAnswer, match="IndexError"):
        run_sync(batches.ask(1))


def test_while_an_answer_is_late_nobody_else_waits():
    held = Held()
    batches = Batches(held, timeout_s=0.05, name="test")
    with pytest.raises(NoAnswer, match=r"within 0\.05 seconds"):
        run_sync(batches.ask(1))
    with pytest.raises(NoAnswer, match=r"within 0\.05 seconds"):
        next(batches.ask(2))
    held.go_on.release(5)


def test_there_is_a_bound_for_those_who_wait(monkeypatch):
    monkeypatch.setattr(_batches, "MAX_WAITING", 2)
    held = Held()
    batches = Batches(held, timeout_s=20, name="test")
    asked = [batches.ask(one) for one in range(4)]
    next(asked[0])
    assert held.began.acquire(timeout=20)
    for one in asked[1:3]:
        next(one)
    with pytest.raises(NoAnswer, match="2 others wait already"):
        next(asked[3])
    held.go_on.release(5)


def test_where_no_thread_can_be_started_nobody_waits(monkeypatch):
    batches = Batches(doubled, timeout_s=20, name="test")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", lambda _: (_ for _ in ()).throw(RuntimeError("no more threads")))
        with pytest.raises(NoAnswer, match="no thread can be started"):
            run_sync(batches.ask(1))
    assert run_sync(batches.ask(1)) == 2
