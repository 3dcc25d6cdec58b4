"""The aiohttp adapter: views, WebSockets, preflights, exceptions. The common behavior of all adapters is in tests/contract."""

import asyncio
import dataclasses

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from aiohttp.test_utils import TestServer as AiohttpServer

from m2mguard import ConfigurationError, Requirement, ResourceServer
from m2mguard.aiohttp import CALLER, bearer_auth_middleware, readiness, requires
from m2mguard.testing import TestServer, calling_as, fake_caller

READ = Requirement(scopes=["read"])
RUNNER: asyncio.Runner


@pytest.fixture
def server():
    with TestServer() as running:
        yield running


async def who(request):
    return web.Response(text=request[CALLER].app_id)


@pytest.fixture(scope="module", autouse=True)
def loop():
    """One event loop for the module, to which aiohttp binds an application."""
    global RUNNER
    with asyncio.Runner() as RUNNER:
        yield


def application(*middlewares, **routes):
    app = web.Application(middlewares=middlewares)
    for path, handler in routes.items():
        app.router.add_route("*", f"/{path}", handler)
    return app


def call(app, *requests, method="GET"):
    """Send requests, each a path and header fields; returns status, header fields and text of each."""

    async def main():
        answers = []
        async with TestClient(AiohttpServer(app)) as client:
            for path, headers in requests:
                async with client.request(method, path, headers=headers) as answer:
                    answers.append((answer.status, answer.headers, await answer.text()))
        return answers

    return RUNNER.run(main())


def status(app, headers=None, path="/orders", method="GET"):
    return call(app, (path, headers or {}), method=method)[0][0]


def test_the_caller_is_in_the_request_at_its_key(server):
    app = application(bearer_auth_middleware(server, requires=READ), orders=who)
    ((code, _, text),) = call(app, ("/orders", server.headers("app-mine", scopes=["read"])))
    assert (code, text) == (200, "app-mine")


def test_requirements_of_middleware_and_handler_are_combined(server):
    app = application(bearer_auth_middleware(server, requires=READ), orders=requires("write")(who))
    for scopes, expected in ((["read", "write"], 200), (["read"], 403), (["write"], 403)):
        assert status(app, server.headers(scopes=scopes)) == expected


def test_a_decorated_handler_on_a_public_path_is_protected(server):
    app = application(bearer_auth_middleware(server, public=["/orders"]), orders=requires("read")(who))
    assert status(app, server.headers(scopes=["read"])) == 200
    assert status(app) == 401
    assert status(app, server.headers()) == 403


def test_a_handler_without_a_middleware_needs_a_server(server):
    alone = application(orders=requires("read", server=server)(who))
    assert status(alone, server.headers(scopes=["read"])) == 200
    assert status(alone) == 401
    assert status(application(orders=requires("read")(who)), server.headers(scopes=["read"])) == 500


def test_requirements_of_two_decorators_are_combined_without_a_middleware(server):
    app = application(orders=requires("read", server=server)(requires("write", server=server)(who)))
    for scopes, expected in ((["read", "write"], 200), (["read"], 403), (["write"], 403)):
        assert status(app, server.headers(scopes=scopes)) == expected


def test_a_handler_with_another_server_is_not_satisfied_by_the_middleware(server):
    with TestServer(server.issuer, audience="https://stock.api") as other:
        app = application(bearer_auth_middleware(server), orders=requires("read", server=other)(who))
        assert status(app, server.headers(scopes=["read"])) == 401


class Orders(web.View):
    @requires("read")
    async def get(self):
        return await who(self.request)

    @requires("write")
    async def post(self):
        return await who(self.request)


def test_each_method_of_a_view_has_its_own_requirement(server):
    app = application(bearer_auth_middleware(server), orders=Orders)
    headers = server.headers(scopes=["read"])
    assert (status(app, headers), status(app, headers, method="POST")) == (200, 403)
    with pytest.raises(ConfigurationError, match="decorate its methods"):
        requires("read")(Orders)


def test_an_organization_can_be_taken_from_the_route(server):
    guard = requires("read", organization=lambda request: request.match_info["tenant"], server=server)
    app = web.Application()
    app.router.add_get("/{tenant}/orders", guard(who))
    blue = server.headers(scopes=["read"], organization_id="blue")
    assert (status(app, blue, "/blue/orders"), status(app, blue, "/red/orders")) == (200, 403)


