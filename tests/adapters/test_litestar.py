"""The adapter for Litestar: plugin, guards, WebSockets, mounts, schema. The common behavior of all adapters is in tests/contract."""

import asyncio
import dataclasses
import warnings
from typing import Any

import pytest
from litestar import Controller, HttpMethod, Litestar, Request, Router, WebSocket, asgi, get, post, route, websocket
from litestar.config.cors import CORSConfig
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import HTTPException, WebSocketDisconnect
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import FromPath
from litestar.plugins import PluginProtocol
from litestar.response import Response
from litestar.testing import TestClient

from m2mguard import Caller, ConfigurationError, Issuer, Requirement, ResourceServer
from m2mguard.litestar import M2MGuardPlugin, RefusedRequest, requires
from m2mguard.testing import SHOPPING_API, LocalIssuer, TestServer, calling_as, fake_caller

CHALLENGE = 'Bearer realm="api"'
MISSING = {"error": "unauthorized", "error_description": "A bearer token is required"}
SHORT = {
    "error": "insufficient_scope",
    "error_description": "The access token does not grant access to this resource",
}
PREFLIGHT = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}


@get("/orders")
async def orders(request: Request[Caller, Caller, State]) -> dict[str, str]:
    assert request.auth is request.user
    return {"hello": request.auth.app_id}


@get("/orders", guards=[requires("read:orders")])
async def guarded(request: Request[Caller, Caller, State]) -> dict[str, str]:
    return {"hello": request.auth.app_id}


@get(["/healthz", "/docs/page"])
async def healthz(request: Request[Any, Any, State]) -> dict[str, bool]:
    return {"has a caller": not {"auth", "user"}.isdisjoint(request.scope)}


@websocket("/live")
async def live(socket: WebSocket[Caller, Caller, State]) -> None:
    await greet(socket)


@websocket("/live", guards=[requires("read:orders")])
async def guarded_live(socket: WebSocket[Caller, Caller, State]) -> None:
    await greet(socket)


async def greet(socket: WebSocket[Caller, Caller, State]) -> None:
    await socket.accept()
    await socket.send_text(socket.auth.app_id)
    await socket.close()


@asgi("/files", is_mount=True, copy_scope=True)
async def files(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["auth"].app_id.encode()})


def application(*handlers: Any, plugins: list[PluginProtocol], **options: Any) -> Litestar:
    return Litestar(handlers, plugins=plugins, logging_config=None, **options)


def client_of(*handlers: Any, plugins: list[PluginProtocol], **options: Any) -> TestClient[Litestar]:
    return TestClient(application(*handlers, plugins=plugins, **options))


def test_the_plugin_protects_every_route_and_shows_the_caller(server, bearer):
    client = client_of(
        orders, healthz, live, files, plugins=[M2MGuardPlugin(server, public=iter(["/healthz", "/docs/"]))]
    )
    assert client.get("/orders", headers=bearer()).json() == {"hello": "app-orders"}
    assert client.get("/files/a", headers=bearer()).text == "app-orders"
    for path in ("/orders", "/files/a", "/files", "/schema", "/schema/openapi.json"):
        refused = client.get(path)
        assert (refused.status_code, refused.json()) == (401, MISSING)
        assert refused.headers["WWW-Authenticate"] == CHALLENGE
    for path in ("/healthz", "/docs/page"):
        assert client.get(path).json() == client.get(path, headers=bearer()).json() == {"has a caller": False}
    assert client.get("/no-such-path").status_code == 404


def test_public_paths_below_a_mount_are_whole_paths(server, bearer):
    client = client_of(files, plugins=[M2MGuardPlugin(server, public=["/docs/", "/a"])])
    assert [client.get(path).status_code for path in ("/files/docs/a", "/files/docs/", "/files/a")] == [401, 401, 401]

    @asgi("/files", is_mount=True, copy_scope=True)
    async def anybody(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str("auth" in scope).encode()})

    client = client_of(anybody, plugins=[M2MGuardPlugin(server, public=["/files/docs/"])])
    assert (client.get("/files/docs/a").text, client.get("/files/other").status_code) == ("False", 401)


@pytest.mark.parametrize("target", ["/orders", "/"])
def test_a_path_that_was_rewritten_above_is_not_public(target, server, bearer):
    @get(["/", "/orders"])
    async def secret() -> str:
        return "secret"

    app = application(secret, healthz, plugins=[M2MGuardPlugin(server, public=["/healthz"])])

    async def rewriting(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "path": target} if scope["path"] == "/healthz" else scope, receive, send)

    client: Any = TestClient(rewriting)  # type: ignore[arg-type]
    assert client.get("/healthz").status_code == 401
    assert client.get("/healthz", headers=bearer()).text == "secret"
    assert TestClient(app).get("/healthz").status_code == 200


