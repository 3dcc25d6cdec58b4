"""What each framework adds to a requirement for a recent or strong sign-in: where it is written, when it is checked, what it says."""

import time
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from flask import Blueprint, Flask
from litestar import Litestar, get
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from m2mguard import Caller, ConfigurationError, InsufficientUserAuthentication, Issuer, Requirement, ResourceServer
from m2mguard.aiohttp import requires as aiohttp_requires
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.drf import HasScopes, M2MAuthentication
from m2mguard.fastapi import M2MAuth, RefusedRequest
from m2mguard.fastmcp import M2MAuth as FastMCPAuth
from m2mguard.flask import M2MGuard
from m2mguard.forward_auth import ForwardAuth, identity_issuer
from m2mguard.grpc import AioGuard, Guard
from m2mguard.litestar import M2MGuardPlugin
from m2mguard.litestar import requires as litestar_requires
from m2mguard.mcp import protect
from m2mguard.ninja import M2MAuth as NinjaAuth
from m2mguard.starlette import requires as starlette_requires
from m2mguard.testing import SHOPPING_API, LocalIssuer
from m2mguard.wsgi import BearerAuthMiddleware as WSGIMiddleware
from tests.contract.forward_auth_harness import IDENTITY_KEY

RECENT = Requirement(max_age=300)
AGE, MEANS = 'max_age="300"', 'acr_values="phr mfa"'


@pytest.fixture
def server(issuer: LocalIssuer) -> ResourceServer:
    trusted = Issuer(url=issuer.url, jwks=issuer.jwks, algorithms=["ES384"])
    return ResourceServer(trusted, audience=SHOPPING_API, machine_only=False)


@pytest.fixture
def person(issuer):
    """The header of a person who signed in so many seconds ago, with this `acr`."""

    def header(ago: float = 10, acr: str = "mfa", **options) -> dict[str, str]:
        claims = {"auth_time": int(time.time() - ago), "acr": acr}
        return {"Authorization": f"Bearer {issuer.mint_user_token(claims=claims, **options)}"}

    return header


def asked_of(response) -> str:
    """What the challenge of a refused person asks for."""
    assert response.status_code == 401, response.status_code
    return response.headers["WWW-Authenticate"].rpartition('this resource", ')[2]


async def bare(_scope, _receive, _send): ...


async def up(_):
    return PlainTextResponse("up")


def test_in_starlette_the_requirements_of_mount_and_route_add_up(server, person, bearer):
    route = Route("/refunds", up, middleware=[starlette_requires(server, acr=["phr", "mfa"])])
    app = Starlette(routes=[Mount("/shop", routes=[route], middleware=[starlette_requires(server, max_age=300)])])
    client = TestClient(app)
    assert client.get("/shop/refunds", headers=person()).status_code == 200
    assert asked_of(client.get("/shop/refunds", headers=person(3600, "pwd"))) == AGE
    assert asked_of(client.get("/shop/refunds", headers=person(10, "pwd"))) == MEANS
    assert client.get("/shop/refunds", headers=bearer()).status_code == 403


def test_in_fastapi_equal_arguments_are_one_dependency_and_the_refusal_is_an_exception(server, person):
    auth, app = M2MAuth(server), FastAPI()
    recent = auth.requires(max_age=300, acr=["phr", "mfa"])
    assert recent == auth.requires(max_age=300, acr=["phr", "mfa"]) != auth.requires(max_age=301, acr=["phr", "mfa"])

    @app.get("/refunds", responses=auth.responses)
    def refunds(caller: Annotated[Caller, Depends(recent)]) -> str:
        return caller.subject

    client = TestClient(app)
    assert client.get("/refunds", headers=person()).json() == "user-alice"
    refused = client.get("/refunds", headers=person(3600))
    assert asked_of(refused) == f"{MEANS}, {AGE}"
    assert refused.json()["detail"]["error"] == "insufficient_user_authentication"

    described = client.get("/openapi.json").json()["paths"]["/refunds"]["get"]["responses"]["401"]
    assert "sign in again" in described["description"]
    assert "RFC 9470" in described["headers"]["WWW-Authenticate"]["description"]


def test_in_fastapi_a_handler_of_the_application_sees_what_was_asked_for(server, person):
    app = FastAPI(dependencies=[Depends(M2MAuth(server).requires(max_age=300))])
    caught = []

    @app.exception_handler(RefusedRequest)
    async def handler(_request, error):
        caught.append(error.refusal)
        return PlainTextResponse("sign in again", error.status_code, error.headers)

    app.get("/refunds")(lambda: "refunded")
    refused = TestClient(app).get("/refunds", headers=person(3600))
    assert (asked_of(refused), refused.text) == (AGE, "sign in again")
    assert isinstance(caught[0], InsufficientUserAuthentication)
    assert (caught[0].max_age, caught[0].acr_values) == (300, ())


