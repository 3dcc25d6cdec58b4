"""`calling_as` and `trusting` for each framework and kind of target: the answers are those that a real token would get."""

import asyncio
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple
from unittest.mock import MagicMock

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path
from fastapi import Depends, FastAPI, Request
from fastapi.security import SecurityScopes
from flask import Blueprint, Flask, current_app
from flask.views import MethodView
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client as WSGIClient

from m2mguard import Requirement, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.caller import Caller
from m2mguard.fastapi import M2MAuth, RefusedRequest
from m2mguard.flask import M2MGuard
from m2mguard.starlette import requires
from m2mguard.testing import LocalIssuer, TestServer, calling_as, fake_caller, trusting
from m2mguard.wsgi import BearerAuthMiddleware as WSGIAuthMiddleware
from tests import django_site

django_site.set_up()

from rest_framework.response import Response  # noqa: E402 - needs the settings
from rest_framework.test import APIClient, APIRequestFactory  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from m2mguard.django import M2MGuardMiddleware  # noqa: E402
from m2mguard.django import requires as django_requires  # noqa: E402
from m2mguard.drf import HasScopes, M2MAuthentication  # noqa: E402

READ = Requirement(scopes=["read"])
Send = Callable[..., tuple[int, dict[str, str], bytes]]


class Served(NamedTuple):
    """An application, how a request is sent to it, and what may be given to `calling_as` in its place."""

    send: Send
    targets: dict[str, Any]


def over_asgi(app: Any) -> Send:
    def send(where: str, headers: Any = None) -> tuple[int, dict[str, str], bytes]:
        answer = TestClient(app).get(where, headers=headers)
        return answer.status_code, dict(answer.headers), answer.content

    return send


def over_wsgi(app: Any) -> Send:
    def send(where: str, headers: Any = None) -> tuple[int, dict[str, str], bytes]:
        answer = WSGIClient(app).get(where, headers=headers)
        return answer.status_code, dict(answer.headers), answer.data

    return send


def over_django(client: Any) -> Send:
    def send(where: str, headers: Any = None) -> tuple[int, dict[str, str], bytes]:
        answer = client.get(where, headers=headers)
        return answer.status_code, dict(answer.headers), answer.content

    return send


async def page(request):
    return PlainTextResponse("up")


def of_header(request):
    return request.headers.get("X-Organization")


def fastapi(server):
    app, auth = FastAPI(), M2MAuth(server)
    app.get("/read", dependencies=[Depends(auth.requires(scopes=["read"]))])(lambda: "up")
    app.get("/organization", dependencies=[Depends(auth.requires(organization=of_header))])(lambda: "up")
    app.get("/public")(lambda: "up")
    dependency = auth.requires(scopes=["read"])
    return Served(
        over_asgi(app),
        {"server": server, "app": app, "auth": auth, "dependency": dependency, "client": TestClient(app)}
        | {"list": [app], "tuple": (app, app), "mount": Starlette(routes=[Mount("/sub", app=app)])},
    )


def starlette(server):
    routes = [
        Route("/read", page, middleware=[requires(server, scopes=["read"])]),
        Route("/organization", page, middleware=[requires(server, organization=of_header)]),
        Route("/public", page),
    ]
    app, router = Starlette(routes=routes), Router(routes)
    host = Starlette(routes=[Host("a.example", app=router)])
    return Served(over_asgi(app), {"server": server, "app": app, "router": router, "host": host})


def asgi(server):
    routes = [Route("/read", page), Route("/organization", page), Route("/public", page)]
    inner = BearerAuthMiddleware(Starlette(routes=routes), server, requires=READ, public=["/public", "/organization"])
    outer = BearerAuthMiddleware(
        inner, server, requires=Requirement(organization=None), public=["/public", "/organization"]
    )
    added = Starlette(
        routes=[Route("/organization", page, middleware=[requires(server, organization=of_header)]), *routes],
        middleware=[
            Middleware(BearerAuthMiddleware, server=server, requires=READ, public=["/public", "/organization"])
        ],
    )
    return Served(over_asgi(added), {"app": added, "inner": inner, "outer": outer})


