"""`calling_as` and `fake_caller`: tests without tokens, in which no check of the route is lost."""

import asyncio
from typing import Annotated

import pytest
from django.test import AsyncClient, AsyncRequestFactory, Client, RequestFactory, override_settings
from django.urls import path
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient
from flask import Flask

from m2mguard import Caller, InsufficientScope, Requirement, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.errors import MissingToken
from m2mguard.events import TokenRefused
from m2mguard.fastapi import M2MAuth
from m2mguard.flask import M2MGuard, current_caller
from m2mguard.starlette import lifespan
from m2mguard.testing import LocalIssuer, TestServer, calling_as, fake_caller, trusting
from m2mguard.wsgi import BearerAuthMiddleware as WSGIMiddleware
from tests import django_site

django_site.set_up()

from rest_framework.response import Response  # noqa: E402 - needs the settings
from rest_framework.test import APIClient, APIRequestFactory  # noqa: E402 - needs the settings
from rest_framework.views import APIView  # noqa: E402 - needs the settings

from m2mguard.django import requires  # noqa: E402
from m2mguard.drf import HasScopes, M2MAuthentication  # noqa: E402

READ = Requirement(scopes=["read"])
READER = fake_caller("app-mine", scopes=["read"])
ISSUER = "https://tenant.example/oidc"


def resource_server(**settings):
    return ResourceServer(ISSUER, audience="https://mine.api", **settings)


def test_a_fake_caller_grants_nothing_that_is_not_named():
    caller = fake_caller()
    assert (caller.app_id, caller.scopes, caller.organization_id, caller.is_machine) == (
        "app-orders",
        frozenset(),
        None,
        True,
    )
    assert fake_caller(scopes=["a", "b"]).claims["scope"] == "a b"
    person = fake_caller("app-web", user_id="user-alice", claims={"department": "sales"})
    assert (person.app_id, person.subject, person.is_machine) == ("app-web", "user-alice", False)
    assert person.claims["department"] == "sales"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [({"scopes": "read"}, TypeError), ({"scope": ["read"]}, TypeError), ({"scopes": ["read write"]}, ValueError)],
)
def test_a_fake_caller_takes_no_wrong_argument(arguments, error):
    with pytest.raises(error):
        fake_caller("app-mine", **arguments)


def test_the_caller_is_of_the_servers_issuer_and_audience():
    with calling_as(resource_server(), READER) as caller:
        assert (caller.issuer, caller.audience) == (ISSUER, "https://mine.api")
        assert (caller.claims["iss"], caller.claims["aud"]) == (caller.issuer, caller.audience)
    with calling_as(resource_server(), fake_caller(issuer="https://named.example")) as caller:
        assert caller.issuer == "https://named.example"


@pytest.mark.parametrize(
    ("caller", "requirement", "reason"),
    [
        (fake_caller(), READ, "scope"),
        (fake_caller(scopes=["write"]), Requirement(any_scope=["read", "list"]), "scope"),
        (fake_caller("app-other"), Requirement(app_ids=["app-mine"]), "application"),
        (fake_caller(organization_id="blue"), Requirement(), "organization"),
        (fake_caller(organization_id="blue"), Requirement(organization="red"), "organization"),
        (fake_caller(), Requirement(organization=lambda request: request["tenant"]), "organization"),
        (fake_caller(issuer="https://named.example"), Requirement(issuers=[ISSUER]), "issuer"),
        (fake_caller("app-web", user_id="user-alice"), Requirement(), "not_a_machine"),
    ],
)
def test_what_the_route_asks_for_is_enforced(caller, requirement, reason):
    server = resource_server()
    with calling_as(server, caller), pytest.raises(InsufficientScope) as caught:
        server.authenticate([], requirement, request={"tenant": "blue"})
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("caller", "requirement"),
    [
        (READER, READ),
        (READER, Requirement(any_scope=["read", "list"], app_ids=["app-mine"], issuers=[ISSUER])),
        (fake_caller(organization_id="blue"), Requirement(organization=lambda request: request["tenant"])),
        (fake_caller(organization_id="blue"), Requirement(organization="*")),
    ],
)
def test_a_caller_that_has_it_passes(caller, requirement):
    server = resource_server()
    with calling_as(server, caller):
        assert server.authenticate([], requirement, request={"tenant": "blue"}).app_id == caller.app_id
        assert server.verify("no token at all", requirement, request={"tenant": "blue"}).app_id == caller.app_id


def test_a_person_passes_where_people_may_call():
    server = resource_server(machine_only=False)
    with calling_as(server, fake_caller("app-web", user_id="user-alice")):
        assert server.authenticate([]).subject == "user-alice"


def test_a_refusal_is_reported_with_the_route(events):
    server = resource_server(on_event=events)
    with calling_as(server, fake_caller("app-mine")), pytest.raises(InsufficientScope):
        server.authenticate([], READ, route=("GET", "/orders"))
    (event,) = events.of(TokenRefused)
    assert (event.reason, event.app_id, event.path) == ("scope", "app-mine", "/orders")


def test_blocks_are_nested_and_end_with_an_error_too():
    server, other = resource_server(), resource_server()
    with calling_as(server, READER):
        with calling_as(server, fake_caller("app-inner")):
            assert server.authenticate([]).app_id == "app-inner"
        assert server.authenticate([]).app_id == "app-mine"
        with pytest.raises(MissingToken):
            other.authenticate([])
    with pytest.raises(ZeroDivisionError), calling_as(server, READER):
        1 / 0  # noqa: B018
    with pytest.raises(MissingToken):
        server.authenticate([])


def test_nothing_is_fetched():
    with TestServer() as server:
        server.issuer.stop()
        app = FastAPI(lifespan=lifespan(server))
        app.get("/orders")(lambda caller: caller.app_id)
        app.get("/readyz")(lambda: server.readiness().status)
        with calling_as(server, READER), TestClient(app) as client:
            assert client.get("/readyz").json() == 200
            assert server.refresh().ready
            server.purge()
        assert server.issuer.count() == 0
        assert not server.health().ready


@pytest.mark.parametrize("target", [object(), FastAPI(), Flask("empty"), [], "https://mine.api"])
def test_what_nothing_protects_is_an_error(target):
    with pytest.raises(TypeError, match="nothing of m2mguard was found"), calling_as(target, READER):
        pass


def test_only_a_caller_can_call():
    with pytest.raises(TypeError, match="fake_caller"), calling_as(resource_server(), "app-mine"):
        pass


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