@pytest.mark.parametrize(("path", "is_mount"), [("/files/docs/a", True), ("/healthz", False)])
def test_without_a_raw_path_nothing_below_a_mount_is_public(path, is_mount, server):
    app = application(files, healthz, plugins=[M2MGuardPlugin(server, public=["/docs/", "/files/docs/", "/healthz"])])
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [], "root_path": ""}
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(app({**scope, "scheme": "http", "server": ("test", 80), "client": None}, receive, send))
    assert sent[0]["status"] == (401 if is_mount else 200)


def test_a_requirement_of_the_plugin_reads_the_route(server, bearer):
    @get("/tenants/{tenant:str}/stock")
    async def stock(tenant: FromPath[str]) -> str:
        return tenant

    of_tenant = Requirement(organization=lambda connection: connection.path_params["tenant"])
    client = client_of(stock, plugins=[M2MGuardPlugin(server, requires=of_tenant)])
    token = bearer(organization_id="org-blue")
    assert client.get("/tenants/org-blue/stock", headers=token).text == "org-blue"
    assert client.get("/tenants/org-red/stock", headers=token).status_code == 403


def test_a_guard_answers_exactly_and_reads_the_route(server, bearer):
    @get("/tenants/{tenant:str}", guards=[requires(organization=lambda connection: connection.path_params["tenant"])])
    async def tenant(tenant: FromPath[str]) -> str:
        return tenant

    plugin = M2MGuardPlugin(server, requires=Requirement(organization="*"))
    client = client_of(guarded, tenant, plugins=[plugin])
    assert client.get("/orders", headers=bearer()).json() == {"hello": "app-orders"}
    refused = client.get("/orders", headers=bearer(scopes=["other"]))
    assert (refused.status_code, refused.json()) == (403, SHORT)
    assert refused.headers["WWW-Authenticate"].endswith('scope="read:orders"')
    assert refused.headers["Cache-Control"] == "no-store"
    blue = bearer(organization_id="org-blue")
    assert client.get("/tenants/org-blue", headers=blue).text == "org-blue"
    assert client.get("/tenants/org-red", headers=blue).status_code == 403


def test_guards_of_all_layers_add_up(server, bearer):
    class Orders(Controller):
        path = "/controller"
        guards = [requires("b")]

        @get("/", guards=[requires(any_scope=["c", "d"])])
        async def read(self) -> str:
            return "read"

    router = Router("/router", guards=[requires("a")], route_handlers=[Orders])
    client = client_of(router, plugins=[M2MGuardPlugin(server)], guards=[requires(app_ids=["app-orders"])])
    where = "/router/controller"
    assert client.get(where, headers=bearer(scopes=["a", "b", "d"])).text == "read"
    for scopes in (["a", "b"], ["b", "c"], ["a", "c"]):
        assert client.get(where, headers=bearer(scopes=scopes)).status_code == 403
    assert client.get(where, headers=bearer("app-other", scopes=["a", "b", "d"])).status_code == 403


def test_a_guard_on_a_public_path_asks_for_the_token(server, bearer):
    client = client_of(guarded, guarded_live, plugins=[M2MGuardPlugin(server, public=["/orders", "/live"])])
    assert client.get("/orders", headers=bearer()).json() == {"hello": "app-orders"}
    refused = client.get("/orders")
    assert (refused.status_code, refused.json(), refused.headers["WWW-Authenticate"]) == (401, MISSING, CHALLENGE)
    assert client.get("/orders", headers=bearer(scopes=["other"])).status_code == 403
    assert client.get("/orders", headers={"Authorization": "Bearer a b"}).status_code == 400


def test_a_guard_without_the_plugin_lets_nobody_in(server, bearer):
    client = client_of(guarded, plugins=[], debug=False)
    assert client.get("/orders", headers=bearer()).status_code == 500


@pytest.mark.parametrize("handler", [live, guarded_live])
def test_a_websocket_is_closed_before_it_was_accepted(handler, server, bearer):
    plugin = M2MGuardPlugin(server, requires=None if handler is guarded_live else Requirement(scopes=["read:orders"]))
    client = client_of(handler, plugins=[plugin])
    with client.websocket_connect("/live", headers=bearer()) as socket:
        assert socket.receive_text() == "app-orders"
    for fields in ({}, bearer(scopes=["other"])):
        with pytest.raises(WebSocketDisconnect) as caught, client.websocket_connect("/live", headers=fields):
            pass
        assert caught.value.code == 1008


