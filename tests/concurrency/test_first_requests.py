"""Many first requests at once share one fetch, and none of them blocks the event loop."""

import time

import anyio
import anyio.lowlevel
import pytest

from m2mguard import Issuer, ResourceServer
from m2mguard.testing import SHOPPING_API, LocalIssuer, faults

CALLERS = 200
ISSUER_TAKES_S = 0.2


async def _longest_block(stop: anyio.Event, longest: list[float]) -> None:
    """Note the longest time for which the event loop did not come round."""
    while not stop.is_set():
        before = time.perf_counter()
        await anyio.lowlevel.checkpoint()
        longest[0] = max(longest[0], time.perf_counter() - before)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_200_first_requests_make_one_fetch_and_never_block_the_loop(backend, capsys):
    async def main() -> tuple[list[str], float]:
        app_ids: list[str] = []
        longest = [0.0]
        stop = anyio.Event()
        token = f"Bearer {issuer.mint()}"

        async def call() -> None:
            app_ids.append((await server.aauthenticate([token])).app_id)

        async with anyio.create_task_group() as watch:
            watch.start_soon(_longest_block, stop, longest)
            async with anyio.create_task_group() as callers:
                for _ in range(CALLERS):
                    callers.start_soon(call)
            stop.set()
        return app_ids, longest[0]

    with LocalIssuer() as issuer:
        issuer.misbehave("jwks", faults.delay(ISSUER_TAKES_S))
        server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
        app_ids, longest = anyio.run(main, backend=backend)
        assert app_ids == ["app-orders"] * CALLERS
        assert issuer.count("jwks") == 1
    with capsys.disabled():
        print(
            f"\n{backend}: {CALLERS} first requests, 1 fetch; the event loop came round at least every {longest * 1e3:.1f} ms"
        )
