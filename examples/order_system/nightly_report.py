"""A scheduled job: asks the orders API about a few things, with a token of its own, and adds up what it hears."""

from collections.abc import Collection

import httpx2

from m2mguard.client import TokenSource
from m2mguard.client.httpx2 import TokenAuth

THINGS = ("tea", "milk", "sugar")


def run(source: TokenSource, orders_url: str, things: Collection[str] = THINGS) -> dict[str, int]:
    """One run of the job. `source` is kept between runs, so that a token that is still good is used again."""
    with httpx2.Client(auth=TokenAuth(source, orders_url), base_url=orders_url) as client:
        answers = [client.get(f"/orders/{thing}").raise_for_status().json() for thing in things]
    return {answer["stock"]["thing"]: answer["stock"]["in_stock"] for answer in answers}