@pytest.mark.parametrize("protected", ["middleware", "handler"])
def test_a_refused_websocket_is_answered(server, protected):
    async def live(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(request[CALLER].app_id)
        await socket.close()
        return socket

    if protected == "middleware":
        app = application(bearer_auth_middleware(server, requires=READ), live=live)
    else:
        app = application(live=requires("read", server=server)(live))

    async def main():
        async with TestClient(AiohttpServer(app)) as client:
            async with client.ws_connect("/live", headers=server.headers("app-mine", scopes=["read"])) as socket:
                assert await socket.receive_str() == "app-mine"
            for headers, expected in ((None, 401), (server.headers(), 403)):
                with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                    await client.ws_connect("/live", headers=headers)
                assert caught.value.status == expected
                assert caught.value.headers["WWW-Authenticate"].startswith("Bearer ")

    RUNNER.run(main())


PREFLIGHT = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}


async def cors(_request):
    return web.Response(text="secret", headers={"Access-Control-Allow-Origin": "*"})


def test_a_preflight_needs_a_token_unless_it_is_exempt(server):
    assert status(application(bearer_auth_middleware(server), orders=cors), PREFLIGHT, method="OPTIONS") == 401
    exempt = application(bearer_auth_middleware(server, preflight="exempt"), orders=cors)
    ((code, fields, text),) = call(exempt, ("/orders", PREFLIGHT), method="OPTIONS")
    assert (code, fields["Access-Control-Allow-Origin"], text) == (200, "*", "")
    assert status(exempt, {"Origin": "https://shop.example"}, method="OPTIONS") == 401
    assert status(exempt, {**PREFLIGHT, "Cookie": "a=b"}, method="OPTIONS") == 401


def test_the_metadata_is_public_and_named_in_the_challenge():
    with TestServer(resource_url="https://shopping.example/v1") as server:
        app = application(bearer_auth_middleware(server), orders=who)
        path = "/.well-known/oauth-protected-resource/v1"
        (metadata, refused) = call(app, (path, {}), ("/orders", {}))
        assert metadata[0] == 200
        assert '"resource": "https://shopping.example/v1"' in metadata[2]
        assert path in refused[1]["WWW-Authenticate"]


def test_on_error_may_replace_the_answer(server):
    def teapot(error, request):
        answer = server.answer(error)
        return dataclasses.replace(answer, status=418, body=b'{"path": "%s"}' % request.path.encode())

    app = application(bearer_auth_middleware(server, on_error=teapot), orders=who)
    ((code, fields, text),) = call(app, ("/orders", {}))
    assert (code, text) == (418, '{"path": "/orders"}')
    assert fields["WWW-Authenticate"] == 'Bearer realm="api"'
    quiet = application(bearer_auth_middleware(server, on_error=lambda *_: None), orders=who)
    assert status(quiet) == 401


def test_other_middleware_can_catch_a_refusal(server):
    reasons = []

    @web.middleware
    async def record_reason(request, handler):
        try:
            return await handler(request)
        except web.HTTPUnauthorized as refusal:
            reasons.append(refusal.__cause__.reason)
            raise

    assert status(application(record_reason, bearer_auth_middleware(server), orders=who)) == 401
    assert reasons == ["missing"]


def test_readiness_is_200_as_soon_as_there_are_keys(server):
    app = application(bearer_auth_middleware(server, public=["/readyz"]), readyz=readiness(server))
    server.issuer.stop()
    assert status(app, path="/readyz") == 503
    server.issuer.start()
    server.refresh()
    assert status(app, path="/readyz") == 200


def test_calling_as_finds_the_server_of_an_application(server):
    app = application(bearer_auth_middleware(server, requires=READ), orders=who)
    with calling_as(app, fake_caller("app-mine", scopes=["read"])):
        assert status(app) == 200
    with calling_as(app, fake_caller("app-mine")):
        assert status(app) == 403


@pytest.mark.parametrize(
    "arguments",
    [
        {"server": "https://issuer.example"},
        {"requires": ["read"]},
        {"public": "/healthz"},
        {"preflight": "maybe"},
        {"on_error": "text"},
        {"requires": Requirement(issuers=["https://nobody.example"]), "public": ()},
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_an_invalid_argument_of_the_middleware_is_rejected(arguments):
    given = {"server": ResourceServer("https://issuer.example", audience="https://a.api"), **arguments}
    with pytest.raises(ConfigurationError):
        bearer_auth_middleware(**given)
