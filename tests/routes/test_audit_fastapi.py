"""The audit of FastAPI applications against reality: each route is called without a token, through FastAPI's own test client."""

import importlib
import time
import warnings
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Security, WebSocket
from fastapi.routing import APIRoute
from fastapi.security import HTTPBasic, SecurityScopes
from flask import Flask
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from m2mguard.asgi import BearerAuthMiddleware, readiness
from m2mguard.errors import AnswerableError
from m2mguard.fastapi import M2MAuth, RefusedRequest, resource_metadata
from m2mguard.flask import M2MGuard
from m2mguard.starlette import requires
from m2mguard.testing import assert_all_routes_protected
from m2mguard.wsgi import BearerAuthMiddleware as WSGIAuthMiddleware
from tests.routes.audit_truth import SERVER, failing

AUTH = M2MAuth(SERVER)
GUARDED = [Security(AUTH, scopes=["read"])]


def view():
    return "up"


async def page(request):
    return PlainTextResponse("up")


def one_route(*dependencies: Any, **options: Any) -> FastAPI:
    app = FastAPI(**options)
    app.get("/orders", dependencies=list(dependencies))(view)
    return app


def is_open(app: FastAPI, path: str = "/orders", method: str = "GET") -> bool:
    return TestClient(app, raise_server_exceptions=False).request(method, path).status_code == 200


class CallsSuper(M2MAuth):
    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> Any:
        caller = await super().__call__(connection, security_scopes)
        connection.scope["seen"] = caller.app_id
        return caller


class LetsPass(M2MAuth):
    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> Any:
        try:
            return await super().__call__(connection, security_scopes)
        except RefusedRequest:
            return None


class AsksSometimes(M2MAuth):
    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> Any:
        if "x-token" in connection.headers:
            return await super().__call__(connection, security_scopes)
        return None


async def looks_like_auth(connection: HTTPConnection) -> Any:
    return None


looks_like_auth.__dict__.update(vars(AUTH))  # as functools.wraps does


async def catches(connection: HTTPConnection) -> Any:
    try:
        return await AUTH(connection, SecurityScopes())
    except (AnswerableError, RefusedRequest):
        return None


def optional(caller: Annotated[Any, Depends(AUTH)] = None):
    return caller


class OfTheClass:
    def __init__(self, caller: Annotated[Any, Depends(AUTH)]) -> None:
        self.caller = caller


class OpenClass:
    def __call__(self, request: Request) -> None: ...


def overridden(key, value, *dependencies):
    app = one_route(*dependencies)
    app.dependency_overrides[key] = value
    return app


class TimedRoute(APIRoute):
    def get_route_handler(self):
        handler = super().get_route_handler()

        async def timed(request):
            started = time.monotonic()
            response = await handler(request)
            response.headers["X-Time"] = str(time.monotonic() - started)
            return response

        return timed


class AnsweringRoute(APIRoute):
    def get_route_handler(self):
        handler = super().get_route_handler()

        async def answer(request):
            if "x-token" not in request.headers:
                return PlainTextResponse("an answer")
            return await handler(request)

        return answer


def with_route_class(kind):
    app, router = FastAPI(), APIRouter(route_class=kind, dependencies=GUARDED)
    router.get("/orders")(view)
    app.include_router(router)
    return app


def included(*, router_options=None, include=None, late=False):
    app, outer, inner = FastAPI(), APIRouter(), APIRouter(**(router_options or {}))
    if not late:
        inner.get("/orders")(view)
    outer.include_router(inner, **(include or {}))
    app.include_router(outer)
    if late:
        inner.get("/orders")(view)
    return app


def decorated_only():
    app = FastAPI()

    @app.get("/orders", dependencies=[Depends(AUTH)])
    def orders():
        return "up"

    return app


def plain_route_in_guarded_app():
    app = FastAPI(dependencies=GUARDED)
    app.add_route("/orders", page)
    return app


def route_with_middleware():
    app = FastAPI()
    app.router.routes.append(Route("/orders", page, middleware=[requires(SERVER, scopes=["read"])]))
    return app


def after_startup():
    app = one_route(*GUARDED)
    with TestClient(app):
        app.get("/late")(view)
    return app


APPS = {
    "forgotten": lambda: one_route(),
    "guarded": lambda: one_route(*GUARDED),
    "no_scopes": lambda: one_route(Security(AUTH, scopes=[])),
    "decorated_only": decorated_only,
    "app_dependencies": lambda: one_route(dependencies=GUARDED),
    "plain_route_in_guarded_app": plain_route_in_guarded_app,
    "route_with_middleware": route_with_middleware,
    "router_without": lambda: included(),
    "router_with": lambda: included(router_options={"dependencies": GUARDED}),
    "include_with": lambda: included(include={"dependencies": GUARDED}),
    "late_without": lambda: included(late=True),
    "late_with": lambda: included(late=True, include={"dependencies": GUARDED}),
    "sub_dependency": lambda: one_route(Depends(optional)),
    "class_dependency": lambda: one_route(Depends(OfTheClass)),
    "open_class": lambda: one_route(Depends(OpenClass())),
    "lets_pass": lambda: one_route(Depends(LetsPass(SERVER))),
    "asks_sometimes": lambda: one_route(Depends(AsksSometimes(SERVER))),
    "calls_super": lambda: one_route(Depends(CallsSuper(SERVER))),
    "looks_like_auth": lambda: one_route(Depends(looks_like_auth)),
    "catches": lambda: one_route(Depends(catches)),
    "overridden": lambda: overridden(AUTH, lambda: None, Depends(AUTH)),
    "outer_overridden": lambda: overridden(optional, lambda: None, Depends(optional)),
    "overridden_beside": lambda: overridden(optional, lambda: None, Depends(optional), *GUARDED),
    "timed_route": lambda: with_route_class(TimedRoute),
}


