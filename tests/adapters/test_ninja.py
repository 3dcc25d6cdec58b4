"""The adapter for Django Ninja: operations, routers, handlers. The common behavior of all adapters is in tests/contract."""

import asyncio
import json
import types
from typing import Any

import pytest
import urllib3
from django.core.handlers.asgi import ASGIHandler
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from ninja import NinjaAPI, Router
from ninja.errors import HttpError
from ninja.security import SessionAuth
from ninja.testing import TestAsyncClient as NinjaAsyncClient
from ninja.testing import TestClient as NinjaClient

from m2mguard import ConfigurationError, Issuer, ResourceServer
from m2mguard.ninja import M2MAuth, RefusedRequest
from m2mguard.testing import SHOPPING_API, LocalIssuer, calling_as, fake_caller

CHALLENGE = 'Bearer realm="api"'
MISSING = {"error": "unauthorized", "error_description": "A bearer token is required"}


def who(request):
    return {"hello": request.auth.app_id}


async def who_async(request):
    return {"hello": request.auth.app_id}


def served(api, **settings):
    urls: Any = types.ModuleType("urls")
    urls.urlpatterns = [path("api/", api.urls)]
    return override_settings(ROOT_URLCONF=urls, MIDDLEWARE=[], **settings)


def mixed(auth, **options):
    """An API with a sync operation, an async one, and one of each under one path."""
    api = NinjaAPI(auth=auth, **options)
    api.get("/sync")(who)
    api.get("/async")(who_async)
    api.get("/mixed")(who)
    api.post("/mixed")(who_async)
    return api


REQUESTS = [("GET", "/api/sync"), ("GET", "/api/async"), ("GET", "/api/mixed"), ("POST", "/api/mixed")]


def over_wsgi(*requests):
    client = Client(enforce_csrf_checks=True)
    return [client.generic(method, where, headers=fields) for method, where, fields in requests]


def over_asgi(*requests):
    async def send():
        client = AsyncClient(enforce_csrf_checks=True)
        return [await client.generic(method, where, headers=fields) for method, where, fields in requests]

    return asyncio.run(send())


@pytest.mark.parametrize("send", [over_wsgi, over_asgi])
def test_operations_of_every_kind_name_the_caller_or_refuse(send, server, bearer):
    good, short = bearer(), bearer(scopes=["other"])
    with served(mixed(M2MAuth(server, "read:orders"))):
        for request in REQUESTS:
            accepted, refused, missing = send((*request, good), (*request, short), (*request, {}))
            assert (accepted.status_code, accepted.json()) == (200, {"hello": "app-orders"})
            assert (missing.status_code, missing.json()) == (401, MISSING)
            assert missing.headers["WWW-Authenticate"] == CHALLENGE
            assert missing.headers["Cache-Control"] == "no-store"
            assert refused.status_code == 403
            assert refused.headers["WWW-Authenticate"].endswith('scope="read:orders"')


@pytest.mark.parametrize("send", [over_wsgi, over_asgi])
def test_keys_that_are_not_available_are_503_and_never_401(send):
    with LocalIssuer() as issuer:
        issuer.outage()
        server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
        fields = {"Authorization": f"Bearer {issuer.mint()}"}
        with served(mixed(M2MAuth(server))):
            answers = send(*((*request, fields) for request in REQUESTS))
    for answer in answers:
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert "WWW-Authenticate" not in answer.headers


def test_the_event_loop_goes_on_while_keys_are_fetched(issuer):
    async def main(client, fields):
        request = asyncio.create_task(client.get("/api/async", headers=fields))
        turns = 0
        while not request.done():
            await asyncio.sleep(0.01)
            turns += 1
        return await request, turns

    with LocalIssuer() as issuer:
        issuer.slow(0.3)
        server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
        with served(mixed(M2MAuth(server))):
            fields = {"Authorization": f"Bearer {issuer.mint()}"}
            answer, turns = asyncio.run(main(AsyncClient(), fields))
    assert answer.status_code == 200
    assert turns > 5


def test_the_answers_are_the_same_under_a_real_server(serve, server, bearer):
    with served(mixed(M2MAuth(server, "read:orders"))), urllib3.PoolManager(retries=False, timeout=20) as http:
        url = serve(ASGIHandler())
        twice = urllib3.HTTPHeaderDict([*bearer().items(), *bearer().items()])
        for method, where in REQUESTS:
            requests = (bearer(), {}, bearer(scopes=["other"]), twice)
            answers = [http.request(method, url + where, headers=fields) for fields in requests]
            assert [one.status for one in answers] == [200, 401, 403, 400]
            assert answers[1].headers["WWW-Authenticate"] == CHALLENGE
            assert answers[1].json() == MISSING