def wsgi(server):
    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"up"]

    read = WSGIAuthMiddleware(app, server, requires=READ)
    organization = WSGIAuthMiddleware(
        app, server, requires=Requirement(organization=lambda environ: environ.get("HTTP_X_ORGANIZATION"))
    )
    every = DispatcherMiddleware(app, {"/read": read, "/organization": organization})
    return Served(over_wsgi(every), {"dispatcher": every, "one": read, "list": [read, organization]})


def flask(server):
    app = Flask("shop")
    guard = M2MGuard(app, server)
    blueprint = Blueprint("b", "shop")
    guard.protect(blueprint, public=["/public"])
    view = guard.requires("read")(lambda: "up")
    blueprint.get("/read", endpoint="read")(view)
    blueprint.get("/public", endpoint="public")(lambda: "up")
    app.get("/organization", endpoint="o")(guard.requires(organization=of_header)(lambda: "up"))
    app.register_blueprint(blueprint)
    targets = {"app": app, "guard": guard, "view": view, "client": app.test_client(), "wsgi_app": app.wsgi_app}
    return Served(over_wsgi(app), targets)


class Read(APIView):
    authentication_classes = (M2MAuthentication,)
    permission_classes: Any = (HasScopes("read"),)

    def get(self, request):
        return Response("up")


class OfOrganization(Read):
    permission_classes = (HasScopes(organization=of_header),)


def up(request):
    return HttpResponse("up")


READ_VIEW = django_requires("read")(up)


class DjangoUrls:
    urlpatterns = [
        path("read", READ_VIEW),
        path("organization", django_requires(organization=of_header)(up)),
        path("public", up),
    ]


class RestUrls:
    urlpatterns = [
        path("read", Read.as_view()),
        path("organization", OfOrganization.as_view()),
        path("public", up),
    ]


def django(server):
    return Served(
        over_django(Client()),
        {"client": Client(), "async": AsyncClient(), "wsgi": WSGIHandler(), "asgi": ASGIHandler()}
        | {"factory": RequestFactory(), "view": READ_VIEW, "middleware": M2MGuardMiddleware}
        | {"around": WSGIAuthMiddleware(WSGIHandler(), server), "list": [Client()]},
    )


def drf(server):
    return Served(
        over_django(APIClient()),
        {"client": APIClient(), "factory": APIRequestFactory(), "view": Read.as_view(), "view_class": Read}
        | {"class": M2MAuthentication, "instance": M2MAuthentication(), "permission": HasScopes("read")},
    )


MAKERS = [fastapi, starlette, asgi, wsgi, flask, django, drf]


@pytest.fixture(params=MAKERS, ids=lambda one: one.__name__)
def served(request):
    with TestServer() as server, ExitStack() as stack:
        urls = {django: DjangoUrls, drf: RestUrls}.get(request.param)
        if urls is not None:
            stack.enter_context(override_settings(ROOT_URLCONF=urls, MIDDLEWARE=[], M2MGUARD={"SERVER": server}))
        yield request.param(server), server


def test_every_target_leads_to_the_server(served):
    one, server = served
    without = one.send("/read")
    assert without[0] == 401
    for name, target in one.targets.items():
        with calling_as(target, fake_caller(scopes=["read"])) as caller:
            assert one.send("/read")[0] == 200, name
            assert caller.issuer == server.issuer.url
        assert one.send("/read") == without, name


def test_a_refusal_is_that_of_a_real_token(served):
    one, server = served
    real = {
        "scope": one.send("/read", server.headers(scopes=["write"])),
        "organization": one.send("/organization", {**server.headers(), "X-Organization": "org-a"}),
        "other": one.send("/organization", {**server.headers(organization_id="org-b"), "X-Organization": "org-a"}),
        "none": one.send("/organization", server.headers(organization_id="org-b")),
        "global": one.send("/read", server.headers(scopes=["read"], organization_id="org-a")),
        "good": one.send("/organization", {**server.headers(organization_id="org-a"), "X-Organization": "org-a"}),
        "public": one.send("/public"),
    }
    assert [answer[0] for answer in real.values()] == [403] * 5 + [200] * 2

    def fake(where, headers=None, **options):
        with calling_as(next(iter(one.targets.values())), fake_caller(**options)):
            return one.send(where, headers)

    org_a = {"X-Organization": "org-a"}
    assert {
        "scope": fake("/read", scopes=["write"]),
        "organization": fake("/organization", org_a),
        "other": fake("/organization", org_a, organization_id="org-b"),
        "none": fake("/organization", organization_id="org-b"),
        "global": fake("/read", scopes=["read"], organization_id="org-a"),
        "good": fake("/organization", org_a, organization_id="org-a"),
        "public": fake("/public"),
    } == real