@pytest.mark.parametrize("name", APPS)
def test_the_audit_is_right_about_one_route(name):
    app = APPS[name]()
    assert ("/orders" in failing(app)) is is_open(app), name
    assert failing(app) <= {"/orders"}


def test_a_route_class_that_may_answer_is_a_doubt():
    app = with_route_class(AnsweringRoute)
    assert is_open(app)
    assert failing(app) == {"/orders/*"}


def test_another_scheme_is_a_doubt_though_it_asks_for_something():
    app = one_route(Depends(HTTPBasic()))
    assert TestClient(app).get("/orders").status_code == 401
    with pytest.raises(AssertionError, match=r"cannot tell: .*HTTPBasic may ask for something"):
        assert_all_routes_protected(app)


def test_a_route_that_is_added_after_startup_is_found():
    app = after_startup()
    assert is_open(app, "/late")
    assert failing(app) == {"/late"}


def test_a_prefix_and_nested_routers_are_in_the_path():
    app, outer, inner = FastAPI(), APIRouter(prefix="/outer"), APIRouter(prefix="/inner")
    inner.get("/open")(view)
    inner.get("/guarded", dependencies=GUARDED)(view)
    outer.include_router(inner, prefix="/between")
    app.include_router(outer, prefix="/v1")
    assert failing(app) == {"/v1/outer/between/inner/open"}
    assert is_open(app, "/v1/outer/between/inner/open")
    assert not is_open(app, "/v1/outer/between/inner/guarded")


async def raw(scope, receive, send):
    await PlainTextResponse("up")(scope, receive, send)


def flask_app(*, guarded):
    app = Flask("shop", static_folder=None)
    guard = M2MGuard(app, SERVER)
    app.get("/orders")(guard.requires("read")(lambda: "up") if guarded else lambda: "up")
    return app


def behind_asgi(app):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # FastAPI still offers it
        return importlib.import_module("fastapi.middleware.wsgi").WSGIMiddleware(app)


def test_sub_applications_of_every_kind_are_surveyed(tmp_path):
    (tmp_path / "file").write_text("up")
    app = one_route(dependencies=GUARDED)
    mounted: dict[str, Any] = {
        "/open": one_route(),
        "/guarded": one_route(*GUARDED),
        "/around": BearerAuthMiddleware(one_route(), SERVER),
        "/routes": Mount("", routes=[Route("/orders", page)]),
        "/raw": raw,
        "/raw-guarded": BearerAuthMiddleware(raw, SERVER),
        "/flask": behind_asgi(flask_app(guarded=False)),
        "/flask-guarded": behind_asgi(flask_app(guarded=True)),
        "/files": StaticFiles(directory=tmp_path),
        "/ready": readiness(SERVER),
    }
    for path, one in mounted.items():
        app.mount(path, one)
    found = failing(app)
    served = {path: is_open(app, f"{path}/{'file' if path == '/files' else 'orders'}") for path in mounted}
    assert {path for path, is_it in served.items() if is_it} == {"/open", "/routes", "/raw", "/flask", "/files"}
    assert found == {"/open/orders", "/routes/orders", "/raw/*", "/flask/orders"}


def test_overrides_of_a_sub_application_are_its_own():
    app, below = FastAPI(), one_route(Depends(AUTH))
    app.mount("/sub", below)
    app.dependency_overrides[AUTH] = lambda: None
    assert (failing(app), is_open(app, "/sub/orders")) == (set(), False)
    below.dependency_overrides[AUTH] = lambda: None
    assert (failing(app), is_open(app, "/sub/orders")) == ({"/sub/orders"}, True)


async def timed(request, call_next):
    response = await call_next(request)
    response.headers["X-Time"] = "1"
    return response


async def answers(request, call_next):
    if "x-token" not in request.headers:
        return PlainTextResponse("an answer")
    return await call_next(request)


