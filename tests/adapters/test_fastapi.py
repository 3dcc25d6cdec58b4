"""The FastAPI adapter: dependencies, combined scopes, overrides, OpenAPI, WebSockets, exception handlers."""

import functools
import inspect
import threading
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Security, WebSocket
from fastapi.responses import JSONResponse
from fastapi.security import SecurityScopes
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from m2mguard import Caller, ConfigurationError, Issuer, ResourceServer
from m2mguard.fastapi import M2MAuth, RefusedRequest
from m2mguard.testing import SHOPPING_API, LocalIssuer


@pytest.fixture
def auth(server):
    return M2MAuth(server)


@pytest.fixture
def app():
    return FastAPI()


@pytest.fixture
def client(app):
    return TestClient(app)


def test_the_dependency_returns_the_caller_of_auth_and_user(app, client, auth, bearer):
    @app.get("/who")
    def who(request: Request, caller: Annotated[Caller, Depends(auth)]):
        assert request.auth is request.user is caller
        return caller.app_id

    assert client.get("/who", headers=bearer("app-orders")).json() == "app-orders"


def test_a_refusal_is_an_http_exception_with_our_detail_and_headers(app, client, auth):
    @app.get("/who", dependencies=[Depends(auth)])
    def who(): ...

    refused = client.get("/who")
    assert refused.status_code == 401
    assert refused.json() == {"detail": {"error": "unauthorized", "error_description": "A bearer token is required"}}
    assert refused.headers["www-authenticate"] == 'Bearer realm="api"'
    assert refused.headers["cache-control"] == "no-store"
    assert refused.headers.get_list("content-length") == [str(len(refused.content))]


def test_an_exception_handler_of_the_application_gets_the_refusal(app, client, auth):
    @app.exception_handler(HTTPException)
    async def handler(request, error):
        return JSONResponse({"why": error.refusal.reason, **error.detail}, error.status_code, error.headers)

    @app.get("/who", dependencies=[Depends(auth)])
    def who(): ...

    assert issubclass(RefusedRequest, HTTPException)
    assert client.get("/who").json()["why"] == "missing"


def test_scopes_of_nested_dependencies_are_combined(app, client, auth, bearer):
    def outer(caller: Annotated[Caller, Security(auth, scopes=["read:orders"])]):
        return caller

    @app.get("/both")
    def both(caller: Annotated[Caller, Security(outer, scopes=["read:stock"])]):
        return caller.app_id

    assert client.get("/both", headers=bearer(scopes=["read:orders", "read:stock"])).json() == "app-orders"
    for scopes in (["read:orders"], ["read:stock"]):
        refused = client.get("/both", headers=bearer(scopes=scopes))
        assert refused.status_code == 403
        assert 'scope="read:stock read:orders"' in refused.headers["www-authenticate"]


def test_the_scopes_of_one_route_do_not_apply_to_another(app, client, auth, bearer):
    app.get("/orders", dependencies=[Security(auth, scopes=["read:orders"])])(lambda: "in")
    app.get("/stock", dependencies=[Security(auth, scopes=["read:stock"])])(lambda: "in")
    app.get("/any", dependencies=[Depends(auth)])(lambda: "in")
    token = bearer(scopes=["read:stock"])
    for _ in range(2):
        answers = [client.get(path, headers=token).status_code for path in ("/stock", "/orders", "/any")]
        assert answers == [200, 403, 200]


def outer_of(auth):
    def outer(caller: Annotated[Caller, Depends(auth)]):
        return caller

    return outer


def on_a_route(app, dependency):
    app.get("/orders", dependencies=[dependency])(lambda: "in")


def on_a_parameter(app, dependency):
    def orders(caller: Annotated[Caller, dependency]):
        return "in"

    app.get("/orders")(orders)


def on_a_websocket(app, dependency):
    async def orders(websocket: WebSocket, caller: Annotated[Caller, dependency]): ...

    app.websocket("/orders")(orders)


