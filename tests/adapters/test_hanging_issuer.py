"""While an issuer hangs, requests that need no keys are answered at once: on one event loop nothing else waits."""

import concurrent.futures
import statistics
import time

import urllib3
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from m2mguard import KeyCaching, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.testing import SHOPPING_API, LocalIssuer, faults

WAITING = 20


def test_a_public_request_is_not_delayed(serve, capsys):
    app = Starlette(routes=[Route("/{path:path}", lambda request: PlainTextResponse("in"))])
    with LocalIssuer(algorithm="ES256") as issuer:
        issuer.misbehave("jwks", faults.hang())
        server = ResourceServer(issuer.trusted, audience=SHOPPING_API, caching=KeyCaching(timeout=2))
        url = serve(BearerAuthMiddleware(app, server, public=["/healthz"]))
        fields = {"Authorization": f"Bearer {issuer.mint()}"}
        with (
            concurrent.futures.ThreadPoolExecutor(WAITING) as pool,
            urllib3.PoolManager(maxsize=WAITING + 1, retries=False, timeout=20) as http,
        ):
            http.request("GET", f"{url}/healthz")
            waiting = [pool.submit(http.request, "GET", f"{url}/orders", headers=fields) for _ in range(WAITING)]
            while issuer.count("jwks") == 0:
                time.sleep(0.01)
            took_s = []
            for _ in range(20):
                began = time.perf_counter()
                assert http.request("GET", f"{url}/healthz").data == b"in"
                took_s.append(time.perf_counter() - began)
            still = sum(not one.done() for one in waiting)
            assert [one.result().status for one in waiting] == [503] * WAITING
    median_ms, longest_ms = (measure(took_s) * 1e3 for measure in (statistics.median, max))
    with capsys.disabled():
        print(f"\n{still} requests waited for keys; a public one took {median_ms:.1f} ms, at most {longest_ms:.1f} ms")
    assert still == WAITING
    assert median_ms < 1_000
