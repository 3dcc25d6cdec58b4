"""An order system: a nightly job calls the orders API (FastAPI), which calls the stock API (Django), each with a token of its own.

`python examples/order_system` starts all of it with a local issuer, ends by itself, and fails where an answer is not the expected one.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import nightly_report
import orders_api
import stock_site
import uvicorn

from m2mguard import Issuer, ResourceServer
from m2mguard.client import TokenSource
from m2mguard.testing import Application, LocalIssuer, Resource

APPLICATIONS = {
    "nightly-report": Application(secret="secret of nightly-report", scopes={orders_api.AUDIENCE: ["read:orders"]}),
    "orders-service": Application(secret="secret of orders-service", scopes={stock_site.AUDIENCE: ["read:stock"]}),
}
RESOURCES = {
    orders_api.AUDIENCE: Resource(scopes=["read:orders"]),
    stock_site.AUDIENCE: Resource(scopes=["read:stock"]),
}


@contextlib.contextmanager
def serving(app: Any) -> Iterator[str]:
    """Run an app under uvicorn on a free port of loopback, and give its URL."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", ws="none", loop="asyncio"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def source(issuer: LocalIssuer, app_id: str, resource: str, scope: str) -> TokenSource:
    """Where an application's token for an API comes from. In production the secret comes from a secret store."""
    secret = APPLICATIONS[app_id].secret
    return TokenSource.logto(issuer.endpoint, app_id, secret, resource=resource, scopes=[scope])


def expect(what: str, expected: object, found: object) -> None:
    """Print what happened, and end with an error where it is not what should have."""
    print(f"{what}: {found}")
    if found != expected:
        sys.exit(f"expected {expected}")


def main(issuer: LocalIssuer, stock_url: str, orders_url: str) -> None:
    """What the job sees."""
    report = source(issuer, "nightly-report", orders_api.AUDIENCE, "read:orders")
    expect("the first run of the job", {"tea": 3, "milk": 4, "sugar": 5}, nightly_report.run(report, orders_url))

    headers = {"Authorization": report.token().authorization}
    order = httpx2.get(f"{orders_url}/orders/tea", headers=headers).json()
    expect("the orders API was called by", "nightly-report", order["order_of"])
    expect("the stock API was called by", "orders-service", order["stock"]["asked_by"])
    passed_on = httpx2.get(f"{stock_url}/stock/tea", headers=headers)
    expect("had the orders API passed on its caller's token, the answer had been", 401, passed_on.status_code)

    for _ in range(3):
        nightly_report.run(report, orders_url)
    expect("token requests of both services for 4 runs", 2, issuer.count("token"))

    issuer.stop()
    expect(
        "with the issuer gone, the next run", {"tea": 3, "milk": 4, "sugar": 5}, nightly_report.run(report, orders_url)
    )


with LocalIssuer(applications=APPLICATIONS, resources=RESOURCES) as issuer:
    trusted = Issuer.logto(issuer.endpoint)
    stock = stock_site.create_app(ResourceServer(trusted, audience=stock_site.AUDIENCE))
    with serving(stock) as stock_url:
        orders = orders_api.create_app(
            ResourceServer(trusted, audience=orders_api.AUDIENCE),
            source(issuer, "orders-service", stock_site.AUDIENCE, "read:stock"),
            stock_url,
        )
        with serving(orders) as orders_url:
            main(issuer, stock_url, orders_url)