def on_a_router(app, dependency):
    router = APIRouter(dependencies=[dependency])
    router.get("/orders")(lambda: "in")
    app.include_router(router)


def on_an_application(app, dependency):
    FastAPI(dependencies=[dependency]).get("/orders")(lambda: "in")


BUILDERS = [on_a_route, on_a_parameter, on_a_websocket, on_a_router, on_an_application]


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
@pytest.mark.parametrize("scopes", [["read orders"], [""], ["a", 'b"'], ["größe"], [7]], ids=ascii)
def test_an_invalid_scope_is_rejected_when_the_route_is_built(app, auth, build, scopes):
    for dependency in (auth, auth.requires(app_ids=["app-orders"]), outer_of(auth), functools.partial(auth)):
        with pytest.raises(ConfigurationError, match="scope"):
            build(app, Security(dependency, scopes=scopes))
    for dependency in (auth, auth.requires(app_ids=["app-orders"]), outer_of(auth)):
        build(app, Security(dependency, scopes=["read:orders", "b"]))


def test_an_invalid_scope_on_an_included_router_admits_no_request(app, client, auth, bearer):
    router = APIRouter()
    router.get("/orders")(lambda: "in")
    app.get("/open")(lambda: "open")
    app.include_router(router, dependencies=[Security(auth, scopes=["read orders"])])  # some versions build it later
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            client.get("/orders", headers=bearer(scopes=["read", "orders"]))
    with pytest.raises(ConfigurationError):
        app.openapi()


def test_a_scope_with_a_space_does_not_count_as_two_scopes(auth):
    assert auth.check_scopes(["a", "b"]).scopes == ("a", "b")
    with pytest.raises(ConfigurationError):
        auth.check_scopes(["a b"])


@pytest.mark.parametrize("scopes", [[""], ["read orders"]])
async def test_an_invalid_scope_that_is_found_at_a_request_refuses_it(auth, bearer, scopes):
    assert inspect.signature(auth).parameters.keys() == {"connection", "security_scopes"}
    fields = [(b"authorization", bearer(scopes=["read", "orders"])["Authorization"].encode())]
    connection = HTTPConnection({"type": "http", "headers": fields})
    with pytest.raises(ConfigurationError):
        await auth(connection, SecurityScopes(scopes))
    assert (await auth(connection, SecurityScopes(["read", "orders"]))).app_id == "app-orders"


def test_the_class_and_its_objects_have_different_signatures(auth):
    assert "scheme_name" in inspect.signature(M2MAuth).parameters
    assert inspect.signature(auth).return_annotation is Caller


def test_requires_adds_its_own_scopes_to_those_of_security(app, client, auth, bearer):
    @app.get("/both", dependencies=[Security(auth.requires(scopes=["a"], app_ids=["app-orders"]), scopes=["b"])])
    def both():
        return "in"

    assert client.get("/both", headers=bearer(scopes=["a", "b"])).json() == "in"
    assert client.get("/both", headers=bearer(scopes=["a"])).status_code == 403
    assert client.get("/both", headers=bearer(scopes=["b"])).status_code == 403
    assert client.get("/both", headers=bearer("app-admin", scopes=["a", "b"])).status_code == 403


def test_requirements_of_a_router_and_the_application_are_combined(client, app, auth, bearer):
    router = APIRouter(dependencies=[Depends(auth.requires(any_scope=["a", "b"]))])

    @router.get("/inner")
    def inner():
        return "in"

    app.router.dependencies.append(Depends(auth.requires(app_ids=["app-orders"])))
    app.include_router(router, prefix="/router")
    assert client.get("/router/inner", headers=bearer("app-orders", scopes=["b"])).json() == "in"
    assert client.get("/router/inner", headers=bearer("app-orders", scopes=["c"])).status_code == 403
    assert client.get("/router/inner", headers=bearer("app-admin", scopes=["b"])).status_code == 403


