"""What `calling_as` is given: each kind of target is found; what is not protected is an error, in a list too, never a silent pass."""

import asyncio
from typing import Annotated
from unittest.mock import MagicMock, Mock

import pytest
from django.test import AsyncClient, AsyncRequestFactory, Client, RequestFactory, override_settings
from django.urls import path
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient
from flask import Flask

from m2mguard import Caller, Requirement, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.errors import MissingToken
from m2mguard.fastapi import M2MAuth
from m2mguard.flask import M2MGuard, current_caller
from m2mguard.testing import LocalIssuer, TestServer, calling_as, fake_caller, trusting
from m2mguard.wsgi import BearerAuthMiddleware as WSGIMiddleware
from tests import django_site

django_site.set_up()

from rest_framework.response import Response  # noqa: E402 - needs the settings
from rest_framework.test import APIClient, APIRequestFactory  # noqa: E402 - needs the settings
from rest_framework.views import APIView  # noqa: E402 - needs the settings

from m2mguard.django import requires  # noqa: E402
from m2mguard.drf import HasScopes, M2MAuthentication, Machine  # noqa: E402

READ = Requirement(scopes=["read"])
READER = fake_caller("app-mine", scopes=["read"])
ISSUER = "https://tenant.example/oidc"


def resource_server():
    return ResourceServer(ISSUER, audience="https://mine.api")


SERVER = resource_server()
auth = M2MAuth(SERVER)
fastapi_app = FastAPI()


@fastapi_app.get("/orders")
async def orders(caller: Annotated[Caller, Security(auth, scopes=["read"])]) -> str:
    return caller.app_id


flask_app = Flask(__name__)
flask_guard = M2MGuard(flask_app, SERVER)
flask_app.get("/orders")(flask_guard.requires("read")(lambda: f'"{current_caller.app_id}"'))


async def plain_asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f'"{scope["auth"].app_id}"'.encode()})


asgi_app = BearerAuthMiddleware(plain_asgi, SERVER, requires=READ)
wsgi_app = WSGIMiddleware(flask_app.wsgi_app, SERVER, requires=READ)


def through_flask(_):
    return flask_app.test_client().get("/orders")


def through_asgi(app):
    return TestClient(app).get("/orders")


TARGETS = [
    (fastapi_app, through_asgi), (auth, lambda _: through_asgi(fastapi_app)),
    (auth.requires(app_ids=["app-mine"]), lambda _: through_asgi(fastapi_app)),
    (flask_app, through_flask), (flask_app.view_functions["<lambda>"], through_flask), (wsgi_app, through_flask),
    (asgi_app, through_asgi), ([asgi_app, fastapi_app], lambda _: through_asgi(asgi_app)), (SERVER, lambda _: through_asgi(asgi_app)),
]  # fmt: skip


@pytest.mark.parametrize(("target", "call"), TARGETS)
def test_each_kind_of_target_is_found(target, call):
    with calling_as(target, READER):
        answer = call(target)
        assert (answer.status_code, answer.text) == (200, '"app-mine"')
    with calling_as(target, fake_caller("app-mine")):
        answer = call(target)
    assert (answer.status_code, answer.headers["WWW-Authenticate"].count('scope="read"')) == (403, 1)
    assert call(target).status_code == 401


@pytest.mark.parametrize(("target", "call"), [*TARGETS[:1], *TARGETS[3:4], *TARGETS[6:7]])
def test_the_answer_is_that_of_a_real_token(target, call):
    with calling_as(target, fake_caller("app-mine")):
        fake = call(target)
    with LocalIssuer(served=False) as issuer, trusting(target, issuer):
        headers = {"Authorization": f"Bearer {issuer.mint('app-mine', audience='https://mine.api')}"}
        client = flask_app.test_client() if target is flask_app else TestClient(target)
        real = client.get("/orders", headers=headers)
    assert (fake.status_code, fake.text, dict(fake.headers)) == (real.status_code, real.text, dict(real.headers))


