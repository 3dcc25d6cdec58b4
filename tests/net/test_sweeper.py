"""The thread that looks at open things: there is one, however many things begin at once, and none after the last."""

import threading
import time

from m2mguard.net._sweeper import Sweeper

NAME = "m2mguard-test-sweeper"


def threads():
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def test_things_that_begin_at_once_share_one_thread():
    for _ in range(30):
        sweeper = Sweeper(NAME, lambda thing: None)
        things = [object() for _ in range(8)]
        begin = threading.Barrier(len(things))

        def add(thing, sweeper=sweeper, begin=begin):
            begin.wait()
            sweeper.add(thing)

        adding = [threading.Thread(target=add, args=(thing,)) for thing in things]
        for thread in adding:
            thread.start()
        for thread in adding:
            thread.join()
        found = threads()
        for thing in things:
            sweeper.remove(thing)
        for thread in found:
            thread.join(10)
        assert len(found) == 1


def test_each_thing_is_looked_at_until_it_is_removed():
    looked_at = threading.Semaphore(0)
    sweeper = Sweeper(NAME, lambda thing: looked_at.release())
    thing = object()
    sweeper.add(thing)
    assert looked_at.acquire(timeout=10)
    assert looked_at.acquire(timeout=10)
    sweeper.remove(thing)
    end = time.monotonic() + 10
    while threads():
        assert time.monotonic() < end
        time.sleep(0.02)
    sweeper.add(thing)
    assert looked_at.acquire(timeout=10)
    sweeper.remove(thing)
