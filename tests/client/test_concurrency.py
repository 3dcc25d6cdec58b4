"""A thousand callers share one request: threads, asyncio and trio, a forked child, greenlets."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from m2mguard.client import TokenEndpointUnavailable
from m2mguard.events import TokenRenewed
from m2mguard.testing import faults
from tests.client.conftest import LIFETIME_S

CALLERS = 1_000


def test_a_thousand_threads_make_one_request(issuer, source):
    barrier = threading.Barrier(CALLERS)
    tokens = []

    def call() -> None:
        barrier.wait(30)
        tokens.append(source.token())

    threads = [threading.Thread(target=call) for _ in range(CALLERS)]
    with issuer.hold("token") as gate:
        for thread in threads:
            thread.start()
        gate.wait_for(1)
    for thread in threads:
        thread.join(30)
    assert len(tokens) == CALLERS
    assert len({token.value for token in tokens}) == 1
    assert issuer.count("token") == 1


async def test_a_thousand_tasks_make_one_request(issuer, source):
    tokens = []

    async def call() -> None:
        tokens.append(await source.atoken())

    with issuer.hold("token") as gate:
        async with anyio.create_task_group() as group:
            for _ in range(CALLERS):
                group.start_soon(call)
            await anyio.to_thread.run_sync(gate.wait_for, 1)
            gate.release()
    assert len(tokens) == CALLERS
    assert len({token.value for token in tokens}) == 1
    assert issuer.count("token") == 1


def test_a_thousand_callers_of_a_failing_endpoint_make_one_request(issuer, source):
    issuer.misbehave("token", faults.status(503))

    def call(_: int) -> type[Exception]:
        with pytest.raises(TokenEndpointUnavailable) as raised:
            source.token()
        return raised.type

    with ThreadPoolExecutor(50) as pool:
        assert len(list(pool.map(call, range(CALLERS)))) == CALLERS
    assert issuer.count("token") == 1


async def test_a_cancelled_caller_does_not_cancel_the_request(issuer, source, events):
    with issuer.hold("token") as gate:
        async with anyio.create_task_group() as group:
            group.start_soon(source.atoken)
            await anyio.to_thread.run_sync(gate.wait_for, 1)
            group.cancel_scope.cancel()
    await anyio.to_thread.run_sync(events.next, TokenRenewed)
    await source.atoken()
    assert issuer.count("token") == 1


async def test_the_event_loop_continues_while_a_token_is_fetched(issuer, source):
    turns = 0
    with issuer.hold("token") as gate:
        async with anyio.create_task_group() as group:
            group.start_soon(source.atoken)
            await anyio.to_thread.run_sync(gate.wait_for, 1)
            for _ in range(100):
                await anyio.lowlevel.checkpoint()
                turns += 1
            gate.release()
    assert turns == 100


def test_concurrent_renewals_make_one_request(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    clock.advance(0.95 * LIFETIME_S)
    with issuer.hold("token") as gate, ThreadPoolExecutor(20) as pool:
        assert set(pool.map(lambda _: source.token(), range(200))) == {token}
        gate.wait_for(1)
    events.next(TokenRenewed)
    assert issuer.count("token") == 2


def test_concurrent_rejections_make_one_request(issuer, source, clock):
    token = source.token()
    clock.advance(31)
    with ThreadPoolExecutor(50) as pool:
        replaced = set(pool.map(source.replace, [token] * 200))
    assert replaced == {source.token()}
    assert issuer.count("token") == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_the_token_but_no_request_of_its_parent(issuer):
    run_script("forking.py", issuer.endpoint)
    assert issuer.count("token") == 4


def test_greenlets_share_one_request_and_do_not_block_each_other(issuer):
    run_script("greenlets.py", issuer.endpoint)
    assert issuer.count("token") == 1


def run_script(name: str, *arguments: str) -> None:
    script = Path(__file__).parent / "scripts" / name
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
