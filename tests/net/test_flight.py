"""One shared piece of I/O: waiting, time-outs, cancellation, and clean-up."""

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
import weakref

import anyio
import anyio.lowlevel
import pytest
import trio

from m2mguard.net._flight import CannotStart, Flight, Wait, after_fork_in_child, run_async, run_sync

BACKENDS = ["asyncio", "trio"]


class Held:
    """A flight whose work ends when a test sets `may_end`."""

    def __init__(self):
        self.runs = 0
        self.may_end = threading.Event()
        self.flight = Flight(self._work, name="held")

    def _work(self):
        self.runs += 1
        assert self.may_end.wait(10)


@pytest.fixture
def held():
    held = Held()
    held.flight.start()
    yield held
    held.may_end.set()


def test_waiting_ends_at_the_time_out_or_with_the_flight(held):
    assert held.flight.wait(0) is False
    assert held.flight.wait(0.01) is False
    held.may_end.set()
    assert held.flight.wait(10) is True
    assert held.flight.wait(0) is True


def test_the_work_runs_on_a_daemon_thread_that_ends_with_the_work(held):
    [thread] = [thread for thread in threading.enumerate() if thread.name == "held"]
    assert thread.daemon
    held.may_end.set()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("backend", BACKENDS)
def test_awaiting_ends_at_the_time_out_or_with_the_flight(held, backend):
    async def main():
        assert await held.flight.wait_async(0) is False
        assert await held.flight.wait_async(0.01) is False
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                group.start_soon(held.flight.wait_async, 10)
                await anyio.sleep(0.01)
                held.may_end.set()
        assert await held.flight.wait_async(0) is True

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cancelled_waiter_ends_its_own_wait_only(held, backend):
    outcomes = []

    async def waiter(scope=None):
        with scope or anyio.CancelScope():
            outcomes.append(await held.flight.wait_async(10))

    async def main():
        first = anyio.CancelScope()
        async with anyio.create_task_group() as group:
            group.start_soon(waiter, first)
            for _ in range(5):
                group.start_soon(waiter)
            await anyio.sleep(0.01)
            first.cancel()
            await anyio.sleep(0.01)
            assert outcomes == []
            held.may_end.set()

    anyio.run(main, backend=backend)
    assert outcomes == [True] * 5
    assert held.runs == 1


def test_cancelling_one_asyncio_task_leaves_the_others_waiting(held):
    async def main():
        tasks = [asyncio.create_task(held.flight.wait_async(10)) for _ in range(3)]
        await asyncio.sleep(0.01)
        tasks[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        held.may_end.set()
        assert await asyncio.gather(*tasks[1:]) == [True, True]

    asyncio.run(main())


@pytest.mark.parametrize("run", [asyncio.run, lambda main: trio.run(lambda: main)], ids=BACKENDS)
def test_waiters_are_woken_although_another_loop_has_ended(held, run):
    async def gives_up():
        await held.flight.wait_async(0.01)

    run(gives_up())  # this loop is closed now, but the flight still refers to it
    outcome = []
    waiting = threading.Thread(target=lambda: outcome.append(anyio.run(held.flight.wait_async, 10)))
    waiting.start()
    held.may_end.set()
    waiting.join()
    assert outcome == [True]


def test_work_that_raises_wakes_every_waiter(monkeypatch):
    raised = []
    monkeypatch.setattr(threading, "excepthook", lambda args: raised.append(args.exc_type))

    def work():
        raise ZeroDivisionError

    flight = Flight(work, name="raises")
    flight.start()
    assert flight.wait(10)
    for thread in threading.enumerate():
        if thread.name == "raises":
            thread.join(10)
    assert raised == [ZeroDivisionError]


def test_work_can_finish_the_flight_early_and_continue(held):
    held.flight.finish()
    assert held.flight.wait(0)
    assert held.runs == 1
    held.flight.finish()


def test_without_a_new_thread_the_work_is_not_done_on_the_callers_thread(tmp_path):
    """The test starts a process whose address space has no room for another thread's stack."""
    script = """
        import resource, threading
        from m2mguard.net._flight import CannotStart, Flight

        threading.stack_size(1 << 30)
        resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
        flight = Flight(lambda: print("the work was done"), name="never")
        try:
            flight.start()
        except CannotStart as error:
            print(error, flight.wait(0))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=30)
    assert done.stdout == "no thread can be started for the fetch True\n", done.stderr


def test_run_sync_and_run_async_run_the_same_steps():
    def steps(flight):
        first = yield Wait(flight, 0)
        flight.finish()
        second = yield Wait(flight, 0)
        return first, second

    assert run_sync(steps(Flight(print, name="a"))) == (False, True)
    assert anyio.run(run_async, steps(Flight(print, name="b"))) == (False, True)


def test_an_error_of_a_step_is_raised():
    def steps():
        finished = yield Wait(Flight(print, name="never"), 0)
        raise ZeroDivisionError(finished)

    with pytest.raises(ZeroDivisionError):
        run_sync(steps())
    with pytest.raises(ZeroDivisionError):
        anyio.run(run_async, steps())


def test_a_fork_hook_does_not_keep_its_object_alive():
    class Owner:
        def reset(self):
            """Never called."""

    owner = Owner()
    reference = weakref.ref(owner)
    after_fork_in_child(owner.reset)
    del owner
    gc.collect()
    assert reference() is None


def test_cannot_start_is_no_runtime_error():
    assert not issubclass(CannotStart, RuntimeError)


def test_a_deleted_object_is_not_called_in_a_child(monkeypatch):
    hooks = []
    monkeypatch.setattr(os, "register_at_fork", lambda after_in_child: hooks.append(after_in_child))

    class Owner:
        called = 0

        def after_fork(self):
            Owner.called += 1

    owner = Owner()
    after_fork_in_child(owner.after_fork)
    hooks[0]()
    del owner
    gc.collect()
    hooks[0]()
    assert Owner.called == 1


def test_a_platform_without_fork_needs_no_hook(monkeypatch):
    hooks = []
    monkeypatch.setattr(os, "register_at_fork", lambda **hook: hooks.append(hook))
    flight = Flight(int, name="any")
    after_fork_in_child(flight.finish)
    assert len(hooks) == 1
    monkeypatch.delattr(os, "register_at_fork")
    after_fork_in_child(flight.finish)
    assert len(hooks) == 1
