"""The survey against reality: each route is called without a token, and what the survey says of it must be so."""

import functools
import importlib
import sys

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security
from fastapi.security import HTTPBasic
from flask import Blueprint, Flask
from flask.views import MethodView
from starlette.applications import Starlette
from starlette.authentication import requires as starlette_requires
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient

from m2mguard import Requirement, ResourceServer
from m2mguard._routes import survey
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.fastapi import M2MAuth
from m2mguard.flask import M2MGuard
from m2mguard.starlette import requires
from m2mguard.wsgi import BearerAuthMiddleware as WSGIMiddleware

SERVER = ResourceServer("https://tenant.example/oidc", audience="https://shopping.api")
READ = Requirement(scopes=["read"])


def up(*_):
    return PlainTextResponse("up")


def view():
    return "up"


def starlette():
    return Starlette(
        routes=[
            Route("/open", up),
            Route("/fine", up, middleware=[requires(SERVER, scopes=["read"])]),
            Route("/warning", up, middleware=[requires(SERVER)]),
            Mount("/below", routes=[Route("/fine", up)], middleware=[requires(SERVER, scopes=["read"])]),
        ]
    )


def behind_middleware():
    routes = [Route("/fine", up), Route("/note", up), Route("/docs/{page}", up)]
    return Starlette(
        routes=routes,
        middleware=[Middleware(BearerAuthMiddleware, server=SERVER, requires=READ, public=["/note", "/docs/"])],
    )


def wrapped():
    return BearerAuthMiddleware(starlette(), SERVER, requires=READ)


def fastapi():
    auth = M2MAuth(SERVER)
    app, router = FastAPI(), APIRouter(dependencies=[Depends(auth)])
    app.get("/open")(view)
    app.get("/fine", dependencies=[Security(auth, scopes=["read"])])(view)
    app.get("/fine2", dependencies=[Depends(auth.requires(app_ids=["a"]))])(view)
    router.get("/warning")(view)
    router.get("/fine", dependencies=[Security(auth, scopes=["read"])])(view)
    app.include_router(router, prefix="/router")
    app.mount("/sub", starlette())
    return app


def flask():
    app = Flask("shop")
    guard = M2MGuard(app, SERVER)
    app.get("/open", endpoint="open")(view)
    app.get("/fine", endpoint="fine")(guard.requires("read")(view_of()))
    app.get("/warning", endpoint="warning")(guard.requires()(view_of()))
    blueprint = Blueprint("b", "shop", url_prefix="/b")
    guard.protect(blueprint, "read", public=["/b/note"])
    blueprint.get("/fine", endpoint="fine")(view_of())
    blueprint.get("/note", endpoint="note")(view_of())
    app.register_blueprint(blueprint)
    return app


def view_of():
    return lambda: "up"


def flask_behind_middleware():
    app = Flask("shop")
    app.get("/fine")(view_of())
    app.wsgi_app = WSGIMiddleware(app.wsgi_app, SERVER, requires=READ)  # type: ignore[method-assign]
    return app


APPS = [starlette, behind_middleware, wrapped, fastapi, flask, flask_behind_middleware]


@pytest.mark.parametrize("make", APPS)
def test_what_the_survey_says_of_a_route_is_so(make):
    app = make()
    found = [one for one in survey(app) if "path" not in one.path]
    assert found
    for one in found:
        path = one.path.replace("{page}", "x")
        client = app.test_client() if isinstance(app, Flask) else TestClient(app)
        status = client.get(path).status_code
        assert status == (401 if one.is_protected else 200), one
        assert one.is_protected is (one.severity in ("fine", "warning") and not path.endswith(".json")), one


@pytest.mark.parametrize("make", APPS)
def test_each_route_has_the_severity_of_its_name(make):
    for one in survey(make()):
        last = one.path.rpartition("/")[2]
        if last in ("fine", "warning", "note") and make is not wrapped:
            assert one.severity == last, one
        if last == "open" and make is not wrapped:
            assert one.severity == "alarm", one


def test_an_unknown_application_is_never_fine_unless_all_of_it_is_guarded():
    async def raw(scope, receive, send): ...

    [bare] = survey(raw)
    assert (bare.severity, bare.doubt) == ("warning", True)
    [guarded] = survey(BearerAuthMiddleware(raw, SERVER, requires=READ))
    assert (guarded.severity, guarded.is_protected) == ("fine", True)