def test_the_whole_application_can_be_protected(auth, bearer):
    app = FastAPI(dependencies=[Depends(auth)])

    @app.get("/who")
    def who(request: Request):
        return request.auth.app_id

    client = TestClient(app)
    assert client.get("/who", headers=bearer()).json() == "app-orders"
    assert client.get("/who").status_code == 401


def test_the_organization_is_taken_from_the_route(app, client, auth, bearer):
    def tenant(connection):
        return connection.path_params["tenant"]

    @app.get("/{tenant}/who", dependencies=[Depends(auth.requires(organization=tenant))])
    def who(): ...

    token = bearer(organization_id="blue")
    assert client.get("/blue/who", headers=token).status_code == 200
    assert client.get("/red/who", headers=token).status_code == 403


def test_equal_arguments_make_equal_dependencies(auth, server):
    one = auth.requires(scopes=["a"], any_scope=["b"], app_ids=["c"], organization="*")
    other = auth.requires(scopes=("a",), any_scope=("b",), app_ids=("c",), organization="*")
    assert one == other
    assert hash(one) == hash(other)
    assert one != auth.requires(scopes=["a"])
    assert one != M2MAuth(server).requires(scopes=["a"], any_scope=["b"], app_ids=["c"], organization="*")


def test_each_dependency_can_be_overridden_in_tests(app, client, auth, server, issuer):
    caller = server.verify(issuer.mint("app-test"))

    @app.get("/scheme")
    def scheme(caller: Annotated[Caller, Security(auth, scopes=["a"])]):
        return caller.app_id

    @app.get("/requires")
    def requires(caller: Annotated[Caller, Depends(auth.requires(app_ids=["app-orders"]))]):
        return caller.app_id

    app.dependency_overrides[auth] = lambda: caller
    app.dependency_overrides[auth.requires(app_ids=["app-orders"])] = lambda: caller
    assert client.get("/scheme").json() == client.get("/requires").json() == "app-test"
    app.dependency_overrides.clear()
    assert client.get("/scheme").status_code == client.get("/requires").status_code == 401


# --- WebSockets


@pytest.fixture
def websocket_app(app, auth):
    @app.websocket("/ws")
    async def ws(websocket: WebSocket, caller: Annotated[Caller, Security(auth, scopes=["read:orders"])]):
        assert websocket.auth is caller
        await websocket.accept()
        await websocket.send_text(caller.app_id)
        await websocket.close()

    return app


def test_a_websocket_route_accepts_the_same_dependency(websocket_app, client, bearer):
    with client.websocket_connect("/ws", headers=bearer("app-orders")) as session:
        assert session.receive_text() == "app-orders"


def test_a_refused_handshake_carries_status_and_headers(websocket_app, client, bearer):
    with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect("/ws", headers=bearer(scopes=[])):
        pass
    assert denied.value.status_code == 403
    assert denied.value.headers["www-authenticate"].endswith('scope="read:orders"')
    assert denied.value.json()["detail"]["error"] == "insufficient_scope"


@pytest.mark.parametrize("extensions", [{}, None])
def test_a_refused_handshake_is_closed_with_1008_without_the_extension(websocket_app, extensions):
    async def without_extension(scope, receive, send):
        await websocket_app({**scope, "extensions": extensions}, receive, send)

    with pytest.raises(WebSocketDisconnect) as closed, TestClient(without_extension).websocket_connect("/ws"):
        pass
    assert not isinstance(closed.value, WebSocketDenialResponse)
    assert closed.value.code == 1008


# --- OpenAPI