def test_the_nearest_class_counts(server, bearer):
    api = NinjaAPI(auth=M2MAuth(server, "read:orders"))
    router = Router(auth=M2MAuth(server, "read:stock"))
    router.get("/stock")(who)
    router.post("/stock", auth=M2MAuth(server, "write:stock"))(who)
    api.add_router("/", router)
    api.get("/orders")(who)
    api.get("/healthz", auth=None)(lambda request: "up")
    read, stock, write = (bearer(scopes=[scope]) for scope in ("read:orders", "read:stock", "write:stock"))
    with served(api):
        client = Client(enforce_csrf_checks=True)
        assert [client.get("/api/orders", headers=one).status_code for one in (read, stock)] == [200, 403]
        assert [client.get("/api/stock", headers=one).status_code for one in (stock, read)] == [200, 403]
        assert [client.post("/api/stock", headers=one).status_code for one in (write, stock)] == [200, 403]
        assert client.get("/api/healthz").status_code == 200


def test_a_callable_organization_reads_the_route(server, bearer):
    api = NinjaAPI()
    of_tenant = M2MAuth(server, organization=lambda request: request.resolver_match.kwargs["tenant"])
    api.get("/tenants/{tenant}", auth=of_tenant)(lambda request, tenant: request.auth.organization_id)
    token = bearer(organization_id="org-blue")
    with served(api):
        assert Client().get("/api/tenants/org-blue", headers=token).json() == "org-blue"
        assert Client().get("/api/tenants/org-red", headers=token).status_code == 403


def test_every_other_condition_of_a_requirement_is_checked(server, bearer, issuer):
    for options, good, bad in (
        ({"any_scope": ["a", "b"]}, bearer(scopes=["b"]), bearer(scopes=["c"])),
        ({"app_ids": ["app-mine"]}, bearer("app-mine"), bearer("app-other")),
        ({"issuers": [issuer.url]}, bearer(), {}),
        ({}, bearer(), bearer(organization_id="org-1")),
    ):
        with served(mixed(M2MAuth(server, **options))):
            assert Client().get("/api/sync", headers=good).status_code == 200
            assert Client().get("/api/sync", headers=bad).status_code in (401, 403)


@pytest.mark.parametrize("send", [over_wsgi, over_asgi])
def test_a_handler_of_your_own_comes_first(send, server, bearer):
    api = mixed(M2MAuth(server, "read:orders"))
    seen = []

    @api.exception_handler(RefusedRequest)
    def teapot(request, refused):
        seen.append((refused.refusal.reason, refused.answer.status, refused.answer.headers["WWW-Authenticate"]))
        return api.create_response(request, {"error": "tea"}, status=418)

    with served(api):
        for answer in send(*((*request, {}) for request in REQUESTS)):
            assert (answer.status_code, answer.json()) == (418, {"error": "tea"})
    assert seen == [("missing", 401, CHALLENGE)] * 4


def test_a_general_handler_of_errors_does_not_change_the_answer(server):
    api = mixed(M2MAuth(server))
    for kind in (HttpError, Exception):
        api.add_exception_handler(kind, lambda request, error: api.create_response(request, {}, status=400))
    with served(api):
        (answer,) = over_wsgi(("GET", "/api/sync", {}))
        assert (answer.status_code, answer.json()) == (401, MISSING)


@pytest.mark.parametrize("send", [over_wsgi, over_asgi])
def test_debug_changes_no_answer(send, server):
    with served(mixed(M2MAuth(server)), DEBUG=True):
        for answer in send(*((*request, {}) for request in REQUESTS)):
            assert (answer.status_code, answer.json(), answer.headers["WWW-Authenticate"]) == (401, MISSING, CHALLENGE)


def test_each_api_answers_for_itself(server, bearer):
    first, second = mixed(M2MAuth(server), urls_namespace="first"), mixed(M2MAuth(server), urls_namespace="second")
    second.exception_handler(RefusedRequest)(lambda request, refused: second.create_response(request, {}, status=418))
    urls: Any = types.ModuleType("urls")
    urls.urlpatterns = [path("first/", first.urls), path("second/", second.urls)]
    with override_settings(ROOT_URLCONF=urls):
        assert [Client().get(f"/{name}/sync").status_code for name in ("first", "second", "first")] == [401, 418, 401]


def test_it_is_the_last_beside_another_class(server, bearer):
    api = mixed([SessionAuth(csrf=False), M2MAuth(server, "read:orders")])
    with served(api, MIDDLEWARE_CLASSES=[]):
        person = types.SimpleNamespace(is_authenticated=True, app_id="a person")
        nobody = types.SimpleNamespace(is_authenticated=False)
        client = NinjaClient(api)
        assert client.get("/sync", user=person).json() == {"hello": "a person"}
        assert client.get("/sync", user=nobody, headers=bearer()).json() == {"hello": "app-orders"}
        refused = client.get("/sync", user=nobody)
        assert (refused.status_code, refused["WWW-Authenticate"]) == (401, CHALLENGE)