def test_a_route_that_asks_for_a_sign_in_says_so():
    server = ResourceServer("https://tenant.example/oidc", audience="https://shopping.api", machine_only=False)
    auth, app = M2MAuth(server), FastAPI(openapi_url=None)
    app.get("/refunds", dependencies=[Depends(auth.requires(max_age=300))])(view)
    app.get("/keys", dependencies=[Depends(auth.requires(acr=["phr", "mfa"], scopes=["write"]))])(view)
    app.get("/orders", dependencies=[Depends(auth)])(view)
    found = {one.path: (one.severity, one.text) for one in survey(app)}
    assert found["/refunds"] == ("fine", "asks for a person's sign-in at most 300 s ago")
    assert found["/keys"] == ("fine", 'asks for scope "write", a person\'s sign-in by acr "phr" or "mfa"')
    assert found["/orders"][0] == "warning"


def test_a_guard_above_the_route_is_named():
    app = Flask("shop")
    guard = M2MGuard(app, SERVER)
    guard.requires("read")(app.get("/orders", endpoint="orders")(view_of()))
    [found] = [one for one in survey(app) if one.path == "/orders"]
    assert (found.severity, found.is_protected, found.doubt) == ("warning", False, True)
    assert "above the route" in found.text


def test_a_route_that_loses_its_middleware_when_its_router_is_included_is_open():
    app, router = FastAPI(), APIRouter(routes=[Route("/orders", up, middleware=[requires(SERVER, scopes=["read"])])])
    app.include_router(router)
    [found] = [one for one in survey(app) if one.path == "/orders"]
    assert found.is_protected is (TestClient(app).get("/orders").status_code == 401)


def test_a_subclass_that_may_let_anybody_pass_is_not_trusted():
    class Lenient(BearerAuthMiddleware):
        async def __call__(self, scope, receive, send):
            await self.app(scope, receive, send)

    for one in survey(Lenient(starlette(), SERVER, requires=READ)):
        assert one.is_protected is (one.path != "/open"), one


@pytest.mark.parametrize(
    "name", ["asgi_app", "fastapi_app", "litestar_app", "quart_app", "starlette_app", "flask_app", "wsgi_app"]
)
def test_the_examples_orders_ask_for_a_scope(name, monkeypatch):
    monkeypatch.setenv("M2MGUARD_LOGTO_ENDPOINT", "https://tenant.logto.app")
    monkeypatch.setenv("M2MGUARD_AUDIENCE", "https://shopping.api")
    sys.modules.pop(f"examples.{name}", None)
    found = survey(importlib.import_module(f"examples.{name}").app)
    sys.modules.pop(f"examples.{name}")  # it has this test's settings
    orders = [one for one in found if one.path in ("/orders", "/*")]
    assert orders
    assert all(one.severity == "fine" and 'scope "' in one.text for one in orders)


class Endpoint(HTTPEndpoint):
    async def get(self, request):
        return PlainTextResponse("up")


@starlette_requires("read")
async def asks_by_decorator(request):
    return PlainTextResponse("up")


async def socket(websocket):
    await websocket.accept()
    await websocket.close()


def test_classes_websockets_and_starlettes_own_decorator():
    guard = requires(SERVER, scopes=["read"])
    app = Starlette(
        routes=[
            Route("/class", Endpoint),
            Route("/guarded-class", Endpoint, middleware=[guard]),
            WebSocketRoute("/socket", socket),
            WebSocketRoute("/guarded-socket", socket, middleware=[guard]),
            Route("/decorated", asks_by_decorator, middleware=[requires(SERVER)]),
            Route("/decorated-alone", asks_by_decorator),
        ]
    )
    found = {one.path: one for one in survey(app)}
    assert {path: one.severity for path, one in found.items()} == {
        "/class": "alarm", "/guarded-class": "fine", "/socket": "alarm", "/guarded-socket": "fine", "/decorated": "fine",
        "/decorated-alone": "warning",
    }  # fmt: skip
    assert found["/socket"].methods == {"WEBSOCKET"}
    assert found["/class"].where.endswith(":Endpoint")


def test_methods_that_are_public_are_told_from_those_that_are_not():
    routes = [Route("/reports", up, methods=["GET", "POST"])]
    middleware = [Middleware(BearerAuthMiddleware, server=SERVER, requires=READ, public=["GET /reports"])]
    app = Starlette(routes=routes, middleware=middleware)
    found = {tuple(sorted(one.methods)): one.severity for one in survey(app)}
    assert found == {("GET",): "note", ("POST",): "fine"}
    client = TestClient(app)
    assert (client.get("/reports").status_code, client.post("/reports").status_code) == (200, 401)


def test_fastapis_scopes_add_up_and_another_scheme_is_a_doubt():
    auth = M2MAuth(SERVER)
    outer = Security(auth, scopes=["outer"])
    app = FastAPI(openapi_url=None, dependencies=[outer])

    inner = Security(auth, scopes=["inner"])

    def below(caller=inner):
        return caller

    app.get("/both", dependencies=[Depends(below)])(view)
    bare = FastAPI(openapi_url=None)
    bare.get("/basic", dependencies=[Depends(HTTPBasic())])(view)
    [both], [basic] = survey(app), survey(bare)
    assert both.severity == "fine"
    assert 'scope "inner"' in both.text
    assert 'scope "outer"' in both.text
    assert (basic.severity, basic.doubt, basic.is_protected) == ("warning", True, False)


