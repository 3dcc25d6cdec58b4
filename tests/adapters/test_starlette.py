"""The Starlette adapter: `request.auth` and Starlette's `@requires`, requirements per route, the lifespan."""

import contextlib

import pytest
from starlette.applications import Starlette
from starlette.authentication import requires as starlette_requires
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse

from m2mguard import ConfigurationError, Issuer, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.starlette import caller_of, lifespan, requires
from m2mguard.testing import SHOPPING_API, LocalIssuer


async def who(request):
    assert caller_of(request) is request.auth is request.user
    return JSONResponse(request.auth.app_id)


def who_sync(request):
    return JSONResponse(caller_of(request).app_id)


class Who(HTTPEndpoint):
    async def get(self, request):
        return JSONResponse(caller_of(request).app_id)


async def who_over_websocket(websocket):
    await websocket.accept()
    await websocket.send_text(caller_of(websocket).app_id)
    await websocket.close()


@pytest.fixture
def protected(server):
    """A client of an application whose every route is protected."""

    def client(*routes):
        return TestClient(Starlette(routes=routes, middleware=[Middleware(BearerAuthMiddleware, server=server)]))

    return client


@pytest.mark.parametrize("endpoint", [who, who_sync, Who])
def test_the_caller_is_at_auth_and_user_of_any_endpoint(protected, bearer, endpoint):
    client = protected(Route("/who", endpoint))
    assert client.get("/who", headers=bearer("app-orders")).json() == "app-orders"
    assert client.get("/who").status_code == 401


def test_starlettes_requires_works_with_our_scopes(protected, bearer):
    client = protected(
        Route("/async", starlette_requires("read:orders")(who)),
        Route("/sync", starlette_requires(["read:orders", "read:stock"])(who_sync_typed)),
    )
    assert client.get("/async", headers=bearer(scopes=["read:orders"])).json() == "app-orders"
    assert client.get("/async", headers=bearer(scopes=[])).status_code == 403
    assert client.get("/sync", headers=bearer(scopes=["read:orders", "read:stock"])).json() == "app-orders"
    assert client.get("/sync", headers=bearer(scopes=["read:orders"])).status_code == 403


def who_sync_typed(request: Request):
    return JSONResponse(caller_of(request).app_id)


def test_a_route_has_its_own_requirement(server, bearer):
    route = Route("/orders", who, middleware=[requires(server, scopes=["read:orders"])])
    client = TestClient(Starlette(routes=[route]))
    assert client.get("/orders", headers=bearer(scopes=["read:orders"])).json() == "app-orders"
    refused = client.get("/orders", headers=bearer(scopes=["other"]))
    assert refused.status_code == 403
    assert refused.headers["www-authenticate"].endswith('scope="read:orders"')
    assert client.get("/orders").status_code == 401


def test_a_requirement_of_a_mount_applies_to_all_its_routes(server, bearer):
    mount = Mount("/admin", routes=[Route("/who", who)], middleware=[requires(server, app_ids=["app-admin"])])
    client = TestClient(Starlette(routes=[mount]))
    assert client.get("/admin/who", headers=bearer("app-admin")).json() == "app-admin"
    assert client.get("/admin/who", headers=bearer("app-orders")).status_code == 403


def test_the_organization_is_taken_from_the_route(server, bearer):
    of_route = requires(server, organization=lambda connection: connection.path_params["tenant"])
    client = TestClient(Starlette(routes=[Route("/{tenant}/who", who, middleware=[of_route])]))
    token = bearer(organization_id="blue")
    assert client.get("/blue/who", headers=token).status_code == 200
    assert client.get("/red/who", headers=token).status_code == 403


def test_invalid_requirements_are_rejected_at_construction(server):
    with pytest.raises(ConfigurationError, match="scopes"):
        requires(server, scopes="read:orders")
    with pytest.raises(ConfigurationError, match="not async"):
        requires(server, organization=who)


def test_a_cors_middleware_above_answers_preflights_and_marks_refusals(server):
    app = Starlette(
        routes=[Route("/who", who)],
        middleware=[
            Middleware(CORSMiddleware, allow_origins=["https://app.example"], allow_headers=["Authorization"]),
            Middleware(BearerAuthMiddleware, server=server),
        ],
    )
    client = TestClient(app, headers={"Origin": "https://app.example"})
    assert client.options("/who", headers={"Access-Control-Request-Method": "GET"}).status_code == 200
    refused = client.get("/who")
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://app.example"


def test_a_websocket_is_protected(protected, bearer):
    client = protected(WebSocketRoute("/ws", who_over_websocket))
    with client.websocket_connect("/ws", headers=bearer("app-orders")) as session:
        assert session.receive_text() == "app-orders"
    with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect("/ws"):
        pass
    assert denied.value.status_code == 401
    assert denied.value.headers["www-authenticate"] == 'Bearer realm="api"'


def test_caller_of_an_unprotected_route_is_an_error():
    client = TestClient(Starlette(routes=[Route("/who", who_sync)]))
    with pytest.raises(RuntimeError, match="has no Caller"):
        client.get("/who")


def test_the_lifespan_fetches_keys_before_that_of_the_application():
    @contextlib.asynccontextmanager
    async def own(app):
        yield {"ready": server.health().ready}

    with LocalIssuer() as issuer:
        server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
        with TestClient(Starlette(lifespan=lifespan(server, own))) as client:
            assert client.app_state == {"ready": True}
            assert issuer.count("jwks") == 1


def test_an_issuer_that_is_down_does_not_stop_the_startup(server):
    issuer = LocalIssuer()
    server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
    with TestClient(Starlette(lifespan=lifespan(server))):
        assert not server.health().ready
