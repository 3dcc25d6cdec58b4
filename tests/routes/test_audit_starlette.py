"""The audit of Starlette applications against reality: each route is called without a token, through Starlette's own test client."""

from contextlib import suppress
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.authentication import requires as starlette_requires
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Host, Match, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.starlette import requires, resource_metadata
from m2mguard.testing import assert_all_routes_protected
from tests.routes.audit_truth import SERVER, failing

GUARD = requires(SERVER, scopes=["read"])


async def page(request):
    return PlainTextResponse("up")


async def raw(scope, receive, send):
    await PlainTextResponse("up")(scope, receive, send)


class Endpoint(HTTPEndpoint):
    async def get(self, request):
        return PlainTextResponse("up")


class LetsPass(BearerAuthMiddleware):
    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


class Refuses(BearerAuthMiddleware):
    async def _refuse(self, error, scope, send):
        await self.app(scope, None, send)


class WithDefaults(BearerAuthMiddleware):
    def __init__(self, app: Any) -> None:
        super().__init__(app, SERVER)


class Anybody(AuthenticationBackend):
    async def authenticate(self, conn):
        return AuthCredentials(["read"]), SimpleUser("anybody")


class Catches(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        with suppress(RuntimeError):
            return await call_next(request)
        return PlainTextResponse("up")


class Answers(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        if "x-token" in request.headers:
            return await call_next(request)
        return PlainTextResponse("up")


class OwnRoute(BaseRoute):
    def matches(self, scope):
        return Match.FULL, {}

    async def handle(self, scope, receive, send):
        await raw(scope, receive, send)


class AnsweringRoute(Route):
    async def handle(self, scope, receive, send):
        await raw(scope, receive, send)


class OwnRouter(Router):
    async def app(self, scope, receive, send):
        await raw(scope, receive, send)


class Wrapper:
    def __init__(self, app, **_):
        self.wrapped = app

    async def __call__(self, scope, receive, send):
        await self.wrapped(scope, receive, send)


def factory(_app):
    return raw


FACTORY: Any = factory


def one(endpoint: Any = page, **options: Any) -> Starlette:
    return Starlette(routes=[Route("/orders", endpoint, **options)])


def behind(*middleware: Any, routes: Any = None) -> Starlette:
    return Starlette(routes=routes or [Route("/orders", page)], middleware=list(middleware))


def routed(*routes: Any) -> Starlette:
    return Starlette(routes=list(routes))


@starlette_requires("read")
async def asks(request):
    return PlainTextResponse("up")


def with_router_default(default):
    app = one(middleware=[GUARD])
    app.router.default = default
    return app


BEARER = Middleware(BearerAuthMiddleware, server=SERVER)
ANYBODY = Middleware(AuthenticationMiddleware, backend=Anybody())
ORDERS = [Route("/orders", page)]
APPS = {
    "open": lambda: one(),
    "route": lambda: one(middleware=[GUARD]),
    "class": lambda: one(Endpoint),
    "guarded_class": lambda: one(Endpoint, middleware=[GUARD]),
    "app": lambda: behind(BEARER),
    "app_subclass": lambda: behind(Middleware(WithDefaults)),
    "lets_pass": lambda: behind(Middleware(LetsPass, server=SERVER)),
    "refuses_nobody": lambda: behind(Middleware(Refuses, server=SERVER)),
    "lets_pass_around": lambda: LetsPass(one(), SERVER),
    "around": lambda: BearerAuthMiddleware(one(), SERVER),
    "catches": lambda: behind(Middleware(Catches), routes=[Route("/orders", page, middleware=[GUARD])]),
    "mount": lambda: routed(Mount("", routes=ORDERS)),
    "mount_with_guard": lambda: routed(Mount("", routes=ORDERS, middleware=[GUARD])),
    "mount_of_guard": lambda: routed(Mount("", app=BearerAuthMiddleware(Router(ORDERS), SERVER))),
    "mount_of_router": lambda: routed(Mount("", app=Router(ORDERS, middleware=[GUARD]))),
    "mount_of_app": lambda: routed(Mount("", app=behind(BEARER))),
    "router": lambda: Router(ORDERS, middleware=[GUARD]),
    "open_router": lambda: Router(ORDERS),
    "router_below_gzip": lambda: Router(ORDERS, middleware=[Middleware(GZipMiddleware), GUARD]),
    "host": lambda: routed(Host("testserver", app=Router(ORDERS))),
    "guarded_host": lambda: routed(Host("testserver", app=BearerAuthMiddleware(Router(ORDERS), SERVER))),
    "asks_below": lambda: behind(BEARER, routes=[Route("/orders", asks)]),
    "asks_of_anybody": lambda: behind(ANYBODY, routes=[Route("/orders", asks)]),
    "anybody_and_guard": lambda: behind(ANYBODY, BEARER, routes=[Route("/orders", asks)]),
    "public": lambda: behind(Middleware(BearerAuthMiddleware, server=SERVER, public=["/orders"])),
    "public_method": lambda: behind(Middleware(BearerAuthMiddleware, server=SERVER, public=["GET /orders"])),
    "public_post": lambda: behind(Middleware(BearerAuthMiddleware, server=SERVER, public=["POST /orders"])),
    "public_of_class": lambda: behind(
        Middleware(BearerAuthMiddleware, server=SERVER, public=["GET /orders"]), routes=[Route("/orders", Endpoint)]
    ),
    "public_below_mount": lambda: routed(
        Mount("/v", app=behind(Middleware(BearerAuthMiddleware, server=SERVER, public=["/v/orders"]))),
        Mount("", app=behind(Middleware(BearerAuthMiddleware, server=SERVER, public=["/orders"]))),
    ),
}


def is_open(app: Any, path: str = "/orders") -> bool:
    return TestClient(app, raise_server_exceptions=False).get(path).status_code == 200


@pytest.mark.parametrize("name", APPS)
def test_the_audit_is_right_about_one_route(name):
    app = APPS[name]()
    assert failing(app) == ({"/orders"} if is_open(app) else set()), name


DOUBTFUL = {
    "answers": (lambda: behind(Middleware(Answers), BEARER), "/*"),
    "route_answers": (lambda: one(middleware=[Middleware(Answers), GUARD]), "/*"),
    "factory": (lambda: behind(Middleware(FACTORY), BEARER), "/*"),
    "own_route": (lambda: routed(OwnRoute(), Route("/orders", page, middleware=[GUARD])), "/*"),
    "answering_route": (lambda: routed(AnsweringRoute("/orders", page, middleware=[GUARD])), "/orders/*"),
    "own_router": (lambda: routed(Mount("", app=OwnRouter(ORDERS, middleware=[GUARD]))), "/*"),
    "raw_mount": (lambda: routed(Mount("/orders", app=raw)), "/orders/*"),
    "raw_host": (lambda: routed(Host("testserver", app=raw)), "/*"),
    "default": (lambda: with_router_default(raw), "/*"),
    "hidden": (lambda: routed(Mount("/orders", app=Wrapper(BearerAuthMiddleware(raw, SERVER)))), "/orders/*"),
}


@pytest.mark.parametrize("name", DOUBTFUL)
def test_what_cannot_be_read_is_said_to_be_unknown(name):
    make, path = DOUBTFUL[name]
    with pytest.raises(AssertionError, match="cannot tell"):
        assert_all_routes_protected(make())
    assert path in failing(make())
    assert failing(make(), except_=[path]) == set() or name == "own_router"


def test_a_class_that_is_called_files_is_not_taken_for_files(tmp_path):
    class Files(StaticFiles):
        def file_response(self, *args: Any, **kwargs: Any) -> Any:
            return super().file_response(*args, **kwargs)

    own = type("StaticFiles", (), {"__call__": staticmethod(raw)})()
    (tmp_path / "orders").write_text("up")
    app = routed(Mount("/own", app=own), Mount("/files", app=Files(directory=tmp_path)))
    assert is_open(app, "/own/orders")
    assert is_open(app, "/files/orders")
    assert failing(app) == {"/own/*"}


class Methods(HTTPEndpoint):
    @starlette_requires("read")
    async def get(self, request):
        return PlainTextResponse("up")

    async def post(self, request):
        return PlainTextResponse("up")


def test_the_methods_of_a_class_are_told_apart():
    app = behind(ANYBODY, routes=[Route("/orders", Methods)])
    assert TestClient(app).post("/orders").status_code == 200
    app = routed(Route("/orders", Methods, middleware=[requires(SERVER)]))
    assert TestClient(app).post("/orders").status_code == 401
    assert failing(app) == set()
    assert failing(app, any_token_is_enough=False) == {"/orders"}
    with pytest.raises(AssertionError, match=r"(?m)^  POST /orders asks for a token, and for nothing else"):
        assert_all_routes_protected(app, any_token_is_enough=False)


def test_websockets_and_handshakes_that_are_public():
    async def socket(websocket):
        await websocket.accept()
        await websocket.close()

    app = behind(
        Middleware(BearerAuthMiddleware, server=SERVER, public=["WEBSOCKET /open", "GET /guarded"]),
        routes=[WebSocketRoute("/open", socket), WebSocketRoute("/guarded", socket)],
    )
    with TestClient(app).websocket_connect("/open"):
        pass
    with pytest.raises(WebSocketDisconnect), TestClient(app).websocket_connect("/guarded"):
        pass
    assert failing(app) == {"/open"}


def test_the_apis_metadata_is_not_looked_at():
    server = type(SERVER)("https://tenant.example/oidc", audience="https://a.api", resource_url="https://a.api")
    app = routed(resource_metadata(server), Route("/orders", page, middleware=[GUARD]))
    assert is_open(app, "/.well-known/oauth-protected-resource")
    assert failing(app) == set()


def test_exceptions_name_paths_prefixes_and_methods():
    app = routed(
        Route("/", page), Route("/docs", page), Route("/docs/a", page), Route("/docs/a/b", page, methods=["POST"])
    )
    every = {"/", "/docs", "/docs/a", "/docs/a/b"}
    assert failing(app) == every
    assert failing(app, except_=["/"]) == every - {"/"}
    assert failing(app, except_=["/docs"]) == every - {"/docs"}
    assert failing(app, except_=["/docs/"]) == {"/", "/docs"}
    assert failing(app, except_=["GET /docs/"]) == {"/", "/docs", "/docs/a/b"}
    assert failing(app, except_=["GET,POST /docs/", "/docs", "/"]) == set()
    assert failing(app, except_=["POST /docs"]) == every


@pytest.mark.parametrize("wrong", ["docs", "GET docs", "", "get /docs", "GET  /docs", "GET, POST /docs"])
def test_an_exception_that_can_name_nothing_is_an_error(wrong):
    with pytest.raises(ValueError, match="except_"):
        assert_all_routes_protected(one(), except_=[wrong])


def test_a_string_is_no_list_of_exceptions_and_an_object_no_application():
    with pytest.raises(TypeError, match="list of paths"):
        assert_all_routes_protected(one(), except_="/orders")
    with pytest.raises(ValueError, match="no route was found in object"):
        assert_all_routes_protected(object())
    with pytest.raises(ValueError, match="no route was found"):
        assert_all_routes_protected(routed())


def test_more_than_a_token_can_be_asked_for():
    app = routed(
        Route("/any", page, middleware=[requires(SERVER)]),
        Route("/scope", page, middleware=[GUARD]),
        Route("/app", page, middleware=[requires(SERVER, app_ids=["a"])]),
    )
    assert failing(app) == set()
    assert failing(app, any_token_is_enough=False) == {"/any"}


def test_the_reports_say_what_each_route_asks_for():
    found = assert_all_routes_protected(one(middleware=[GUARD]))
    assert [(one.path, one.text, one.where) for one in found] == [
        ("/orders", 'asks for scope "read"', f"{__name__}:page")
    ]


@pytest.mark.parametrize(
    ("path", "called", "public"),
    [
        ("/users/{name}/orders", "/users/me/orders", "/users/me/"),
        ("/users/{name}/orders", "/users/a/b/orders", "/users/a/b/"),
        ("/users/{name}/orders", "/users/me/orders", "/users/me"),
        ("/users/{name:path}/orders", "/users/a/b/orders", "/users/a/b/"),
        ("/{area}/{name}", "/docs/a", "/docs/"),
        ("/{area}", "/docs", "/docs/"),
        ("/orders{rest:path}", "/orders/a", "/orders/"),
        ("/{number:int}", "/3", "/3"),
        ("/{number:int}", "/docs", "/3"),
    ],
)
def test_a_parameter_that_can_make_a_path_public_is_found(path, called, public):
    app = behind(Middleware(BearerAuthMiddleware, server=SERVER, public=[public]), routes=[Route(path, page)])
    opened = is_open(app, called) or (called == "/docs" != public and is_open(app, "/3"))
    assert failing(app) == ({path} if opened else set())


def test_preflights_that_reach_an_endpoint_without_a_token():
    middleware = Middleware(BearerAuthMiddleware, server=SERVER, preflight="exempt")
    app = behind(middleware, routes=[Route("/orders", page, methods=["GET", "OPTIONS"]), Route("/read", page)])
    sent = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    assert TestClient(app).options("/orders", headers=sent).status_code == 200
    assert not is_open(app)
    assert failing(app) == {"/orders"}
    assert failing(app, except_=["OPTIONS /orders"]) == set()


class AnswersIfItFails(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        try:
            request.headers["x-token"]
            return await call_next(request)
        except KeyError:
            return PlainTextResponse("up")


class AnswersErrors(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        try:
            response = await call_next(request)
        except ValueError:
            return PlainTextResponse("an error", 500)
        finally:
            request.state.ended = True
        return response


class Ends(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        for name in ("a", "b"):
            request.state.name = name
            if name in request.headers or name == "b":
                return PlainTextResponse("up")
        return await call_next(request)


class CallsInAnyCase(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        if request.method == "POST":
            response = await call_next(request)
        else:
            response = await (call_next(request) if request.url.path == "/" else call_next(request.scope and request))
        return response


@pytest.mark.parametrize("middleware", [AnswersIfItFails, AnswersErrors, Ends, CallsInAnyCase])
def test_the_code_of_a_middleware_is_followed(middleware):
    app = behind(Middleware(middleware), routes=[Route("/orders", page, middleware=[GUARD])])
    assert failing(app) == ({"/*"} if is_open(app) else set())


def test_a_public_head_beside_a_protected_get_is_found():
    app = behind(Middleware(BearerAuthMiddleware, server=SERVER, public=["HEAD /orders"]))
    assert TestClient(app).head("/orders").status_code == 200
    assert not is_open(app)
    with pytest.raises(AssertionError, match="HEAD /orders is public by name"):
        assert_all_routes_protected(app)
    assert failing(app, except_=["HEAD /orders"]) == set()