@pytest.mark.parametrize("client", [TestClient(fastapi_app), flask_app.test_client()], ids=["of Starlette", "of Flask"])
def test_a_test_client_is_its_application(client):
    with calling_as(client, READER):
        assert client.get("/orders").text == '"app-mine"'
    assert client.get("/orders").status_code == 401


@pytest.mark.parametrize(
    "target",
    [
        Mock(),
        MagicMock(),
        Flask("empty").test_client(),
        TestClient(FastAPI()),
        lambda: "no app",
        ResourceServer,
        [SERVER, object()],
        (fastapi_app, FastAPI()),
        object(),
        "https://mine.api",
        None,
        [],
    ],
    ids=[
        "mock",
        "magic mock",
        "Flask's client",
        "Starlette's client",
        "function",
        "class",
        "list",
        "tuple",
        "object",
        "text",
        "None",
        "empty",
    ],
)
@pytest.mark.parametrize("block", ["calling_as", "trusting"])
def test_what_nothing_protects_is_an_error(target, block):
    made = calling_as(target, READER) if block == "calling_as" else trusting(target, LocalIssuer(served=False))
    with pytest.raises(TypeError, match="nothing of m2mguard was found in"), made:
        pass
    with pytest.raises(MissingToken):
        SERVER.authenticate([])


def test_a_list_is_all_of_its_targets():
    other = TestServer()
    with calling_as([fastapi_app, (other, SERVER)], READER):
        assert SERVER.authenticate([]).app_id == other.authenticate([]).app_id == "app-mine"
    with pytest.raises(MissingToken):
        other.authenticate([])


def test_the_server_does_it_for_what_it_protects():
    server = TestServer(audience="https://mine.api")
    with server.calling_as(READER) as caller:
        assert (server.authenticate([]), caller.issuer) == (caller, server.issuer.url)
    with pytest.raises(MissingToken):
        server.authenticate([])


class Orders(APIView):
    authentication_classes = (M2MAuthentication,)
    permission_classes = (HasScopes("read"),)

    def get(self, request):
        return Response(request.auth.app_id)


@requires("read")
def django_orders(request):
    from django.http import JsonResponse

    return JsonResponse(request.auth.app_id, safe=False)


class Urls:
    urlpatterns = [path("orders", django_orders), path("rest", Orders.as_view())]


@pytest.mark.parametrize(
    "kind", [Client, APIClient, AsyncClient, RequestFactory, APIRequestFactory, AsyncRequestFactory]
)
@pytest.mark.parametrize("url", ["/orders", "/rest"])
def test_each_client_of_django_is_a_target(kind, url):
    view = {"/orders": django_orders, "/rest": Orders.as_view()}[url]

    def call(client):
        answer = client.get(url)
        if asyncio.iscoroutine(answer):
            return asyncio.run(_await(answer))
        return answer if hasattr(answer, "status_code") else _rendered(view(answer))

    with override_settings(M2MGUARD={"SERVER": resource_server()}, ROOT_URLCONF=Urls):
        client = kind()
        with calling_as(client, READER):
            assert call(client).content == b'"app-mine"'
        with calling_as(client, fake_caller("app-mine")):
            refused = call(client)
        assert (refused.status_code, refused.headers["WWW-Authenticate"].count('scope="read"')) == (403, 1)
        assert call(client).status_code == 401


def _rendered(answer):
    return answer.render() if hasattr(answer, "render") else answer


async def _await(answer):
    return await answer


@pytest.mark.parametrize(("scopes", "status"), [(["read"], 200), ([], 403)])
def test_force_authenticate_of_rest_framework_keeps_the_checks(scopes, status):
    caller = fake_caller("app-mine", scopes=scopes)
    with override_settings(M2MGUARD={"SERVER": resource_server()}, ROOT_URLCONF=Urls):
        client = APIClient()
        client.force_authenticate(user=Machine(caller=caller), token=caller)
        assert client.get("/rest").status_code == status
        client.force_authenticate()
        assert client.get("/rest").status_code == 401