def test_nested_blocks_and_errors_leave_nothing_behind(served):
    one, server = served
    target = next(iter(one.targets.values()))
    with calling_as(target, fake_caller(scopes=["read"])):
        with suppress(RuntimeError), calling_as(server, fake_caller()):
            assert one.send("/read")[0] == 403
            raise RuntimeError
        assert one.send("/read")[0] == 200
        with LocalIssuer(served=False) as other, trusting(target, other):
            assert one.send("/read")[0] == 401
            token = other.mint(audience=server.settings.audience[0], scopes=["read"])
            assert one.send("/read", {"Authorization": f"Bearer {token}"})[0] == 200
            with calling_as(target, fake_caller()) as caller:
                assert caller.issuer == other.url
                assert one.send("/read")[0] == 403
        assert one.send("/read")[0] == 200
    assert one.send("/read")[0] == 401
    assert one.send("/read", server.headers(scopes=["read"]))[0] == 200


def test_another_issuer_is_trusted_for_every_target(served):
    one, server = served
    with LocalIssuer(served=False) as other:
        token = other.mint(audience=server.settings.audience[0], scopes=["read"])
        for name, target in one.targets.items():
            with trusting(target, other):
                assert one.send("/read", {"Authorization": f"Bearer {token}"})[0] == 200, name
                assert one.send("/read", server.headers(scopes=["read"]))[0] == 401, name
            assert one.send("/read", {"Authorization": f"Bearer {token}"})[0] in (401, 503), name


def test_blocks_that_overlap_leave_the_server_as_it_was():
    with TestServer() as server:
        before = dict(vars(server))
        first, second = calling_as(server, fake_caller("a")), calling_as(server, fake_caller("b"))
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert server.authenticate([]).app_id == "b"
        second.__exit__(None, None, None)
        assert vars(server) == before


def test_blocks_in_many_threads_leave_the_server_as_it_was():
    with TestServer() as server:
        before = dict(vars(server))
        together = threading.Barrier(4)

        def call(name):
            for _ in range(50):
                together.wait()
                with calling_as(server, fake_caller(name)):
                    assert server.authenticate([]).app_id in "abcd"

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(call, "abcd"))
        assert vars(server) == before


def test_an_asynchronous_client_of_django_is_served():
    async def call():
        return (await AsyncClient().get("/read")).status_code

    with TestServer() as server:
        setting = override_settings(ROOT_URLCONF=DjangoUrls, MIDDLEWARE=[], M2MGUARD={"SERVER": server})
        with setting, calling_as(AsyncClient(), fake_caller(scopes=["read"])):
            assert asyncio.run(call()) == 200


def test_a_server_in_another_thread_is_served(serve):
    with TestServer() as server:
        app = fastapi(server).targets["app"]
        url = serve(app)
        with calling_as(app, fake_caller(scopes=["read"])), urllib.request.urlopen(f"{url}/read") as answer:
            assert answer.status == 200
        with pytest.raises(OSError, match="401"):
            urllib.request.urlopen(f"{url}/read")


