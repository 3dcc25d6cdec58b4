"""One flight, awaited on several kinds of event loop at once: each waiter is woken, nothing is imported, nothing is left over."""

import asyncio
import contextlib
import subprocess
import sys
import textwrap
import threading

import pytest
import trio

from m2mguard.net._flight import Flight


class Held(Flight):
    """A flight that ends when a test sets `may_end`."""

    def __init__(self):
        self.may_end = threading.Event()
        super().__init__(lambda: self.may_end.wait(10), name="held")


@pytest.fixture
def flight():
    flight = Held()
    flight.start()
    yield flight
    flight.may_end.set()


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    return pytest.importorskip(request.param).run


async def until_all_wait(flight):
    """Run the other tasks until all of them wait for the flight."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_waiters_are_woken_or_time_out_at_their_own_limit(flight, run):
    async def main():
        waiting = [asyncio.create_task(flight.wait_async(10)) for _ in range(3)]
        assert [await flight.wait_async(bound) for bound in (0, 0.01, -1)] == [False, False, False]
        flight.may_end.set()
        assert await asyncio.gather(*waiting) == [True, True, True]
        assert await flight.wait_async(0) is True

    run(main())


def test_a_cancellation_ends_one_wait_only_even_while_the_flight_finishes(flight, run):
    async def main():
        errors = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
        waiting = [asyncio.create_task(flight.wait_async(10)) for _ in range(4)]
        await until_all_wait(flight)
        waiting[0].cancel()
        await until_all_wait(flight)
        flight.finish()
        waiting[1].cancel()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert [isinstance(one, asyncio.CancelledError) for one in ended[:2]] == [True, True]
        assert ended[2:] == [True, True]
        assert errors == []

    run(main())


def test_waiting_starts_no_task_and_leaves_no_future_or_timer(flight, run):
    async def main():
        loop = asyncio.get_running_loop()
        waiting = [asyncio.create_task(flight.wait_async(bound)) for bound in (0.01, 10, 0.01, 10)]
        await until_all_wait(flight)
        assert asyncio.all_tasks() == {asyncio.current_task(), *waiting}
        waiting[1].cancel()
        await asyncio.wait(waiting[:3])
        [waiters] = flight._waiters.values()
        assert len(waiters._futures) == 1
        flight.may_end.set()
        assert await waiting[3] is True
        assert (waiters._futures, flight._waiters) == (set(), {})
        assert all(timer.cancelled() for timer in getattr(loop, "_scheduled", ()))

    run(main())


def test_every_event_loop_of_the_process_is_woken(flight):
    finished = []
    ready = threading.Barrier(5)

    async def wait():
        ready.wait(10)
        finished.append(await flight.wait_async(10))

    async def wait_in_trio():
        await wait()

    threads = [threading.Thread(target=asyncio.run, args=(wait(),)) for _ in range(2)]
    threads += [threading.Thread(target=trio.run, args=(wait_in_trio,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    ready.wait(10)
    flight.may_end.set()
    for thread in threads:
        thread.join(10)
    assert finished == [True] * 4


def test_trio_as_a_guest_of_asyncio_is_distinguished_from_its_host(flight):
    """A task of each library waits; a task that is resumed by the wrong library never ends."""
    finished = {}

    timed_out = asyncio.Event()

    async def guest():
        finished["trio, too short"] = await flight.wait_async(0.01)
        timed_out.set()
        finished["trio"] = await flight.wait_async(10)

    async def main():
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        trio.lowlevel.start_guest_run(
            guest,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=ended.set_result,
        )
        finished["asyncio, too short"] = await flight.wait_async(0.01)
        await timed_out.wait()
        finishing = loop.call_later(0.01, flight.may_end.set)
        finished["asyncio"] = await flight.wait_async(10)
        (await ended).unwrap()
        finishing.cancel()

    asyncio.run(main())
    assert finished == {"trio, too short": False, "asyncio, too short": False, "trio": True, "asyncio": True}


def test_trio_inside_an_asyncio_task_is_recognized_as_trio(flight):
    """This is the case in a notebook, whose kernel is an asyncio task."""

    async def main():
        assert [trio.run(flight.wait_async, bound) for bound in (0.01, 0, -1)] == [False, False, False]
        threading.Timer(0.01, flight.may_end.set).start()
        assert trio.run(flight.wait_async, 10) is True

    asyncio.run(main())


def test_waiters_are_woken_although_another_loop_closed_with_waiters(flight):
    loop = asyncio.new_event_loop()
    abandoned = loop.create_task(flight.wait_async(10))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    with contextlib.closing(asyncio.new_event_loop()) as other:
        waiting = other.create_task(flight.wait_async(10))
        other.run_until_complete(asyncio.sleep(0))
        flight.may_end.set()
        assert other.run_until_complete(waiting) is True
    abandoned._log_destroy_pending = False  # the test abandons it on purpose


def test_waiting_outside_of_an_event_loop_is_an_error(flight):
    with pytest.raises(RuntimeError, match="no running event loop"):
        flight.wait_async(0).send(None)


@pytest.mark.parametrize(
    ("library", "run", "other"), [("asyncio", "asyncio.run(main())", "trio"), ("trio", "trio.run(main)", "anyio")]
)
def test_waiting_imports_nothing_on_the_event_loop(library, run, other):
    script = f"""
        import sys, {library}
        from m2mguard.net._flight import Flight

        async def main():
            flight = Flight(int, name="quick")
            before = set(sys.modules)
            assert await flight.wait_async(0.01) is False
            flight.start()
            assert await flight.wait_async(10) is True
            assert set(sys.modules) == before, set(sys.modules) - before
            assert not {{"anyio", {other!r}}} & before

        {run}
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
