"""1,000 first requests at once share one fetch, whatever they run on; nobody blocks an event loop, and few threads are started."""

import asyncio
import threading
import time

import anyio
import anyio.lowlevel
import pytest
import trio

from m2mguard import Issuer, ResourceServer
from m2mguard.testing import SHOPPING_API

CALLERS = 1000


def fetching_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("m2mguard")
            and thread.name != "m2mguard-local-issuer"]  # fmt: skip


@pytest.fixture
def server(issuer):
    return ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)


class Crowd:
    """Sends every caller off while the issuer is held back, and lets it answer when all of them wait."""

    def __init__(self, issuer, server):
        self.issuer = issuer
        self.server = server
        self.tokens = [issuer.mint(f"app-{number % 7}") for number in range(CALLERS)]
        self.app_ids = []
        self.longest_block_s = 0.0

    def by_threads(self, count):
        share = self.tokens[:count]
        return [threading.Thread(target=lambda token=token: self._keep(self.server.verify(token))) for token in share]

    async def on_a_loop(self, count, release):
        stop = anyio.Event()
        async with anyio.create_task_group() as watch:
            watch.start_soon(self._watch, stop)
            async with anyio.create_task_group() as callers:
                for token in self.tokens[:count]:
                    callers.start_soon(self._call, token)
                await anyio.lowlevel.checkpoint()
                await anyio.sleep(0.02)
                if release is not None:
                    release()
            stop.set()

    async def _call(self, token):
        self._keep(await self.server.averify(token))

    def _keep(self, caller):
        self.app_ids.append(caller.app_id)

    async def _watch(self, stop):
        while not stop.is_set():
            before = time.perf_counter()
            await anyio.sleep(0.001)
            self.longest_block_s = max(self.longest_block_s, time.perf_counter() - before)

    def check(self, callers):
        assert len(self.app_ids) == callers
        assert set(self.app_ids) == {f"app-{number}" for number in range(7)}
        assert self.issuer.count("jwks") == 1
        assert self.issuer.count("discovery") == 1


def test_threads(issuer, server):
    crowd = Crowd(issuer, server)
    threads = crowd.by_threads(CALLERS)
    with issuer.hold("jwks") as gate:
        for thread in threads:
            thread.start()
        gate.wait_for(1)
        assert len(fetching_threads()) == 1
        gate.release()
        for thread in threads:
            thread.join()
    crowd.check(CALLERS)


@pytest.mark.parametrize("backend", ["asyncio", "trio", "asyncio without anyio.run", "trio without anyio.run"])
def test_one_event_loop(issuer, server, backend):
    crowd = Crowd(issuer, server)
    threads_before = set(threading.enumerate())
    with issuer.hold("jwks") as gate:

        def release():
            gate.wait_for(1)
            assert len(set(threading.enumerate()) - threads_before) == 1  # one of before may have ended meanwhile
            gate.release()

        if backend == "asyncio without anyio.run":
            asyncio.run(crowd.on_a_loop(CALLERS, release))
        elif backend == "trio without anyio.run":
            trio.run(crowd.on_a_loop, CALLERS, release)
        else:
            anyio.run(crowd.on_a_loop, CALLERS, release, backend=backend)
    crowd.check(CALLERS)


def test_the_loop_goes_round_while_the_issuer_takes_its_time(issuer, server):
    crowd = Crowd(issuer, server)
    with issuer.hold("jwks") as gate:
        opener = threading.Timer(0.5, gate.release)
        opener.start()
        anyio.run(crowd.on_a_loop, 20, None)
        opener.join()
    assert crowd.longest_block_s < 0.4
    assert len(crowd.app_ids) == 20


def test_three_event_loops_and_threads_together(issuer, server):
    crowd = Crowd(issuer, server)
    threads = crowd.by_threads(250)
    threads += [
        threading.Thread(target=anyio.run, args=(crowd.on_a_loop, 250, None), kwargs={"backend": backend})
        for backend in ("asyncio", "asyncio", "trio")
    ]
    with issuer.hold("jwks") as gate:
        for thread in threads:
            thread.start()
        gate.wait_for(1)
        assert len(fetching_threads()) == 1
        gate.release()
        for thread in threads:
            thread.join()
    crowd.check(CALLERS)


def test_a_request_that_joins_while_warm_up_fetches_shares_its_fetch(issuer, server):
    with issuer.hold("jwks") as gate:
        warming = threading.Thread(target=server.warm_up)
        warming.start()
        gate.wait_for(1)
        joining = threading.Thread(target=server.verify, args=(issuer.mint(),))
        joining.start()
        gate.release()
        warming.join()
        joining.join()
    assert issuer.count("jwks") == 1