def test_an_override_that_lets_everybody_in_is_a_doubt():
    auth = M2MAuth(SERVER)
    app = FastAPI(openapi_url=None)
    app.get("/orders", dependencies=[Security(auth, scopes=["read"])])(view)
    app.dependency_overrides[auth] = lambda: None
    assert TestClient(app).get("/orders").status_code == 200
    [found] = survey(app)
    assert found.severity != "fine"


class View(MethodView):
    def get(self):
        return "up"

    def post(self):
        return "up"


def test_flasks_classes_nested_blueprints_and_files():
    app = Flask("shop", static_folder=None)
    guard = M2MGuard(app, SERVER)
    guarded = type("Guarded", (View,), {"decorators": [guard.requires("read")]})
    single = type("Single", (View,), {"post": guard.requires("write")(View.post)})
    app.add_url_rule("/open", view_func=View.as_view("open"))
    app.add_url_rule("/guarded", view_func=guarded.as_view("guarded"))
    app.add_url_rule("/single", view_func=single.as_view("single"))
    outer, inner = Blueprint("outer", "shop", url_prefix="/outer"), Blueprint("inner", "shop", url_prefix="/inner")
    guard.protect(outer, "read")
    inner.get("/deep")(view_of())
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    found = {(one.path, tuple(sorted(one.methods))): one.severity for one in survey(app)}
    client = app.test_client()
    assert found == {
        ("/open", ("GET", "POST")): "alarm",
        ("/guarded", ("GET", "POST")): "fine",
        ("/single", ("GET",)): "alarm",
        ("/single", ("POST",)): "fine",
        ("/outer/inner/deep", ("GET",)): "fine",
    }
    assert [client.get(path).status_code for path in ("/open", "/guarded", "/single", "/outer/inner/deep")] == [
        200,
        401,
        200,
        401,
    ]
    assert client.post("/single").status_code == 401


def test_what_is_no_application_has_no_routes():
    assert survey(SERVER) == []
    assert survey(object()) == []


def own_decorator(view):
    @functools.wraps(view)
    def around(*args):
        return view(*args) if args else "an answer before the guard"

    return around


def test_a_decorator_above_a_guard_is_a_doubt_and_one_below_is_none():
    app = Flask("shop", static_folder=None)
    guard = M2MGuard(app, SERVER)
    app.get("/above", endpoint="above")(own_decorator(guard.requires("read")(view_of())))
    app.get("/below", endpoint="below")(guard.requires("read")(own_decorator(view_of())))
    found = {one.path: one for one in survey(app)}
    assert (found["/above"].severity, found["/above"].doubt) == ("warning", True)
    assert "above the guard" in found["/above"].text
    assert (found["/below"].severity, found["/below"].doubt) == ("fine", False)
    client = app.test_client()
    assert [client.get(path).status_code for path in ("/above", "/below")] == [200, 401]


def test_a_public_path_that_is_one_of_a_routes_is_told():
    def app(public):
        middleware = [Middleware(BearerAuthMiddleware, server=SERVER, requires=READ, public=public)]
        return Starlette(routes=[Route("/users/{name}", up)], middleware=middleware)

    for public in (["/users/me"], ["/users/"]):
        [found] = survey(app(public))
        assert TestClient(app(public)).get("/users/me").status_code == 200
        assert found.severity in ("warning", "note")
    [found] = survey(app(["/users"]))
    assert found.severity == "fine"


def test_files_and_foreign_applications_below_a_mount_are_told_apart(tmp_path):
    async def foreign(scope, receive, send): ...

    class Other:
        def __init__(self, app):
            self.app = app

    app = Starlette(
        routes=[Mount("/files", app=StaticFiles(directory=tmp_path)), Mount("/other", app=foreign)],
        middleware=[Middleware(Other)],
    )
    found = {one.path: one for one in survey(app)}
    assert found["/files/*"].severity == "note"
    assert "files that anybody may read" in found["/files/*"].text
    assert "an application of its own" in found["/other/*"].text


@pytest.mark.parametrize(
    ("organization", "words"),
    [
        (lambda request: "a", "the organization that the request names"),
        ("org-a", 'the organization "org-a"'),
    ],
)
def test_what_a_route_asks_for_names_its_organization(organization, words):
    asked = Requirement(organization=organization)
    app = Starlette(
        routes=[Route("/o", up)], middleware=[Middleware(BearerAuthMiddleware, server=SERVER, requires=asked)]
    )
    [report] = survey(app)
    assert words in report.text
