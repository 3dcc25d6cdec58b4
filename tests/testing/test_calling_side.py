"""The test kit of a calling service: a token source that asks nobody, and an API in httpx2 that asks for a good token."""

import asyncio

import httpx2
import pytest

from m2mguard import Requirement
from m2mguard.client import TokenEndpointUnavailable, TokenSource
from m2mguard.client.httpx2 import TokenAuth
from m2mguard.events import TokenRefused
from m2mguard.testing import FakeTokenSource, TestServer, calling_as, fake_caller
from m2mguard.testing.httpx2 import ProtectedApi

API = "https://stock.example"
READ = Requirement(scopes=["read:stock"])


@pytest.fixture
def server():
    with TestServer() as running:
        yield running


def call(api, source, method="GET"):
    with httpx2.Client(transport=api, auth=TokenAuth(source, API), base_url=API) as client:
        return client.request(method, "/stock?kind=apples")


def test_a_service_with_the_scope_reaches_the_handler(server):
    api = ProtectedApi(
        server, lambda request, caller: httpx2.Response(200, json=[request.url.path, caller.app_id]), requires=READ
    )
    answer = call(api, FakeTokenSource(lambda: server.token("app-mine", scopes=["read:stock"])))
    assert (answer.status_code, answer.json()) == (200, ["/stock", "app-mine"])
    assert [caller.app_id for caller in api.callers] == ["app-mine"]
    assert [str(request.url) for request in api.requests] == [f"{API}/stock?kind=apples"]


@pytest.mark.parametrize(
    ("token", "status", "error"),
    [
        (lambda server: server.token("app-mine"), 403, 'error="insufficient_scope"'),
        (lambda server: server.token(lifetime=-60), 401, 'error="invalid_token"'),
        (lambda server: "two words", 400, 'error="invalid_request"'),
    ],
)
def test_any_other_gets_the_real_answer(server, token, status, error):
    api = ProtectedApi(server, requires=READ)
    answer = call(api, FakeTokenSource(token(server)))
    assert answer.status_code == status
    assert error in answer.headers["WWW-Authenticate"]
    assert not api.callers


def test_without_keys_it_is_503(server):
    server.issuer.stop()
    answer = call(ProtectedApi(server), FakeTokenSource(server.token))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


def test_a_rejected_token_is_replaced_once(server):
    tokens = iter([server.token(lifetime=-60), server.token("app-mine")])
    source = FakeTokenSource(lambda: next(tokens))
    api = ProtectedApi(server)
    assert call(api, source).json() == {"app_id": "app-mine"}
    assert len(source.rejected) == 1
    assert len(api.requests) == 2


def test_one_fixed_token_is_not_replaced(server):
    source = FakeTokenSource()
    assert call(ProtectedApi(server), source).status_code == 401
    assert len(source.rejected) == 1


def test_an_async_client_is_answered_alike(server):
    async def main():
        api = ProtectedApi(server, requires=READ)
        for scopes, status in ((["read:stock"], 200), ([], 403)):
            source = FakeTokenSource(lambda scopes=scopes: server.token("app-mine", scopes=scopes))
            async with httpx2.AsyncClient(transport=api, auth=TokenAuth(source, API)) as client:
                assert (await client.get(f"{API}/stock")).status_code == status

    asyncio.run(main())


def test_a_source_fails_as_long_as_it_is_told_to():
    source = FakeTokenSource("text", scopes=["read:stock"])
    assert isinstance(source, TokenSource)
    assert (source.token().authorization, source.token().scopes) == ("Bearer text", {"read:stock"})
    source.error = TokenEndpointUnavailable("no_answer", "down", retry_after=1)
    with pytest.raises(TokenEndpointUnavailable):
        source.token()
    assert source.replace(asyncio.run(_later(source))) is None
    assert "text" not in repr(source)


async def _later(source):
    error, source.error = source.error, None
    token = await source.atoken()
    source.error = error
    return token


def test_a_source_that_makes_tokens_replaces_unless_it_fails():
    source = FakeTokenSource(lambda: "made")
    first = source.token()
    assert source.replace(first).value == "made"
    assert asyncio.run(source.areplace(first)).value == "made"
    source.error = TokenEndpointUnavailable("no_answer", "down", retry_after=1)
    assert source.replace(first) is None
    source.reject(first)
    assert source.rejected == [first] * 4


def test_the_handler_reads_the_body_of_a_request(server):
    def echo(request, _caller):
        return httpx2.Response(200, content=request.content)

    async def parts():
        yield b"one "
        yield b"two"

    async def main():
        async with httpx2.AsyncClient(transport=ProtectedApi(server, echo)) as client:
            return await client.post(API, content=parts(), headers=server.headers())

    with httpx2.Client(transport=ProtectedApi(server, echo)) as client:
        answer = client.post(API, content=iter([b"one ", b"two"]), headers=server.headers())
    assert answer.content == asyncio.run(main()).content == b"one two"


def test_a_refusal_is_reported_with_the_route(events):
    with TestServer(on_event=events) as server:
        api = ProtectedApi(server, requires=READ)
        assert call(api, FakeTokenSource(server.token), method="DELETE").status_code == 403

        async def main():
            async with httpx2.AsyncClient(transport=api) as client:
                return await client.get(f"{API}/stock", headers=server.headers())

        assert asyncio.run(main()).status_code == 403
    found = [(event.reason, event.method, event.path) for event in events.of(TokenRefused)]
    assert found == [("scope", "DELETE", "/stock"), ("scope", "GET", "/stock")]


def test_an_organization_may_be_chosen_by_the_request(server):
    by_path = Requirement(organization=lambda request: request.url.path.strip("/"))
    api = ProtectedApi(server, requires=by_path)
    source = FakeTokenSource(server.token(organization_id="blue"))
    with httpx2.Client(transport=api, auth=TokenAuth(source, API), base_url=API) as client:
        assert [client.get(f"/{name}").status_code for name in ("blue", "red")] == [200, 403]


def test_a_caller_needs_no_token_at_all(server):
    api = ProtectedApi(server, requires=READ)
    with httpx2.Client(transport=api, base_url=API) as client:
        assert client.get("/stock").status_code == 401
        with calling_as(server, fake_caller("app-mine", scopes=["read:stock"])):
            assert client.get("/stock").json() == {"app_id": "app-mine"}


def test_a_target_is_noted():
    source = FakeTokenSource()
    assert source.for_target(resource="https://stock.api", scopes=["read"]) is source
    assert source.targets == [
        {"resource": "https://stock.api", "scopes": ["read"], "organization_id": None, "parameters": None}
    ]