def test_the_test_clients_of_ninja_work(server, bearer):
    api = mixed(M2MAuth(server, "read:orders"))
    good, short = bearer(), bearer(scopes=["other"])
    client = NinjaClient(api)
    assert client.get("/sync", headers=good).json() == {"hello": "app-orders"}
    assert [client.get("/sync", headers=one).status_code for one in (short, {})] == [403, 401]

    async def main():
        client = NinjaAsyncClient(api)
        return [(await client.get("/async", headers=one)).status_code for one in (good, short, {})]

    assert asyncio.run(main()) == [200, 403, 401]


class Calling(M2MAuth):
    def __call__(self, request):
        return super().__call__(request)


class Awaiting(M2MAuth):
    async def __call__(self, request):
        return await super().__call__(request)


@pytest.mark.parametrize("send", [over_wsgi, over_asgi])
def test_a_subclass_may_call_it(send, server, bearer):
    with served(mixed(Calling(server, "read:orders"))):
        for request in REQUESTS:
            accepted, refused = send((*request, bearer()), (*request, {}))
            assert (accepted.status_code, refused.status_code, refused.json()) == (200, 401, MISSING)


def test_a_subclass_may_await_it_in_async_operations(server, bearer):
    with served(mixed(Awaiting(server, "read:orders"))):
        for send in (over_wsgi, over_asgi):
            accepted, refused = send(("GET", "/api/async", bearer()), ("GET", "/api/async", {}))
            assert (accepted.status_code, refused.status_code, refused.json()) == (200, 401, MISSING)


def test_a_function_that_forgets_to_await_lets_nobody_in(server, bearer):
    auth = M2MAuth(server, "read:orders")

    async def forgetful(request):
        return auth(request)

    with served(mixed(forgetful)), pytest.raises(TypeError, match="await"):
        over_asgi(("GET", "/api/async", bearer(scopes=["other"])))


@pytest.mark.parametrize("send", [over_wsgi, over_asgi])
def test_a_function_that_calls_it_refuses_with_the_right_status(send, server, bearer):
    auth = M2MAuth(server, "read:orders")
    with served(mixed(lambda request: auth(request))):
        for request in REQUESTS:
            answers = send((*request, bearer()), (*request, bearer(scopes=["other"])), (*request, {}))
            assert [one.status_code for one in answers] == [200, 403, 401]


def test_it_works_below_the_middleware(server, bearer):
    setting = {"SERVER": server, "PUBLIC": ["/api/open"]}
    api = mixed(M2MAuth(server, "read:orders"))
    api.get("/open", auth=None)(lambda request: hasattr(request, "auth"))
    middleware = ["m2mguard.django.M2MGuardMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]
    with served(api), override_settings(M2MGUARD=setting, MIDDLEWARE=middleware):
        for send in (over_wsgi, over_asgi):
            for request in REQUESTS:
                answers = send((*request, bearer()), (*request, bearer(scopes=["other"])), (*request, {}))
                assert [one.status_code for one in answers] == [200, 403, 401]
            (answer,) = send(("GET", "/api/open", {}))
            assert answer.json() is False


def test_a_sync_client_may_be_used_on_a_running_event_loop(server, bearer):
    async def main():
        return [Client().get("/api/sync", headers=one).status_code for one in (bearer(), {})]

    with served(mixed(M2MAuth(server, "read:orders"))):
        assert asyncio.run(main()) == [200, 401]


def test_the_scheme_is_in_the_schema(server):
    api = mixed(M2MAuth(server, "read:orders"))
    api.get("/healthz", auth=None)(lambda request: "up")
    with served(api):
        schema = json.loads(Client().get("/api/openapi.json").content)
    assert schema["components"]["securitySchemes"] == {
        "M2MAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    assert schema["paths"]["/api/sync"]["get"]["security"] == [{"M2MAuth": []}]
    assert "security" not in schema["paths"]["/api/healthz"]["get"]


@pytest.mark.parametrize("kind", ["server", "auth", "api", "client"])
def test_calling_as_finds_the_server(kind, server):
    auth = M2MAuth(server, "read:orders")
    api = mixed(auth)
    client = Client()
    target = {"server": server, "auth": auth, "api": api, "client": client}[kind]
    with served(api):
        with calling_as(target, fake_caller("app-mine", scopes=["read:orders"])):
            assert client.get("/api/sync").json() == {"hello": "app-mine"}
        with calling_as(target, fake_caller("app-mine")):
            assert client.get("/api/sync").status_code == 403
        assert client.get("/api/sync").status_code == 401


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["https://issuer.example"], {}),
        (["read:orders"], {}),
        ([None], {}),
        ([...], {"app_ids": "app-orders"}),
        ([..., "two scopes"], {}),
        ([...], {"issuers": ["https://nobody.example"]}),
    ],
    ids=str,
)
def test_an_invalid_argument_is_refused(arguments, options, server):
    with pytest.raises(ConfigurationError):
        M2MAuth(*(server if one is ... else one for one in arguments), **options)
