"""Two services talk: client → orders API → stock API, each with a token of its own, all three at one issuer.

`python examples/two_services` ends by itself, and fails where an answer is not the expected one.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

import httpx2
import orders_api
import stock_api
import uvicorn
from fastapi import FastAPI

from m2mguard import Issuer, ResourceServer
from m2mguard.client import TokenSource
from m2mguard.client.httpx2 import TokenAuth
from m2mguard.testing import Application, LocalIssuer, Resource

APPLICATIONS = {
    "web-shop": Application(secret="secret of web-shop", scopes={orders_api.AUDIENCE: ["read:orders"]}),
    "orders-service": Application(secret="secret of orders-service", scopes={stock_api.AUDIENCE: ["read:stock"]}),
}
RESOURCES = {
    orders_api.AUDIENCE: Resource(scopes=["read:orders"]),
    stock_api.AUDIENCE: Resource(scopes=["read:stock"]),
}


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Run an app under uvicorn on a free port of loopback, and give its URL."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
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
    """What the client sees."""
    shop = source(issuer, "web-shop", orders_api.AUDIENCE, "read:orders")
    with httpx2.Client(auth=TokenAuth(shop, orders_url), base_url=orders_url) as client:
        order = client.get("/orders/tea").json()
        expect("the orders API was called by", "web-shop", order["order_of"])
        expect("the stock API was called by", "orders-service", order["stock"]["asked_by"])

        passed_on = httpx2.get(f"{stock_url}/stock/tea", headers={"Authorization": shop.token().authorization})
        expect("had the orders API passed on its caller's token, the answer had been", 401, passed_on.status_code)

        for _ in range(10):
            client.get("/orders/tea").raise_for_status()
        expect("token requests of both services for 11 calls", 2, issuer.count("token"))

        issuer.stop()
        expect("with the issuer gone, the answer still is", 200, client.get("/orders/tea").status_code)


with LocalIssuer(applications=APPLICATIONS, resources=RESOURCES) as issuer:
    trusted = Issuer.logto(issuer.endpoint)
    stock = stock_api.create_app(ResourceServer(trusted, audience=stock_api.AUDIENCE))
    with serving(stock) as stock_url:
        orders = orders_api.create_app(
            ResourceServer(trusted, audience=orders_api.AUDIENCE),
            source(issuer, "orders-service", stock_api.AUDIENCE, "read:stock"),
            stock_url,
        )
        with serving(orders) as orders_url:
            main(issuer, stock_url, orders_url)
