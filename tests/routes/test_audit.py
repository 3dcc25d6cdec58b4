"""`assert_all_routes_protected` in FastAPI, Starlette and Flask: what it finds can in truth be called without a token."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security
from flask import Flask
from flask.views import MethodView
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient

from m2mguard import Caller, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.fastapi import M2MAuth
from m2mguard.flask import M2MGuard
from m2mguard.starlette import requires
from m2mguard.testing import assert_all_routes_protected

SERVER = ResourceServer("https://tenant.example/oidc", audience="https://shopping.api")
auth = M2MAuth(SERVER)
Reader = Annotated[Caller, Security(auth, scopes=["read"])]


def view() -> str:
    return "up"


def up(*_):
    return PlainTextResponse("up")


def guarded(caller: Reader) -> str:
    return caller.app_id


async def raw_application(scope, receive, send):
    await PlainTextResponse("up")(scope, receive, send)


def fastapi_app(**more) -> FastAPI:
    app = FastAPI(**more)
    app.get("/orders")(guarded)
    return app


def forgotten_dependency() -> FastAPI:
    app = fastapi_app()
    app.post("/orders")(view)
    return app


def router_without_one() -> FastAPI:
    app, stock, inner = fastapi_app(), APIRouter(prefix="/stock"), APIRouter()
    inner.get("/apples")(view)
    stock.include_router(inner)
    app.include_router(stock)
    return app


def mounted_sub_application() -> FastAPI:
    app, inner = fastapi_app(), FastAPI()
    inner.get("/apples")(view)
    app.mount("/stock", inner)
    return app


def mounted_raw_application() -> FastAPI:
    app = fastapi_app()
    app.mount("/stock", raw_application)
    return app


def dependencies_of_the_outer_application_do_not_reach_a_mount() -> FastAPI:
    app, inner = fastapi_app(dependencies=[Depends(auth)]), FastAPI()
    inner.get("/apples")(view)
    app.mount("/stock", inner)
    return app


def public_path_of_a_middleware() -> Starlette:
    return Starlette(
        routes=[Route("/orders", up), Route("/stock", up)],
        middleware=[Middleware(BearerAuthMiddleware, server=SERVER, public=["/stock"])],
    )


def route_beside_a_guarded_one() -> Starlette:
    guard = [requires(SERVER, scopes=["read"])]
    return Starlette(routes=[Route("/orders", up, middleware=guard), Mount("/stock", routes=[Route("/apples", up)])])


OPEN = [
    (forgotten_dependency, "POST /orders", "/orders"),
    (router_without_one, "GET /stock/apples", "/stock/apples"),
    (mounted_sub_application, "GET /stock/apples", "/stock/apples"),
    (mounted_raw_application, "any method /stock/*", "/stock/"),
    (dependencies_of_the_outer_application_do_not_reach_a_mount, "GET /stock/apples", "/stock/apples"),
    (public_path_of_a_middleware, "GET /stock", "/stock"),
    (route_beside_a_guarded_one, "GET /stock/apples", "/stock/apples"),
]


@pytest.mark.parametrize(("make", "line", "path"), OPEN, ids=lambda value: getattr(value, "__name__", ""))
def test_a_route_that_anybody_can_call_is_named(make, line, path):
    app = make()
    assert TestClient(app).request("POST" if line.startswith("POST") else "GET", path).status_code == 200
    with pytest.raises(AssertionError) as caught:
        assert_all_routes_protected(app)
    message = str(caught.value)
    assert message.startswith("1 of ")
    assert f"\n  {line} " in message.split("Protect each of them")[0]


@pytest.mark.parametrize(("make", "line", "path"), OPEN, ids=lambda value: getattr(value, "__name__", ""))
def test_a_route_that_is_open_on_purpose_is_named_in_except(make, line, path):
    assert assert_all_routes_protected(make(), except_=[line.replace("any method ", "")])
    assert_all_routes_protected(make(), except_=["/stock/", "/stock", "POST /orders"])
    with pytest.raises(AssertionError):
        assert_all_routes_protected(make(), except_=["/healthz", "/orders/", "PUT /orders", "/"])


def test_the_message_says_where_and_what_the_others_ask_for():
    with pytest.raises(AssertionError) as caught:
        assert_all_routes_protected(forgotten_dependency())
    assert str(caught.value).splitlines() == [
        "1 of 6 routes can be called, or may be called, by somebody who must not:",
        f"  POST /orders is not protected: nothing asks for a token  ({__name__}:view)",
        "Protect each of them; or name it in except_ if everybody may call it: its path, as it is written here.",
        "The other routes:",
        "  GET /openapi.json is open: FastAPI's own documentation",
        "  GET /docs is open: FastAPI's own documentation",
        "  GET /docs/oauth2-redirect is open: FastAPI's own documentation",
        "  GET /redoc is open: FastAPI's own documentation",
        '  GET /orders asks for scope "read"',
    ]


def test_pages_that_a_framework_brings_are_no_fault():
    app = fastapi_app()
    app.mount("/static", StaticFiles(directory="."))
    assert {report.path for report in assert_all_routes_protected(app)} >= {"/docs", "/orders", "/static/*"}


def test_a_token_of_any_application_is_enough_unless_you_ask_for_more():
    app = FastAPI(dependencies=[Depends(auth)])
    app.get("/orders")(view)
    assert_all_routes_protected(app)
    with pytest.raises(AssertionError, match="asks for a token, and for nothing else"):
        assert_all_routes_protected(app, any_token_is_enough=False)
    assert_all_routes_protected(fastapi_app(), any_token_is_enough=False)


def test_an_overridden_dependency_is_not_protection():
    app = fastapi_app()
    assert_all_routes_protected(app)
    app.dependency_overrides[auth] = lambda: None
    with pytest.raises(AssertionError, match="overridden"):
        assert_all_routes_protected(app)


def flask_app() -> tuple[Flask, M2MGuard]:
    app = Flask(__name__)
    guard = M2MGuard(app, SERVER)
    app.get("/orders")(guard.requires("read")(view))
    return app, guard


def test_a_flask_view_without_a_guard_is_named():
    app, _ = flask_app()
    assert_all_routes_protected(app)  # the folder of static files is no fault
    app.get("/stock", endpoint="stock")(lambda: "up")
    assert app.test_client().get("/stock").status_code == 200
    with pytest.raises(AssertionError, match="\n  GET /stock is not protected"):
        assert_all_routes_protected(app)


def test_a_flask_guard_above_the_route_is_named():
    app, guard = flask_app()
    guard.requires("read")(app.get("/stock")(lambda: "up"))
    with pytest.raises(AssertionError, match=r"\n  GET /stock .* above the route"):
        assert_all_routes_protected(app)


def test_a_method_of_a_flask_view_without_a_guard_is_named():
    app, guard = flask_app()

    class Stock(MethodView):
        @guard.requires("read")
        def get(self):
            return "up"

        def post(self):
            return "up"

    app.add_url_rule("/stock", view_func=Stock.as_view("stock"))
    assert app.test_client().post("/stock").status_code == 200
    with pytest.raises(AssertionError, match="\n  POST /stock is not protected"):
        assert_all_routes_protected(app)


@pytest.mark.parametrize("wrong", ["/docs", 7])
def test_except_is_a_list_of_paths(wrong):
    with pytest.raises(TypeError):
        assert_all_routes_protected(fastapi_app(), except_=wrong)
    with pytest.raises(ValueError, match="'docs' names no route"):
        assert_all_routes_protected(fastapi_app(), except_=["docs"])


def test_an_audit_without_a_route_is_an_error():
    with pytest.raises(ValueError, match="no route was found in object"):
        assert_all_routes_protected(object())