def test_openapi_shows_the_scheme_the_scopes_and_the_refusals(auth):
    app = FastAPI(responses=auth.responses)

    @app.get("/orders")
    def orders(caller: Annotated[Caller, Security(auth, scopes=["read:orders"])]): ...

    document = app.openapi()
    assert document["components"]["securitySchemes"] == {
        "M2MAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    operation = document["paths"]["/orders"]["get"]
    assert operation["security"] == [{"M2MAuth": ["read:orders"]}]
    assert set(operation["responses"]) == {"200", "400", "401", "403", "503"}
    for status in ("400", "401", "403"):
        assert "WWW-Authenticate" in operation["responses"][status]["headers"]
    assert "Retry-After" in operation["responses"]["503"]["headers"]


def test_the_scheme_can_be_named_and_described(server):
    app = FastAPI()
    app.get("/who", dependencies=[Depends(M2MAuth(server, scheme_name="Machine", description="A token"))])(lambda: "in")
    assert app.openapi()["components"]["securitySchemes"] == {
        "Machine": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A token"}
    }


def test_the_documented_refusals_match_the_answers(app, client, auth, bearer):
    @app.get("/who", dependencies=[Depends(auth.requires(scopes=["read:orders"]))])
    def who(): ...

    issuer = LocalIssuer()  # not running
    unavailable = M2MAuth(ResourceServer(issuer.url, audience=SHOPPING_API))
    app.get("/unavailable", dependencies=[Depends(unavailable)])(lambda: "in")
    answers = {
        401: client.get("/who"),
        400: client.get("/who", headers={"Authorization": "Bearer a b"}),
        403: client.get("/who", headers=bearer(scopes=[])),
        503: client.get("/unavailable", headers={"Authorization": f"Bearer {issuer.mint()}"}),
    }
    assert set(answers) == set(auth.responses)
    for status, answer in answers.items():
        documented = auth.responses[status]
        schema = documented["content"]["application/json"]["schema"]
        assert answer.status_code == status
        assert set(answer.json()) == set(schema["properties"])
        assert set(answer.json()["detail"]) == set(schema["properties"]["detail"]["properties"])
        assert all(name.lower() in answer.headers for name in documented["headers"])


def test_token_url_adds_the_client_credentials_flow_to_openapi(server):
    auth = M2MAuth(
        server,
        scheme_name="OAuth2",
        description="By a form",
        token_url="https://issuer.example/token",
        token_scopes={"read:orders": "Read orders"},
    )
    app = FastAPI()

    @app.get("/orders", dependencies=[Depends(auth.requires(app_ids=["app-orders"]))])
    def orders(): ...

    assert app.openapi()["components"]["securitySchemes"] == {
        "OAuth2": {
            "type": "oauth2",
            "description": "By a form",
            "flows": {
                "clientCredentials": {
                    "tokenUrl": "https://issuer.example/token",
                    "scopes": {"read:orders": "Read orders"},
                }
            },
        }
    }


def test_invalid_arguments_are_rejected_at_construction(server, auth):
    with pytest.raises(ConfigurationError, match="server must be"):
        M2MAuth("https://tenant.logto.app")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="token_url"):
        M2MAuth(server, token_scopes={"a": "b"})
    with pytest.raises(ConfigurationError, match="scopes"):
        auth.requires(scopes="read:orders")


def test_the_dependency_uses_no_other_thread(app, client, auth, bearer):
    threads = []

    def organization_with_thread_recorded(connection):
        threads.append(threading.get_ident())
        return "blue"

    @app.get("/who", dependencies=[Depends(auth.requires(organization=organization_with_thread_recorded))])
    async def who():
        threads.append(threading.get_ident())

    client.get("/who", headers=bearer(organization_id="blue"))
    assert len(threads) == 2
    assert threads[0] == threads[1]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_first_request_fetches_keys_on_either_event_loop(backend):
    app = FastAPI()
    with LocalIssuer() as issuer:
        auth = M2MAuth(ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API))

        @app.get("/who")
        async def who(caller: Annotated[Caller, Depends(auth)]):
            return caller.app_id

        token = {"Authorization": f"Bearer {issuer.mint('app-orders')}"}
        assert TestClient(app, backend=backend).get("/who", headers=token).json() == "app-orders"
        assert issuer.count("jwks") == 1