class Answers:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            await PlainTextResponse("an answer")(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class Passes(Answers):
    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_more(message):
            await send(message)

        await self.app(scope, receive, send_more)


@pytest.mark.parametrize(
    ("middleware", "options"),
    [
        (CORSMiddleware, {"allow_origins": ["*"]}),
        (BaseHTTPMiddleware, {"dispatch": timed}),
        (BaseHTTPMiddleware, {"dispatch": answers}),
        (Answers, {}),
        (Passes, {}),
    ],
)
def test_middleware_above_a_dependency_that_may_answer_is_found(middleware, options):
    app, behind = one_route(*GUARDED), one_route(*GUARDED)
    app.add_middleware(middleware, **options)
    assert failing(app) == ({"/*"} if is_open(app) else set())
    behind.add_middleware(middleware, **options)
    behind.add_middleware(BearerAuthMiddleware, server=SERVER)
    assert (failing(behind), is_open(behind)) == (set(), False)


def test_an_application_whose_class_answers_is_found():
    class Own(FastAPI):
        async def __call__(self, scope, receive, send):
            if scope["type"] == "http":
                await raw(scope, receive, send)
            else:
                await super().__call__(scope, receive, send)

    app = Own()
    app.get("/orders", dependencies=GUARDED)(view)
    assert is_open(app)
    assert failing(app) == {"/*"}


def test_websockets_are_called_too():
    app, router = FastAPI(), APIRouter(dependencies=GUARDED)

    async def socket(websocket: WebSocket):
        await websocket.accept()
        await websocket.close()

    app.websocket("/open")(socket)
    router.websocket("/guarded")(socket)
    app.include_router(router)
    assert failing(app) == {"/open"}
    client = TestClient(app)
    with client.websocket_connect("/open"):
        pass
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/guarded"):
        pass


def test_a_page_of_ones_own_beside_the_documentation_is_found():
    app = one_route(*GUARDED)
    app.add_route("/docs", page, methods=["POST"])
    app.include_router(resource_metadata(metadata_server()))
    assert is_open(app, "/docs", "POST")
    assert is_open(app, "/docs")
    assert failing(app) == {"/docs"}


def metadata_server():
    return type(SERVER)("https://tenant.example/oidc", audience="https://a.api", resource_url="https://a.api")


def test_documentation_below_a_public_prefix_is_open_on_purpose():
    app = FastAPI(docs_url="/docs/ui", dependencies=GUARDED)
    app.get("/docs/{page}")(view)
    app.add_middleware(BearerAuthMiddleware, server=SERVER, public=["/docs/"])
    assert is_open(app, "/docs/ui")
    assert not is_open(app, "/docs/orders")
    assert failing(app) == set()


def test_a_route_below_a_public_prefix_is_open():
    app = FastAPI(openapi_url=None)
    app.get("/docs/orders")(view)
    app.get("/docs/{page}/all")(view)
    app.get("/{name}")(view)
    app.get("/orders")(view)
    app.add_middleware(BearerAuthMiddleware, server=SERVER, public=["/docs/", "/me", "POST /orders"])
    opened = {path for path in ("/docs/orders", "/docs/x/all", "/me", "/orders") if is_open(app, path)}
    assert opened == {"/docs/orders", "/docs/x/all", "/me"}
    assert failing(app) == {"/docs/orders", "/docs/{page}/all", "/{name}"}


def test_head_and_options_are_methods_like_others():
    app = FastAPI(openapi_url=None)
    app.api_route("/orders", methods=["OPTIONS"])(view)
    app.api_route("/heads", methods=["HEAD"])(view)
    assert is_open(app, "/orders", "OPTIONS")
    assert is_open(app, "/heads", "HEAD")
    assert failing(app) == {"/orders", "/heads"}


def test_what_is_around_the_application_guards_it_or_may_answer():
    guarded = BearerAuthMiddleware(one_route(), SERVER)
    assert failing(guarded) == set()
    assert failing(Passes(guarded)) == set()
    assert failing(Answers(guarded)) == {"/*"}
    assert is_open(Answers(guarded))  # type: ignore[arg-type]
    assert failing(Answers(one_route())) == {"/*", "/orders", "/openapi.json"} - {"/openapi.json"}
    assert failing(behind_asgi(WSGIAuthMiddleware(flask_app(guarded=False), SERVER))) == set()


def test_the_message_names_each_open_route_and_what_to_do():
    app = one_route()
    app.get("/guarded", dependencies=GUARDED)(view)
    with pytest.raises(AssertionError) as caught:
        assert_all_routes_protected(app, except_=["/elsewhere/"])
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("1 of 6 routes ")
    assert (
        lines[1] == "  GET /orders is not protected: nothing asks for a token  (tests.routes.test_audit_fastapi:view)"
    )
    assert lines[2].startswith("Protect each of them")
    assert '  GET /guarded asks for scope "read"' in lines


def test_what_is_mounted_on_an_included_router_is_surveyed():
    app, router = FastAPI(), APIRouter(prefix="/v1", dependencies=GUARDED)
    router.mount("/sub", one_route())
    router.add_route("/plain", page)
    app.include_router(router)
    paths = ("/sub/orders", "/v1/sub/orders", "/plain", "/v1/plain")
    opened = {path for path in paths if is_open(app, path)}
    assert failing(app) == opened


def test_middleware_that_may_answer_is_named_by_its_function():
    app = one_route(*GUARDED)
    app.middleware("http")(answers)
    with pytest.raises(
        AssertionError, match=rf"any method /\* cannot tell: .*; put the guard above it  \({__name__}:answers\)"
    ):
        assert_all_routes_protected(app)
    assert failing(app, except_=["/*"]) == set()
