"""1,000 concurrent first requests share one fetch on any runtime, block no event loop, and start few threads."""

import asyncio
import threading

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


class Callers:
    """Starts all callers while the issuer holds its answer, and releases the answer when all of them wait."""

    def __init__(self, issuer, server):
        self.issuer = issuer
        self.server = server
        self.tokens = [issuer.mint(f"app-{number % 7}") for number in range(CALLERS)]
        self.app_ids = []

    def by_threads(self, count):
        share = self.tokens[:count]
        return [threading.Thread(target=lambda token=token: self._keep(self.server.verify(token))) for token in share]

    async def on_a_loop(self, count, release):
        async with anyio.create_task_group() as calling:
            for token in self.tokens[:count]:
                calling.start_soon(self._call, token)
            await anyio.lowlevel.checkpoint()
            await anyio.sleep(0.02)
            release()  # comes only if no task blocks the loop

    async def _call(self, token):
        self._keep(await self.server.averify(token))

    def _keep(self, caller):
        self.app_ids.append(caller.app_id)

    def check(self, callers):
        assert len(self.app_ids) == callers
        assert set(self.app_ids) == {f"app-{number}" for number in range(7)}
        assert self.issuer.count("jwks") == 1
        assert self.issuer.count("discovery") == 1


def test_threads_share_one_fetch(issuer, server):
    callers = Callers(issuer, server)
    threads = callers.by_threads(CALLERS)
    with issuer.hold("jwks") as gate:
        for thread in threads:
            thread.start()
        gate.wait_for(1)
        assert len(fetching_threads()) == 1
        gate.release()
        for thread in threads:
            thread.join()
    callers.check(CALLERS)


@pytest.mark.parametrize("backend", ["asyncio", "trio", "asyncio without anyio.run", "trio without anyio.run"])
def test_tasks_of_one_event_loop_share_one_fetch(issuer, server, backend):
    callers = Callers(issuer, server)
    threads_before = set(threading.enumerate())
    with issuer.hold("jwks") as gate:

        def release():
            gate.wait_for(1)
            assert len(set(threading.enumerate()) - threads_before) == 1  # an earlier thread may have ended meanwhile
            gate.release()

        if backend == "asyncio without anyio.run":
            asyncio.run(callers.on_a_loop(CALLERS, release))
        elif backend == "trio without anyio.run":
            trio.run(callers.on_a_loop, CALLERS, release)
        else:
            anyio.run(callers.on_a_loop, CALLERS, release, backend=backend)
    callers.check(CALLERS)


def test_three_event_loops_and_threads_share_one_fetch(issuer, server):
    callers = Callers(issuer, server)
    threads = callers.by_threads(250)
    threads += [
        threading.Thread(target=anyio.run, args=(callers.on_a_loop, 250, lambda: None), kwargs={"backend": backend})
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
    callers.check(CALLERS)


def test_a_request_during_warm_up_shares_its_fetch(issuer, server):
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
