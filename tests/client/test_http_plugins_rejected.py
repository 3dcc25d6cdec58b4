"""Every HTTP plug-in after a 401 of the API: it replaces the token and repeats the request if it can."""

import asyncio

import aiohttp
import httpx2
import pytest
import requests

from m2mguard.client.aiohttp import TokenMiddleware
from m2mguard.client.httpx2 import TokenAuth as Httpx2TokenAuth
from m2mguard.client.requests import TokenAuth as RequestsTokenAuth
from m2mguard.events import TokenRenewed
from m2mguard.testing import faults

BODY = b'{"order": 7}'


@pytest.mark.parametrize("body", [None, BODY, b""])
def test_a_rejected_token_is_replaced_and_the_request_is_repeated_once(send, api, source, clock, issuer, body):
    first = source.token()
    api.rejected.add(first.value)
    clock.advance(31)
    assert send("POST", "/orders", body=body) == (200, body or b"")
    second = source.token()
    assert [request.authorization for request in api.received] == [first.authorization, second.authorization]
    assert [request.body for request in api.received] == [body or b""] * 2
    assert issuer.count("token") == 2


def test_an_api_that_rejects_every_token_gets_two_requests(send, api, source, clock, issuer):
    api.rejects_everything = True
    source.token()
    clock.advance(31)
    assert send("POST", "/orders", body=BODY) == (401, BODY)
    assert len(api.received) == issuer.count("token") == 2
    assert send("POST", "/orders", body=BODY) == (401, BODY)  # with a token that was just fetched
    assert (len(api.received), issuer.count("token")) == (3, 2)


def test_a_token_that_was_just_fetched_is_not_replaced(send, api, issuer):
    api.rejects_everything = True
    assert send("GET", "/orders")[0] == 401
    assert len(api.received) == issuer.count("token") == 1


def test_a_token_that_is_no_longer_current_is_not_replaced(send, api, source, clock, issuer):
    api.rejects_everything = True
    api.before_answering = lambda _: (clock.advance(7_200), source.token())
    assert send("GET", "/orders")[0] == 401
    assert (len(api.received), issuer.count("token")) == (1, 2)


def parts():
    """A body that can be sent only once."""
    yield BODY
    yield BODY


def test_a_stream_is_not_sent_again_but_the_token_is_replaced(send, api, source, clock, issuer, events):
    api.rejects_everything = True
    first = source.token()
    events.next(TokenRenewed)
    clock.advance(31)
    with issuer.hold("token") as gate:
        assert send("POST", "/orders", body=parts())[0] == 401  # the plug-in does not wait for the new token
        gate.wait_for(1)
    assert [request.body for request in api.received] == [BODY * 2]
    assert events.next(TokenRenewed).cause == "rejected"
    assert source.token() != first
    assert issuer.count("token") == 2


def test_the_next_request_waits_for_the_replacement_token(send, api, source, clock, issuer):
    first = source.token()
    api.rejected.add(first.value)
    clock.advance(31)
    assert [send("POST", "/orders", body=parts())[0] for _ in range(3)] == [401, 200, 200]
    assert [request.authorization for request in api.received] == [first.authorization] + [
        source.token().authorization
    ] * 2
    assert issuer.count("token") == 2


def test_streams_to_an_api_that_rejects_all_cost_one_token_request(send, api, source, clock, issuer):
    api.rejects_everything = True
    source.token()
    clock.advance(31)
    assert [send("POST", "/orders", body=parts())[0] for _ in range(5)] == [401] * 5
    assert (len(api.received), issuer.count("token")) == (5, 2)


def test_a_token_just_fetched_is_not_replaced_after_a_stream_either(send, api, source, issuer):
    api.rejects_everything = True
    assert send("POST", "/orders", body=parts())[0] == 401
    assert (len(api.received), issuer.count("token")) == (1, 1)


def test_a_request_that_was_accepted_and_redirected_is_not_repeated(send, api, source, clock, events):
    first = source.token()
    events.next(TokenRenewed)
    api.rejects_everything = True
    api.redirects["/orders"] = (303, "/orders/7")
    clock.advance(31)
    assert send("POST", "/orders", body=BODY)[0] == 401
    assert [request.path for request in api.received if request.method == "POST"] == ["/orders"]
    assert api.received[0].authorization == first.authorization
    assert events.next(TokenRenewed).cause == "rejected"  # the target of the redirect rejected the token
    assert source.token() != first


def test_the_401_is_returned_if_the_endpoint_fails(send, api, source, clock, issuer):
    api.rejects_everything = True
    source.token()
    clock.advance(31)
    issuer.misbehave("token", faults.status(503))
    assert send("GET", "/orders")[0] == 401
    assert len(api.received) == 1


def test_concurrent_calls_share_one_replacement(api, url, source, clock, issuer):
    first = source.token()
    api.rejected.add(first.value)
    clock.advance(31)

    async def send_all() -> list[int]:
        async with httpx2.AsyncClient(auth=Httpx2TokenAuth(source, url), base_url=url) as client:
            return [answer.status_code for answer in await asyncio.gather(*(client.get("/orders") for _ in range(100)))]

    assert asyncio.run(send_all()) == [200] * 100
    assert issuer.count("token") == 2


def test_concurrent_streamed_calls_share_one_replacement(api, url, source, clock, issuer):
    api.rejected.add(source.token().value)
    clock.advance(31)

    async def streamed():
        yield BODY

    async def send_all(client: httpx2.AsyncClient) -> set[int]:
        calls = (client.post("/orders", content=streamed()) for _ in range(50))
        return {answer.status_code for answer in await asyncio.gather(*calls)}

    async def send_twice() -> list[set[int]]:
        async with httpx2.AsyncClient(auth=Httpx2TokenAuth(source, url), base_url=url) as client:
            return [await send_all(client), await send_all(client)]

    assert asyncio.run(send_twice()) in ([{401}, {200}], [{401, 200}, {200}])
    assert issuer.count("token") == 2


def test_requests_keeps_the_first_answer_in_the_history(api, url, source, clock):
    api.rejected.add(source.token().value)
    clock.advance(31)
    with requests.Session() as session:
        session.auth = RequestsTokenAuth(source, url)
        answer = session.post(f"{url}/orders", data=BODY, timeout=10)
    assert (answer.status_code, [(request.status_code, request.content) for request in answer.history]) == (
        200,
        [(401, BODY)],
    )


def test_aiohttp_releases_the_connection_before_it_repeats_a_request(api, url, source, clock):
    api.rejected.add(source.token().value)
    clock.advance(31)

    async def send() -> int:
        only_one = aiohttp.TCPConnector(limit=1)
        session = aiohttp.ClientSession(
            connector=only_one,
            middlewares=[TokenMiddleware(source, url)],
            timeout=aiohttp.ClientTimeout(total=5),
        )
        async with session, session.post(f"{url}/orders", data=bytes(1_000_000)) as answer:
            return answer.status

    assert asyncio.run(send()) == 200