def test_in_flask_a_blueprint_and_a_view_add_up(server, person):
    app, blueprint = Flask("shop"), Blueprint("refunds", "shop")
    guard = M2MGuard(app, server)
    guard.protect(blueprint, max_age=300)
    blueprint.get("/refunds")(guard.requires(acr=["phr", "mfa"])(lambda: "refunded"))
    app.register_blueprint(blueprint)
    client = app.test_client()
    assert client.get("/refunds", headers=person()).text == "refunded"
    assert asked_of(client.get("/refunds", headers=person(3600, "pwd"))) == AGE
    assert asked_of(client.get("/refunds", headers=person(10, "pwd"))) == MEANS


class Orders(APIView):
    def get(self, _):
        return Response("read")

    delete = get


def drf(server, headers, *permissions, base=Orders, method="get"):
    """The answer of a view with these permissions."""
    authentication = type("OfThisServer", (M2MAuthentication,), {"server": server})
    members = {"authentication_classes": [authentication], "permission_classes": permissions}
    return type("Guarded", (base,), members).as_view()(getattr(APIRequestFactory(), method)("/", headers=headers))


@pytest.mark.parametrize(
    ("permission", "asked"),
    [
        (HasScopes(max_age=300), AGE),
        (HasScopes(acr=["phr", "mfa"], max_age=300), f"{MEANS}, {AGE}"),
        (HasScopes("read:orders") & HasScopes(max_age=300), AGE),
    ],
)
def test_in_drf_a_permission_asks_for_a_sign_in(server, person, permission, asked):
    assert asked_of(drf(server, person(3600, scopes=["read:orders"]), permission)) == asked
    assert drf(server, person(scopes=["read:orders"]), permission).status_code == 200


def test_in_drf_another_permission_may_be_enough(server, person):
    either = HasScopes(max_age=300) | HasScopes("admin")
    assert drf(server, person(3600, scopes=["admin"]), either).status_code == 200
    assert drf(server, person(10), either).status_code == 200
    assert drf(server, person(3600), either).status_code == 403  # as for any combination of which nothing is met


def test_in_drf_each_method_may_ask_for_its_own_sign_in(server, person):
    class PerMethod(Orders):
        def get_permissions(self):
            return [HasScopes(max_age=300)()] if self.request.method == "DELETE" else []

    assert drf(server, person(3600), base=PerMethod).status_code == 200
    assert asked_of(drf(server, person(3600), base=PerMethod, method="delete")) == AGE
    assert drf(server, person(), base=PerMethod, method="delete").status_code == 200


def of_litestar(server):
    @get("/refunds", guards=[litestar_requires(max_age=300)], sync_to_thread=False)
    def refunds() -> str:
        return ""

    return Litestar([refunds], plugins=[M2MGuardPlugin(server)], logging_config=None)


BUILT = {
    "asgi": lambda server: BearerAuthMiddleware(bare, server, requires=RECENT),
    "wsgi": lambda server: WSGIMiddleware(lambda *_: [], server, requires=RECENT),
    "starlette": lambda server: starlette_requires(server, max_age=300),
    "fastapi": lambda server: M2MAuth(server).requires(acr="mfa"),
    "flask": lambda server: M2MGuard(Flask("shop"), server).requires(max_age=300),
    "flask, protect": lambda server: M2MGuard(Flask("shop"), server).protect(Flask("shop"), acr="mfa"),
    "ninja": lambda server: NinjaAuth(server, max_age=300),
    "aiohttp": lambda server: aiohttp_requires(max_age=300, server=server),
    "litestar": of_litestar,
    "litestar, plugin": lambda server: M2MGuardPlugin(server, requires=RECENT),
    "grpc": lambda server: Guard(server, requires=RECENT),
    "grpc.aio": lambda server: AioGuard(server, methods={"/shop.Orders/Refund": RECENT}),
    "mcp": lambda server: protect(bare, server, requires=RECENT),
    "fastmcp": lambda server: FastMCPAuth(server, requires=RECENT),
    "forward-auth": lambda server: ForwardAuth(server, RECENT),
    "forward-auth, path": lambda server: ForwardAuth(server, paths={"/refunds/": RECENT}),
}


@pytest.mark.parametrize("adapter", BUILT)
def test_a_server_for_machines_only_is_found_out_when_the_application_is_built(adapter, server, issuer):
    for_machines = ResourceServer(server.settings.issuers, audience=SHOPPING_API)
    with pytest.raises(ConfigurationError, match="machine_only=False"):
        BUILT[adapter](for_machines)
    BUILT[adapter](server)


def test_the_signed_identity_of_forward_auth_says_how_the_person_signed_in(server, person, bearer):
    endpoint = TestClient(ForwardAuth(server, RECENT, identity_key=IDENTITY_KEY))
    jwks = endpoint.get("/m2mguard/jwks.json").json()
    behind = ResourceServer(identity_issuer(jwks=jwks), SHOPPING_API, machine_only=False)
    asked = {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/refunds"}
    assert asked_of(endpoint.get("/", headers=person(3600) | asked)) == AGE
    identity = endpoint.get("/", headers=person(200) | asked).headers["X-M2M-Identity"]
    assert behind.verify(identity, Requirement(max_age=300, acr="mfa")).subject == "user-alice"
    for not_met in (Requirement(max_age=60), Requirement(acr="phr")):
        with pytest.raises(InsufficientUserAuthentication):
            behind.verify(identity, not_met)