def several():
    """An application with a server in each of its parts; and all those servers."""
    servers = [ResourceServer("https://tenant.example/oidc", audience=f"https://{name}.api") for name in "abcdefghi"]
    a, b, c, d, e, f, g, h, i = servers

    class LetsPass(M2MAuth):
        async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> Any:
            try:
                return await super().__call__(connection, security_scopes)
            except RefusedRequest:
                return None

    class Own(BearerAuthMiddleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.app(scope, receive, send)

    async def socket(websocket: Any) -> None: ...

    app = FastAPI()
    app.get("/a", dependencies=[Depends(M2MAuth(a))])(lambda: "up")
    app.get("/b", dependencies=[Depends(M2MAuth(b).requires(scopes=["read"]))])(lambda: "up")
    app.get("/c", dependencies=[Depends(LetsPass(c))])(lambda: "up")
    app.mount("/d", BearerAuthMiddleware(page, d))
    app.mount("/e", Router([Route("/", page)], middleware=[requires(e)]))
    app.add_middleware(Own, server=f)
    app.router.routes.append(WebSocketRoute("/g", socket, middleware=[requires(g)]))
    flask_app = Flask("shop")
    flask_app.wsgi_app = WSGIAuthMiddleware(flask_app.wsgi_app, h)  # type: ignore[method-assign]
    M2MGuard(flask_app, i)
    return [app, flask_app], servers


def test_every_server_of_an_application_is_found_and_no_other():
    targets, servers = several()
    bystander = ResourceServer("https://tenant.example/oidc", audience="https://x.api")
    with calling_as(targets, fake_caller("a")):
        assert [server.authenticate([]).app_id for server in servers] == ["a"] * len(servers)
        assert [server.authenticate([]).audience for server in servers] == [
            server.settings.audience[0] for server in servers
        ]
        with pytest.raises(Exception, match="no Authorization field"):
            bystander.authenticate([])


def test_the_server_of_a_flask_app_is_used_whatever_its_guard_has():
    one, other = (ResourceServer("https://tenant.example/oidc", audience=f"https://{name}.api") for name in "ab")
    app = Flask("shop", static_folder=None)
    M2MGuard(app, one)
    app.get("/read")(M2MGuard(server=other).requires()(lambda: current_app.name))
    with calling_as(app, fake_caller()):
        assert app.test_client().get("/read").status_code == 200
        with pytest.raises(Exception, match="no Authorization field"):
            other.authenticate([])


def test_a_class_of_views_of_flask_is_a_target_and_none_of_django():
    with TestServer() as server:
        guard = M2MGuard(server=server)
        kind: Any = type("Kind", (MethodView,), {"decorators": [guard.requires()], "get": lambda self: "up"})
        with calling_as(kind.as_view("guarded"), fake_caller("a")):
            assert server.authenticate([]).app_id == "a"
    with pytest.raises(TypeError), calling_as(MethodView.as_view("open"), fake_caller()):
        pass


def test_a_websocket_is_opened_as_the_caller():
    async def socket(websocket):
        await websocket.accept()
        await websocket.send_text(websocket.auth.app_id)
        await websocket.close()

    with TestServer() as server:
        app = Starlette(routes=[WebSocketRoute("/", socket, middleware=[requires(server, scopes=["read"])])])
        with (
            calling_as(app, fake_caller("a", scopes=["read"])),
            TestClient(app).websocket_connect("/") as connected,
        ):
            assert connected.receive_text() == "a"
        with (
            calling_as(app, fake_caller()),
            pytest.raises(WebSocketDisconnect),
            TestClient(app).websocket_connect("/"),
        ):
            pass


@pytest.mark.parametrize(
    "target", [object(), MagicMock(), FastAPI(), Flask("shop"), [], [FastAPI()], page, Starlette, None]
)
def test_what_nothing_of_ours_protects_is_an_error(target):
    with pytest.raises(TypeError, match="nothing of m2mguard was found"), calling_as(target, fake_caller()):
        pass


def test_a_caller_is_needed():
    with TestServer() as server, pytest.raises(TypeError, match="must be a Caller"), calling_as(server, "a"):  # type: ignore[arg-type]
        pass


def test_the_route_sees_the_caller_that_the_block_gives():
    seen: list[Caller] = []
    with TestServer() as server:
        app = FastAPI()

        def view(request: Request) -> str:
            seen.append(request.auth)
            return "up"

        app.get("/read", dependencies=[Depends(M2MAuth(server))])(view)
        with calling_as(app, fake_caller("a", claims={"tier": "gold"})) as caller:
            assert TestClient(app).get("/read").status_code == 200
    assert seen == [caller]
    assert caller.claims["tier"] == "gold"