@pytest.mark.parametrize(
    ("kind", "seen"), [(RefusedRequest, True), (HTTPException, True), (Exception, True), (403, True), (404, False)]
)
@pytest.mark.parametrize("is_on_the_handler", [True, False])
def test_a_handler_of_the_application_sees_the_refusal(kind, seen, is_on_the_handler, server, bearer):
    def teapot(request: Request[Any, Any, Any], error: RefusedRequest) -> Response[dict[str, Any]]:
        assert isinstance(error, HTTPException)
        assert error.headers == {name: value for name, value in error.answer.headers.items() if "Length" not in name}
        told = [error.refusal.reason, error.status_code, error.answer.status]
        return Response({"told": told}, status_code=418)

    own = {kind: teapot}
    handler = get("/orders", guards=[requires("read:orders")], exception_handlers=own if is_on_the_handler else {})
    app = {} if is_on_the_handler else {"exception_handlers": own}
    client = client_of(handler(orders.fn), plugins=[M2MGuardPlugin(server)], **app)
    answer = client.get("/orders", headers=bearer(scopes=["other"]))
    if seen:
        assert (answer.status_code, answer.json()["told"]) == (418, ["scope", 403, 403])
    else:
        assert (answer.status_code, answer.json()) == (403, SHORT)


def test_head_gets_the_fields_of_a_refusal_without_its_body(server, bearer):
    methods = [HttpMethod.GET, HttpMethod.HEAD]

    @route("/both", http_method=methods, status_code=200, guards=[requires("read:orders")])
    async def both() -> None: ...

    client = client_of(both, plugins=[M2MGuardPlugin(server)])
    get_, head = (client.request(method, "/both", headers=bearer(scopes=[])) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content, dict(head.headers)) == (403, b"", dict(get_.headers))


def test_preflights_are_protected_exempt_or_answered_above(server):
    for plugin, options, expected in (
        (M2MGuardPlugin(server), {}, 401),
        (M2MGuardPlugin(server, preflight="exempt"), {}, 204),
        (M2MGuardPlugin(server), {"cors_config": CORSConfig(allow_origins=["*"])}, 204),
    ):
        client = client_of(orders, plugins=[plugin], **options)
        assert client.options("/orders", headers=PREFLIGHT).status_code == expected
        assert client.options("/orders").status_code == 401
        assert client.get("/orders", headers={"Origin": "https://shop.example"}).status_code == 401


def test_an_answer_of_your_own_is_sent(server):
    def teapot(error, scope):
        return dataclasses.replace(server.answer(error), status=418, body=scope["path"].encode())

    client = client_of(orders, plugins=[M2MGuardPlugin(server, on_error=teapot)])
    answer = client.get("/orders")
    assert (answer.status_code, answer.text, answer.headers["WWW-Authenticate"]) == (418, "/orders", CHALLENGE)


def test_keys_that_are_not_available_are_503_and_never_401():
    with LocalIssuer() as issuer:
        issuer.outage()
        server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
        fields = {"Authorization": f"Bearer {issuer.mint()}"}
        for plugin in (M2MGuardPlugin(server), M2MGuardPlugin(server, public=["/orders"])):
            answer = client_of(guarded, plugins=[plugin]).get("/orders", headers=fields)
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) >= 1
            assert "WWW-Authenticate" not in answer.headers


def test_the_metadata_are_open_and_named_in_the_challenge():
    with TestServer(resource_url="https://shopping.example/v1") as server:
        token = {"Authorization": f"Bearer {server.token()}"}
        path = "/.well-known/oauth-protected-resource/v1"
        client = client_of(orders, plugins=[M2MGuardPlugin(server)])
        assert client.get(path).json()["resource"] == "https://shopping.example/v1"
        assert [client.post(path, headers=one).status_code for one in ({}, token)] == [401, 200]
        assert path in client.get("/orders").headers["WWW-Authenticate"]


def test_the_schema_has_the_scheme_and_the_scopes_of_each_operation(server):
    @post("/orders", guards=[requires("write:orders", any_scope=["a", "b"])])
    async def order() -> None: ...

    @get("/own", security=[{"M2MAuth": ["own"]}])
    async def own() -> None: ...

    @get("/other", security=[{"Key": []}])
    async def other() -> None: ...

    plugin = M2MGuardPlugin(server, requires=Requirement(scopes=["shop"]), public=["/healthz", "/docs/"])
    schema = application(guarded, order, own, other, healthz, plugins=[plugin]).openapi_schema.to_schema()
    found = {(path, method): operation.get("security") for path, operations in schema["paths"].items()
             for method, operation in operations.items()}  # fmt: skip
    assert found == {
        ("/orders", "get"): [{"M2MAuth": ["shop", "read:orders"]}],
        ("/orders", "post"): [{"M2MAuth": ["shop", "write:orders", scope]} for scope in ("a", "b")],
        ("/own", "get"): [{"M2MAuth": ["own"]}],
        ("/other", "get"): [{"Key": []}, {"M2MAuth": ["shop"]}],
        ("/healthz", "get"): None,
        ("/docs/page", "get"): None,
    }
    assert schema["components"]["securitySchemes"]["M2MAuth"] == {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
    }


