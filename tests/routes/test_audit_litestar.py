"""The audit of routes of Litestar against reality: each is called without a token, through the framework's test client."""

from typing import Any

import pytest
from litestar import Controller, Litestar, Router, WebSocket, asgi, get, post, websocket
from litestar.config.app import AppConfig
from litestar.exceptions import WebSocketDisconnect
from litestar.middleware import ASGIMiddleware
from litestar.middleware.rate_limit import RateLimitConfig
from litestar.plugins import InitPlugin
from litestar.testing import TestClient
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from m2mguard import Requirement, ResourceServer
from m2mguard._routes import survey
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.litestar import M2MGuardPlugin, requires
from tests.routes.audit_truth import SERVER, failing


@get(["/up", "/healthz"])
async def up() -> str:
    return "up"


@post("/scoped", guards=[requires("write")])
async def scoped() -> str:
    return "up"


@websocket("/live")
async def live(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    await socket.close()


class Orders(Controller):
    path = "/orders"
    guards = [requires("read")]

    @get("/")
    async def read(self) -> str:
        return "up"


class Answering(ASGIMiddleware):
    async def handle(self, scope: Any, receive: Any, send: Any, next_app: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"up"})


class Outermost(InitPlugin):
    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        app_config.middleware.insert(0, Answering())
        return app_config


inner = Starlette(routes=[Route("/inner", lambda _: PlainTextResponse("up"))])
mounted = asgi("/mounted", is_mount=True, copy_scope=True)(inner)
HANDLERS = [up, scoped, live, Router("/router", route_handlers=[Orders]), mounted]


def application(*plugins: Any, handlers: Any = HANDLERS, **options: Any) -> Litestar:
    return Litestar(handlers, plugins=plugins, logging_config=None, **options)


below: Any = application(M2MGuardPlugin(SERVER), openapi_config=None)


def answered(app: Any) -> set[str]:
    """The paths that answer without a token."""
    client = TestClient(app)
    found = set()
    for one in survey(app):
        for method in one.methods or ("GET",):
            if method == "WEBSOCKET":
                try:
                    with client.websocket_connect(one.path):
                        found.add(one.path)
                except WebSocketDisconnect:
                    pass
            elif client.request(method, one.path, follow_redirects=False).status_code != 401:
                found.add(one.path)
    return found


@pytest.mark.parametrize(
    "app",
    [
        application(M2MGuardPlugin(SERVER), openapi_config=None),
        application(M2MGuardPlugin(SERVER)),
        application(M2MGuardPlugin(SERVER), middleware=[RateLimitConfig(("minute", 1000)).middleware]),
        application(openapi_config=None),
        application(M2MGuardPlugin(SERVER, public=["/healthz", "/up"]), openapi_config=None),
        Starlette(routes=[Mount("/sub", BearerAuthMiddleware(application(openapi_config=None), SERVER))]),
        Starlette(routes=[Mount("/sub", below)]),
    ],
    ids=["plugin", "with schema", "with middleware below", "nothing", "public", "wrapped", "below another"],
)
def test_the_audit_fails_on_what_is_answered_without_a_token(app):
    assert failing(app) == answered(app)
    assert {one.path for one in survey(app) if not one.is_protected} == answered(app)


def test_each_route_is_reported_with_what_it_asks_for():
    plugin = M2MGuardPlugin(SERVER, requires=Requirement(scopes=["shop"]), public=["/healthz"])
    found = {(one.path, *sorted(one.methods)): one.text for one in survey(application(plugin, openapi_config=None))}
    assert (
        found
        == {
            ("/healthz", "GET"): "is public by name",
            ("/up", "GET"): 'asks for scope "shop"',
            ("/scoped", "POST"): 'asks for scope "shop", scope "write"',
            ("/live", "WEBSOCKET"): 'asks for scope "shop"',
            ("/router/orders", "GET"): 'asks for scope "shop", scope "read"',
            ("/mounted/inner", "GET", "HEAD"): 'asks for scope "shop"',
        }
        or found.pop(("/mounted/inner", "GET")) == 'asks for scope "shop"'
    )


def test_what_is_litestars_own_is_open_on_purpose():
    own = {one.text for one in survey(application(handlers=[])) if one.path.startswith("/schema")}
    assert own == {"is open: Litestar's own documentation"}


def test_the_metadata_are_open_on_purpose():
    server = ResourceServer("https://a.example", audience="https://b", resource_url="https://b")
    app = application(M2MGuardPlugin(server), handlers=[up], openapi_config=None)
    (open_one,) = [one for one in survey(app) if not one.is_protected]
    assert open_one.path == "/.well-known/oauth-protected-resource"
    assert open_one.open_on_purpose
    assert failing(app) == set()


def test_an_application_that_answers_by_itself_is_a_doubt():
    class Own(Litestar):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await Answering().handle(scope, receive, send, None)

    app = Own([up], plugins=[M2MGuardPlugin(SERVER)], logging_config=None, openapi_config=None)
    assert TestClient(app).get("/up").text == "up"
    assert "/*" in failing(app)


def test_middleware_above_the_plugin_is_a_doubt():
    below, above = (
        application(*plugins, openapi_config=None, handlers=[up])
        for plugins in ([Outermost(), M2MGuardPlugin(SERVER)], [M2MGuardPlugin(SERVER), Outermost()])
    )
    assert (failing(below), TestClient(below).get("/up").status_code) == (set(), 401)
    assert (failing(above), TestClient(above).get("/up").text) == ({"/up", "/healthz"}, "up")
    assert all(one.doubt and "Answering" in one.text for one in survey(above))
