"""One table of promises, and every HTTP plug-in has to keep all of them: httpx2 both ways, requests, aiohttp."""

import asyncio
import contextlib

import aiohttp
import httpx2
import pytest
import requests

from m2mguard import ConfigurationError
from m2mguard.client import TokenRequestRefused
from m2mguard.client.aiohttp import TokenMiddleware
from m2mguard.client.httpx2 import TokenAuth as Httpx2TokenAuth
from m2mguard.client.requests import TokenAuth as RequestsTokenAuth
from m2mguard.testing import faults
from tests.client.apis import Api, Door
from tests.conftest import under_uvicorn

BODY = b'{"order": 7}'


def with_httpx2(source, api_url, method, url, *, headers=None, body=None):
    auth = Httpx2TokenAuth(source, api_url)
    with httpx2.Client(auth=auth, follow_redirects=True) as client:
        answer = client.request(method, url, headers=headers, content=body)
        return answer.status_code, answer.content


def with_httpx2_async(source, api_url, method, url, *, headers=None, body=None):
    async def streamed():
        for piece in body:
            yield piece

    async def send():
        auth = Httpx2TokenAuth(source, api_url)
        async with httpx2.AsyncClient(auth=auth, follow_redirects=True) as client:
            content = body if isinstance(body, bytes | None) else streamed()
            answer = await client.request(method, url, headers=headers, content=content)
            return answer.status_code, answer.content

    return asyncio.run(send())


def with_requests(source, api_url, method, url, *, headers=None, body=None):
    with requests.Session() as session:
        session.auth = RequestsTokenAuth(source, api_url)
        answer = session.request(method, url, headers=headers, data=body, timeout=10)
        return answer.status_code, answer.content


def with_aiohttp(source, api_url, method, url, *, headers=None, body=None):
    async def streamed():
        for piece in body:
            yield piece

    async def send():
        middleware = TokenMiddleware(source, api_url)
        async with aiohttp.ClientSession(middlewares=[middleware]) as session:
            data = body if isinstance(body, bytes | None) else streamed()
            async with session.request(method, url, headers=headers, data=data) as answer:
                return answer.status, await answer.read()

    return asyncio.run(send())


PLUGINS = [with_httpx2, with_httpx2_async, with_requests, with_aiohttp]


@pytest.fixture(params=PLUGINS)
def plugin(request):
    return request.param


@pytest.fixture(scope="module")
def served():
    """Two doors of different origins, served for all tests of this module; each test has APIs of its own behind them."""
    doors = Door(), Door()
    with under_uvicorn(doors[0]) as url, under_uvicorn(doors[1]) as other_url:
        yield (doors[0], url), (doors[1], other_url)


@pytest.fixture
def api(served):
    served[0][0].api = Api()
    return served[0][0].api


@pytest.fixture
def url(served):
    return served[0][1]


@pytest.fixture
def elsewhere(served):
    served[1][0].api = Api()
    return served[1][0].api


@pytest.fixture
def elsewhere_url(served):
    return served[1][1]


@pytest.fixture
def send(plugin, source, url):
    """Call the API with the source's token: `status, body = send("GET", "/orders")`."""

    def send(method, path, **how):
        return plugin(source, url, method, path if "://" in path else url + path, **how)

    return send


def test_every_request_carries_the_token_which_is_fetched_once(send, api, source, issuer):
    assert send("POST", "/orders", body=BODY) == (200, BODY)
    assert send("GET", "/orders/7?details=yes") == (200, b"")
    assert [one.authorization for one in api.arrived] == [source.token().authorization] * 2
    assert issuer.count("token") == 1


def test_the_services_own_token_takes_the_place_of_its_callers(send, api, source):
    send("GET", "/orders", headers={"Authorization": "Bearer of.the.caller"})
    assert [one.authorization for one in api.arrived] == [source.token().authorization]


def test_another_origin_gets_no_token_and_none_is_fetched(plugin, source, api, url, elsewhere, elsewhere_url, issuer):
    assert plugin(source, url, "GET", f"{elsewhere_url}/orders")[0] == 200
    same_address_other_name = url.replace("127.0.0.1", "localhost")
    plugin(source, url, "GET", f"{same_address_other_name}/orders")
    assert [one.authorization for one in (*elsewhere.arrived, *api.arrived)] == [None, None]
    assert issuer.count("token") == 0


@pytest.mark.parametrize(
    "trick",
    ["{api}@{other}", "{api}%40{other}", "{api}\\@{other}", "{api}#@{other}", "{other}#@{api}", "{other}?@{api}"],
)
def test_a_url_that_only_looks_like_the_apis_gets_no_token_elsewhere(
    plugin, source, api, url, elsewhere, elsewhere_url, trick
):
    names = {"api": url.removeprefix("http://"), "other": elsewhere_url.removeprefix("http://")}
    with contextlib.suppress(
        ValueError, httpx2.HTTPError, httpx2.InvalidURL, requests.RequestException, aiohttp.ClientError
    ):
        plugin(source, url, "GET", f"http://{trick.format(**names)}/orders")
    assert source.token().authorization not in [one.authorization for one in elsewhere.arrived]
    assert None not in [one.authorization for one in api.arrived]


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_to_another_origin_leaves_the_token_behind(send, api, elsewhere, elsewhere_url, source, status):
    api.redirects["/moved"] = (status, f"{elsewhere_url}/orders")
    assert send("GET", "/moved")[0] == 200
    assert [one.authorization for one in api.arrived] == [source.token().authorization]
    assert [one.authorization for one in elsewhere.arrived] == [None]