@pytest.mark.parametrize("as_list", [True, False])
def test_what_the_user_has_configured_for_the_schema_stays(as_list, server):
    key = Components(security_schemes={"Key": SecurityScheme(type="apiKey", name="X-Key", security_scheme_in="header")})
    theirs = OpenAPIConfig("Shop", "1", components=[key] if as_list else key, security=[{"Key": []}])
    schema = application(orders, plugins=[M2MGuardPlugin(server)], openapi_config=theirs).openapi_schema.to_schema()
    assert set(schema["components"]["securitySchemes"]) == {"Key", "M2MAuth"}
    assert schema["security"] == [{"Key": []}]
    assert theirs.components == ([key] if as_list else key)
    plain = application(orders, plugins=[]).openapi_schema.to_schema()
    assert "security" not in plain["paths"]["/orders"]["get"]


def test_one_plugin_may_serve_several_applications(server, bearer):
    plugin = M2MGuardPlugin(server)
    for _ in range(2):
        client = client_of(guarded, plugins=[plugin])
        assert [client.get("/orders", headers=one).status_code for one in (bearer(), {})] == [200, 401]


def test_a_litestar_below_another_has_a_plugin_of_its_own(server, bearer, issuer):
    other = ResourceServer(dataclasses.replace(Issuer.logto(issuer.endpoint), jwks=issuer.jwks), audience="https://b")
    inner = application(guarded, plugins=[M2MGuardPlugin(other)], openapi_config=None)

    def mounted(plugin):
        app = asgi("/inner", is_mount=True, copy_scope=True)(inner)
        return client_of(app, plugins=[plugin], openapi_config=None)

    of_other = bearer(audience="https://b")
    assert mounted(M2MGuardPlugin(server)).get("/inner/orders", headers=of_other).status_code == 401
    open_above = mounted(M2MGuardPlugin(server, public=["/inner/"]))
    assert [open_above.get("/inner/orders", headers=one).status_code for one in (of_other, bearer(), {})] == [
        *(200, 401, 401)
    ]


@pytest.mark.parametrize("kind", ["server", "plugin", "app", "client"])
def test_calling_as_finds_the_server(kind, server):
    plugin = M2MGuardPlugin(server)
    app = application(guarded, guarded_live, plugins=[plugin])
    client = TestClient(app)
    target = {"server": server, "plugin": plugin, "app": app, "client": client}[kind]
    with calling_as(target, fake_caller("app-mine", scopes=["read:orders"])):
        assert client.get("/orders").json() == {"hello": "app-mine"}
        with client.websocket_connect("/live") as socket:
            assert socket.receive_text() == "app-mine"
    with calling_as(target, fake_caller("app-mine")):
        assert client.get("/orders").status_code == 403
    assert client.get("/orders").status_code == 401


def test_a_guard_must_name_the_issuer_of_its_ids(issuer):
    both = [dataclasses.replace(Issuer.logto(one.endpoint), jwks=one.jwks) for one in (issuer, LocalIssuer())]
    server = ResourceServer(both, audience=SHOPPING_API)
    with pytest.raises(ConfigurationError, match="issuers="):
        M2MGuardPlugin(server, requires=Requirement(app_ids=["app-orders"]))
    for handler in (get("/orders", guards=[requires(app_ids=["app-orders"])]),):
        with pytest.raises(ConfigurationError, match="issuers="):
            application(handler(orders.fn), plugins=[M2MGuardPlugin(server)])
    named = get("/orders", guards=[requires(app_ids=["app-orders"], issuers=[issuer.url])])
    application(named(orders.fn), plugins=[M2MGuardPlugin(server)])


@pytest.mark.parametrize(
    "arguments",
    [
        {"server": "https://issuer.example"},
        {"requires": ["read"]},
        {"public": "/healthz"},
        {"public": None},
        {"preflight": "maybe"},
        {"on_error": "text"},
        {"requires": Requirement(issuers=["https://nobody.example"])},
    ],
    ids=str,
)
def test_an_invalid_argument_is_refused(arguments, server):
    with pytest.raises(ConfigurationError):
        M2MGuardPlugin(**{"server": server, **arguments})
    with pytest.raises(ConfigurationError):
        requires("two scopes")


def test_a_guard_takes_no_thread(server, bearer):
    """Litestar runs a guard that is no coroutine function on a thread."""
    guard = requires("read:orders")
    connection: Any = ASGIConnection({"type": "http", "headers": []})
    with warnings.catch_warnings(), pytest.raises(ConfigurationError, match="plugin"):
        asyncio.run(guard(connection, orders))