def test_a_redirect_within_the_origin_takes_it_along(send, api, source):
    api.redirects["/moved"] = (307, "/orders")
    assert send("POST", "/moved", body=BODY) == (200, BODY)
    assert [(one.path, one.authorization) for one in api.arrived] == [
        ("/moved", source.token().authorization),
        ("/orders", source.token().authorization),
    ]


def test_a_401_of_another_origin_replaces_nothing(send, api, elsewhere, elsewhere_url, source, clock, issuer):
    elsewhere.rejects_everything = True
    api.redirects["/moved"] = (302, f"{elsewhere_url}/orders")
    source.token()
    clock.advance(31)
    assert send("GET", "/moved")[0] == 401
    assert len(elsewhere.arrived) == 1
    assert issuer.count("token") == 1


@pytest.mark.parametrize("body", [None, BODY, b""])
def test_a_rejected_token_is_replaced_and_the_request_repeated_once(send, api, source, clock, issuer, body):
    first = source.token()
    api.rejected.add(first.value)
    clock.advance(31)
    assert send("POST", "/orders", body=body) == (200, body or b"")
    second = source.token()
    assert [one.authorization for one in api.arrived] == [first.authorization, second.authorization]
    assert [one.body for one in api.arrived] == [body or b""] * 2
    assert issuer.count("token") == 2


def test_an_api_that_rejects_everything_gets_two_requests_and_its_answer_is_given_back(
    send, api, source, clock, issuer
):
    api.rejects_everything = True
    source.token()
    clock.advance(31)
    assert send("POST", "/orders", body=BODY) == (401, BODY)
    assert len(api.arrived) == issuer.count("token") == 2
    assert send("POST", "/orders", body=BODY) == (401, BODY)  # with a token that was just fetched
    assert (len(api.arrived), issuer.count("token")) == (3, 2)


def test_a_token_that_was_just_fetched_is_not_replaced(send, api, issuer):
    api.rejects_everything = True
    assert send("GET", "/orders")[0] == 401
    assert len(api.arrived) == issuer.count("token") == 1


def test_a_token_that_is_not_the_current_one_any_more_is_not_replaced(send, api, source, clock, issuer):
    api.rejects_everything = True
    api.before_answering = lambda _: (clock.advance(7_200), source.token())
    assert send("GET", "/orders")[0] == 401
    assert (len(api.arrived), issuer.count("token")) == (1, 2)


def test_a_body_that_cannot_be_sent_again_is_not(send, api, source, clock, issuer):
    api.rejects_everything = True
    source.token()
    clock.advance(31)
    pieces = (piece for piece in (BODY, BODY))
    assert send("POST", "/orders", body=pieces)[0] == 401
    assert [one.body for one in api.arrived] == [BODY * 2]
    assert issuer.count("token") == 1


def test_a_request_that_was_accepted_and_redirected_is_not_repeated(send, api, source, clock):
    first = source.token()
    api.rejects_everything = True
    api.redirects["/orders"] = (303, "/orders/7")
    clock.advance(31)
    assert send("POST", "/orders", body=BODY)[0] == 401
    assert [one.path for one in api.arrived if one.method == "POST"] == ["/orders"]
    assert api.arrived[0].authorization == first.authorization


def test_where_the_endpoint_has_no_other_token_the_401_is_given_back(send, api, source, clock, issuer):
    api.rejects_everything = True
    source.token()
    clock.advance(31)
    issuer.misbehave("token", faults.status(503))
    assert send("GET", "/orders")[0] == 401
    assert len(api.arrived) == 1


def test_other_refusals_are_given_back_and_replace_nothing(send, api, source, clock, issuer):
    source.token()
    clock.advance(31)
    api.redirects["/orders"] = (403, "/")
    assert send("GET", "/orders")[0] == 403
    assert (len(api.arrived), issuer.count("token")) == (1, 1)


def test_without_a_token_nothing_is_sent(plugin, make_source, api, url):
    with pytest.raises(TokenRequestRefused, match="the secret is wrong"):
        plugin(make_source(app_secret="wrong"), url, "GET", f"{url}/orders")
    assert api.arrived == []


@pytest.mark.parametrize("api_url", ["http://shopping.example", "shopping.example", "https://shopping.example?a=b", ""])
def test_a_token_may_go_over_https_or_loopback_only(plugin, source, api_url):
    with pytest.raises(ConfigurationError, match="api_url"):
        plugin(source, api_url, "GET", "http://127.0.0.1:1/")


def test_many_calls_at_once_share_one_replacement(api, url, source, clock, issuer):
    first = source.token()
    api.rejected.add(first.value)
    clock.advance(31)

    async def send_all() -> list[int]:
        async with httpx2.AsyncClient(auth=Httpx2TokenAuth(source, url), base_url=url) as client:
            return [answer.status_code for answer in await asyncio.gather(*(client.get("/orders") for _ in range(100)))]

    assert asyncio.run(send_all()) == [200] * 100
    assert issuer.count("token") == 2


def test_requests_keeps_the_first_answer_in_the_history(api, url, source, clock):
    api.rejected.add(source.token().value)
    clock.advance(31)
    with requests.Session() as session:
        session.auth = RequestsTokenAuth(source, url)
        answer = session.post(f"{url}/orders", data=BODY, timeout=10)
    assert (answer.status_code, [(one.status_code, one.content) for one in answer.history]) == (200, [(401, BODY)])


def test_aiohttp_gives_the_connection_of_the_first_answer_back_before_the_second_request(api, url, source, clock):
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
