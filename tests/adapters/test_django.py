"""The Django adapter: settings, decorators, middleware, checks. The common behavior of all adapters is in tests/contract."""

import asyncio
import json
import subprocess
import sys
import types
from typing import Any, cast

import httpx2
import pytest
from asgiref.sync import iscoroutinefunction
from django.core.checks import run_checks
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import CommandError, call_command
from django.http import HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View

from m2mguard import ConfigurationError, InvalidToken, Issuer, Requirement, ResourceServer
from m2mguard.django import MachineRequest, requires, resource_server
from m2mguard.django._checks import ready_for_deployment
from m2mguard.testing import SHOPPING_API, LocalIssuer

OURS = "m2mguard.django.M2MGuardMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
LOGIN = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
]


@pytest.fixture
def anyio_backend():
    return "asyncio"  # Django supports no other event loop


@pytest.fixture
def site(server):
    """Serve views at paths with their names: `with site(orders=view): ...`."""

    def serve(middleware=(), public=None, setting=None, **views):
        urls: Any = types.ModuleType("urls")
        urls.urlpatterns = [path(f"{name}/", view) for name, view in views.items()]
        urls.urlpatterns += [path(f"{name}/<organization>/", view) for name, view in views.items()]
        extra = {} if public is None else {"PUBLIC": public}
        return override_settings(
            M2MGUARD=({"SERVER": server} | extra) if setting is None else setting,
            MIDDLEWARE=list(middleware),
            ROOT_URLCONF=urls,
        )

    return serve


def app_id(request: MachineRequest, **_: str) -> HttpResponse:
    return HttpResponse(request.auth.app_id)


async def app_id_async(request: MachineRequest, **_: str) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse(request.auth.app_id)


def anonymous(request: MachineRequest, **_: str) -> HttpResponse:
    assert not hasattr(request, "auth")
    return HttpResponse("in")


class Orders(View):
    def get(self, request, **_):
        return app_id(request)

    post = get


class OrdersAsync(View):
    async def get(self, request, **_):
        return await app_id_async(request)

    post = get


def with_dispatch_decorated(view):
    guarded: Any = type("Guarded", (view,), {})
    return method_decorator(requires("read:orders"), name="dispatch")(guarded).as_view()


GUARDED = {
    "a function": requires("read:orders")(app_id),
    "an async function": requires("read:orders")(app_id_async),
    "a class, around as_view": requires("read:orders")(Orders.as_view()),
    "an async class, around as_view": requires("read:orders")(OrdersAsync.as_view()),
    "a class, by dispatch": with_dispatch_decorated(Orders),
    "an async class, by dispatch": with_dispatch_decorated(OrdersAsync),
}
guarded = pytest.mark.parametrize("view", GUARDED.values(), ids=GUARDED)


@guarded
def test_a_decorated_view_is_called_only_with_a_caller(site, bearer, view):
    with site(orders=view):
        assert Client().get("/orders/", headers=bearer("app-orders")).content == b"app-orders"
        assert Client().get("/orders/").status_code == 401
        refused = Client().get("/orders/", headers=bearer(scopes=["other"]))
        assert refused.status_code == 403
        assert refused.headers["WWW-Authenticate"].endswith('scope="read:orders"')
        assert refused.headers["Cache-Control"] == "no-store"
        assert refused.json()["error"] == "insufficient_scope"


@guarded
async def test_a_decorated_view_is_called_only_with_a_caller_under_asgi(site, bearer, view):
    with site(orders=view):
        assert (await AsyncClient().get("/orders/", headers=bearer("app-orders"))).content == b"app-orders"
        assert (await AsyncClient().get("/orders/")).status_code == 401
        assert (await AsyncClient().get("/orders/", headers=bearer(scopes=["other"]))).status_code == 403


@pytest.mark.parametrize("name", ["an async function", "an async class, around as_view", "an async class, by dispatch"])
async def test_an_async_view_waits_for_keys_without_blocking_the_loop(site, name):
    with LocalIssuer() as issuer, issuer.hold("jwks") as gate:
        setting = {"ISSUER": issuer.url, "AUDIENCE": SHOPPING_API}
        with site(setting=setting, orders=GUARDED[name]):
            headers = {"Authorization": f"Bearer {issuer.mint(scopes=['read:orders'])}"}
            requests = [asyncio.ensure_future(AsyncClient().get("/orders/", headers=headers)) for _ in range(20)]
            await asyncio.get_running_loop().run_in_executor(None, gate.wait_for)  # ends only if the loop runs
            gate.release()
            assert {answer.status_code for answer in await asyncio.gather(*requests)} == {200}
            assert issuer.count("jwks") == 1


@guarded
@pytest.mark.parametrize("middleware", [[CSRF], LOGIN], ids=["csrf", "login"])
def test_a_decorated_view_is_exempt_from_csrf_and_login(site, bearer, view, middleware):
    client = Client(enforce_csrf_checks=True)
    with site(middleware, orders=view, open=app_id):
        assert client.post("/orders/", headers=bearer("app-orders")).status_code in (200, 405)
        assert client.get("/orders/", headers=bearer("app-orders")).content == b"app-orders"
        assert client.post("/open/").status_code in (302, 403)


def test_a_decorated_view_stays_sync_or_async():
    assert [iscoroutinefunction(view) for view in GUARDED.values()] == [False, True] * 3


def test_the_organization_can_be_taken_from_the_route(site, bearer):
    of_route: Any = requires(organization=lambda request: request.resolver_match.kwargs["organization"])  # type: ignore[union-attr]
    headers = bearer(organization_id="blue")
    with site(orgs=of_route(app_id)):
        assert Client().get("/orgs/blue/", headers=headers).status_code == 200
        assert Client().get("/orgs/red/", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "arguments", [{"any_scope": ["a", "b"]}, {"app_ids": ["app-admin"]}, {"organization": "org-red"}]
)
def test_requires_accepts_every_argument_of_a_requirement(site, bearer, arguments):
    good = bearer(
        arguments.get("app_ids", ["app-orders"])[0], scopes=["b"], organization_id=arguments.get("organization")
    )
    with site(orders=requires(**arguments)(app_id)):
        assert Client().get("/orders/", headers=bearer(organization_id="org-blue")).status_code == 403
        assert Client().get("/orders/", headers=good).status_code == 200


def test_a_refused_head_has_no_body(site):
    with site():
        answer = requires()(app_id)(RequestFactory().head("/orders/"))  # type: ignore[arg-type]  # the client removes the body
    assert (answer.status_code, answer.content) == (401, b"")
    assert int(answer.headers["Content-Length"]) > 0


def test_request_user_is_not_changed(site, bearer):
    def view(request):
        return HttpResponse(str(request.user.is_authenticated))

    with site(LOGIN[:2], orders=requires()(view)):
        assert Client().get("/orders/", headers=bearer()).content == b"False"


def test_an_error_of_a_view_is_raised_even_if_it_is_one_of_ours(site, bearer):
    def view(request):
        raise InvalidToken("expired", "raised by the view itself")

    with site([OURS], orders=requires()(view)), pytest.raises(InvalidToken):
        Client().get("/orders/", headers=bearer())


def test_requires_on_a_method_raises_an_error_with_advice(server):
    class Wrong(View):
        @requires()
        def get(self, request):
            return HttpResponse()

    with pytest.raises(TypeError, match="method_decorator"):
        Wrong().get(MachineRequest())


@pytest.mark.parametrize("view", [app_id, app_id_async], ids=["sync", "async"])
async def test_the_middleware_protects_every_path_that_is_not_public(site, bearer, view):
    with site([OURS], public=["/open", "/open/", "/healthz"], orders=view, open=anonymous, healthz=anonymous):
        for get in (AsyncClient().get, in_thread(Client().get)):
            assert (await get("/orders/", headers=bearer("app-orders"))).content == b"app-orders"
            assert (await get("/open/", headers=bearer())).content == b"in"
            assert (await get("/unknown/", headers=bearer())).status_code == 404
            for protected in ("/orders/", "/unknown/", "/healthz/", "/open//", "//open/", "/open/%2e%2e/orders/"):
                assert (await get(protected)).status_code == 401, protected


def in_thread(get):
    async def got(*args, **kwargs):
        return await asyncio.get_running_loop().run_in_executor(None, lambda: get(*args, **kwargs))

    return got


async def test_a_public_prefix_covers_the_paths_below_it(site):
    with site([OURS], public=["/open/"], open=anonymous):
        for get in (AsyncClient().get, in_thread(Client().get)):
            statuses = [(await get(path)).status_code for path in ("/open/a/", "/open/", "/open")]
            assert statuses == [200, 401, 401]


async def test_a_public_path_may_have_any_letters_but_no_encoded_slash(site):
    for sent, status in (
        ("/open/a/?x=%2f", 200),
        ("/open/mein%20bericht/", 200),
        ("/open/gr%C3%B6%C3%9Fe/", 200),
        ("/open/%FF/", 401),
        ("/open/%EF%BC%8E%EF%BC%8E/", 401),
        ("/open%2fa/", 401),
        ("/open/%61/", 401),
    ):
        with site([OURS], public=["/open/"], open=anonymous):
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(cast(Any, ASGIHandler()))) as client:
                assert (await client.get(f"http://testserver{sent}")).status_code == status
            assert (await in_thread(Client().get)(sent, RAW_URI=sent)).status_code == status


async def test_public_paths_work_on_servers_without_raw_path(site):
    async def without_raw_path(scope, receive, send):
        # Django's asynchronous client passes bytes as Latin-1, which no server does.
        await ASGIHandler()(cast(Any, scope | {"raw_path": None}), receive, send)

    with site([OURS], public=["/open/"], open=anonymous):
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(cast(Any, without_raw_path))) as client:
            for name, status in (("gr%C3%B6%C3%9Fe", 200), ("a%20b", 200), ("%FF", 401), ("%E9", 401)):
                assert (await client.get(f"http://testserver/open/{name}/")).status_code == status
                assert (await in_thread(Client().get)(f"/open/{name}/")).status_code == status


async def test_public_entries_of_django_may_name_methods(site):
    with site([OURS], public=["GET /open/"], open=anonymous):
        for client in (Client(), AsyncClient()):
            get, post = (in_thread(m) if isinstance(client, Client) else m for m in (client.get, client.post))
            assert (await get("/open/a/")).status_code == 200
            assert (await post("/open/a/")).status_code == 401
            assert (await get("/open/a/", {"_method": "DELETE"})).status_code == 401
            assert (await get("/open/a/", headers={"X-HTTP-Method-Override": "DELETE"})).status_code == 401


PREFLIGHT = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
EXEMPT = {"REQUIRES": Requirement(scopes=["all"]), "PREFLIGHT": "exempt"}


def test_the_setting_requires_applies_to_the_middleware(site, server, bearer):
    with site([OURS], setting={"SERVER": server} | EXEMPT, orders=app_id):
        assert Client().get("/orders/", headers=bearer()).status_code == 403
        assert Client().get("/orders/", headers=bearer(scopes=["all"])).status_code == 200


def cors(get_response):
    """A middleware like django-cors-headers: answers preflights itself and adds fields to every answer."""

    def middleware(request):
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse() if is_preflight else get_response(request)
        response["Access-Control-Allow-Origin"] = "https://shop.example"
        return response

    return middleware


def cors_async(get_response):
    async def middleware(request):
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return HttpResponse() if is_preflight else await get_response(request)

    return middleware


cors_async.sync_capable, cors_async.async_capable = False, True  # type: ignore[attr-defined]
OF_CORS = {Client: f"{__name__}.cors", AsyncClient: f"{__name__}.cors_async"}
NO_VIEW = {**GUARDED, "an open function": app_id, "an open async function": app_id_async, "an open class": Orders.as_view()}  # fmt: skip


async def options(client, *args, **kwargs):
    call = in_thread(client.options) if isinstance(client, Client) else client.options
    return await call(*args, **kwargs)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_the_next_middleware_answers_an_exempt_preflight(site, server, kind, bearer):
    with site([OURS, OF_CORS[kind]], setting={"SERVER": server} | EXEMPT, orders=app_id):
        assert (await options(kind(), "/orders/", headers=PREFLIGHT)).status_code == 200
        for fields in (
            {"X-HTTP-Method-Override": "DELETE"},
            {"X-Method-Override": "DELETE"},
            {"Cookie": "sessionid=1"},
            {"Origin": ""},
        ):
            assert (await options(kind(), "/orders/", headers=PREFLIGHT | fields)).status_code == 401
        assert (await options(kind(), "/orders/?_method=DELETE", headers=PREFLIGHT)).status_code == 401


def fallback(get_response):
    """A middleware like that of flatpages: answers requests that no view answers."""

    def middleware(request):
        response = get_response(request)
        if response.status_code != 404:
            return response
        fields = {"Content-Length": "4", "Access-Control-Allow-Origin": "*"}
        if "stream" in request.path:
            return StreamingHttpResponse(iter([b"da", b"ta"]), headers=fields)
        return HttpResponse(b"data", headers=fields)

    return middleware


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("path", ["/unknown/", "/stream/"])
async def test_the_answer_to_an_exempt_preflight_has_no_body(site, server, kind, path):
    with site([OURS, f"{__name__}.fallback"], setting={"SERVER": server} | EXEMPT):
        answer = await options(kind(), path, headers=PREFLIGHT)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert (answer.status_code, body, answer.headers["Access-Control-Allow-Origin"]) == (200, b"", "*")
        assert "Content-Length" not in answer.headers


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("view", NO_VIEW.values(), ids=NO_VIEW)
async def test_an_exempt_preflight_does_not_reach_a_view(site, server, kind, view, bearer):
    def must_not_be_called(*_, **__):
        raise AssertionError

    with site([OURS], setting={"SERVER": server} | EXEMPT, orders=view, never=must_not_be_called):
        for path in ("/orders/", "/orders/a/", "/never/"):
            refused = await options(kind(), path, headers=PREFLIGHT)
            assert refused.status_code == 401
            assert refused.headers["WWW-Authenticate"] == 'Bearer realm="api"'
            assert refused.json()["error"] == "unauthorized"
        token = bearer(scopes=["all", "read:orders"])
        assert (await options(kind(), "/orders/", headers=PREFLIGHT | token)).status_code in (200, 405)
        assert (await options(kind(), "/orders/", headers=PREFLIGHT | bearer())).status_code == 403


def test_a_later_preflight_exemption_needs_a_restart(site, server):
    client = Client()
    with site([OURS, OF_CORS[Client]], setting={"SERVER": server}, orders=app_id):
        assert client.options("/orders/", headers=PREFLIGHT).status_code == 401
        with override_settings(M2MGUARD={"SERVER": server} | EXEMPT):
            assert client.options("/orders/", headers=PREFLIGHT).status_code == 401
            assert Client().options("/orders/", headers=PREFLIGHT).status_code == 200


def test_requirements_of_middleware_and_decorator_are_combined(site, server, bearer):
    setting = {"SERVER": server, "REQUIRES": Requirement(scopes=["a"])}
    with site([OURS], setting=setting, orders=requires("b")(app_id)):
        answers = [Client().get("/orders/", headers=bearer(scopes=list(scopes))) for scopes in ("ab", "a", "b")]
        assert [answer.status_code for answer in answers] == [200, 403, 403]


def test_a_request_with_a_token_needs_no_csrf_token(site, bearer):
    client = Client(enforce_csrf_checks=True)
    with site([OURS, CSRF], public=["/open", "/open/"], orders=app_id, open=anonymous):
        assert client.post("/orders/", headers=bearer()).status_code == 200
        assert client.post("/open/").status_code == 403


def test_override_settings_changes_the_server(site, issuer, bearer):
    with site(orders=requires()(app_id)):
        assert Client().get("/orders/", headers=bearer()).status_code == 200
        before = resource_server()
        assert resource_server() is before
        other = {"ISSUER": Issuer(url=issuer.url, jwks=issuer.jwks), "AUDIENCE": "https://stock.api"}
        with override_settings(M2MGUARD=other):
            assert Client().get("/orders/", headers=bearer()).status_code == 401
            assert Client().get("/orders/", headers=bearer(audience="https://stock.api")).status_code == 200
        assert Client().get("/orders/", headers=bearer()).status_code == 200
        assert resource_server() is before


VALID = {"ISSUER": "https://issuer.example", "AUDIENCE": SHOPPING_API}
INVALID = {
    "no setting": (None, "ISSUER"),
    "no issuer": ({"AUDIENCE": SHOPPING_API}, "ISSUER is missing"),
    "no audience": ({"ISSUER": "https://issuer.example"}, "AUDIENCE is missing"),
    "an http issuer": (VALID | {"ISSUER": "http://issuer.example"}, "use https"),
    "a misspelt key": (VALID | {"AUDIENCES": "x"}, "unknown setting AUDIENCES. Did you mean AUDIENCE"),
    "a public path that covers every path": (VALID | {"PUBLIC": ["/"]}, "open every path"),
    "an unknown preflight policy": (VALID | {"PREFLIGHT": "allow"}, "preflight"),
    "a requirement of another type": (VALID | {"REQUIRES": "read:orders"}, "REQUIRES"),
    "a server of another type": ({"SERVER": "x"}, "SERVER"),
    "a server and other settings": (VALID | {"SERVER": ResourceServer("https://i.example", "a")}, "SERVER"),
}  # fmt: skip


@pytest.mark.parametrize(("setting", "message"), INVALID.values(), ids=INVALID)
def test_check_reports_invalid_settings_and_requests_fail(site, bearer, setting, message):
    with site([OURS], orders=app_id), override_settings(M2MGUARD=setting):
        (error,) = [check for check in run_checks() if check.id == "m2mguard.E001"]
        assert message in error.msg
        with pytest.raises(ConfigurationError, match=message):
            Client().get("/orders/", headers=bearer())


@pytest.mark.parametrize("handler", [WSGIHandler, ASGIHandler])
@pytest.mark.parametrize(("setting", "message"), INVALID.values(), ids=INVALID)
def test_a_server_with_an_invalid_setting_does_not_start(site, setting, message, handler):
    with site([OURS], orders=app_id):
        handler()
        with override_settings(M2MGUARD=setting), pytest.raises(ConfigurationError, match=message):
            handler()


START = """
import sys, types, django
from django.conf import settings
settings.configure(INSTALLED_APPS=["m2mguard.django"], ROOT_URLCONF=types.ModuleType("urls"), {settings})
django.setup()
from m2mguard.django import _settings as configuration
print(sorted(configuration._current))
"""


# The imports of Django take most of the time of a start, so one process does them, and each start is a fork of it.
FORK_EACH = """
import json, os, sys
import django.conf, django.core.checks, django.http, django.urls, m2mguard
outputs = []
for statement in json.load(sys.stdin):
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.close(writing)
        exec(statement, {"__name__": "__main__"})
        sys.exit()
    os.close(writing)
    with open(reading) as output:
        outputs.append(output.read())
    os.wait()
json.dump(outputs, sys.stdout)
"""


def statement_of(settings):
    return START.replace("{settings}", ", ".join(f"{name}={value!r}" for name, value in settings.items()))


@pytest.fixture(scope="module")
def start():
    """Start Django in a new process, as `manage.py` and servers do; gives its error or the names of its servers."""
    every = [{"M2MGUARD": setting} for setting, _ in (*STOPPING, *STARTED)] + [{}]
    statements = [statement_of(settings) for settings in every]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORK_EACH],
        input=json.dumps(statements),
        capture_output=True,
        text=True,
        check=True,
    )
    outputs = dict(zip(statements, json.loads(done.stdout), strict=True))
    return lambda **settings: outputs[statement_of(settings)].splitlines()[-1]


URL = "https://issuer.example"
STOPPING = [
    ({"ISSUER": URL, "AUDIENCE": "a", "AUDIENCES": "b"}, "unknown setting AUDIENCES. Did you mean AUDIENCE"),
    ({"ISSUER": URL, "AUDIENCES": "b"}, "unknown setting AUDIENCES. Did you mean AUDIENCE"),
    ({"ISSUER": None, "AUDIENCE": None, "PUBLICS": ["/healthz"]}, "unknown setting PUBLICS. Did you mean PUBLIC"),
    ({"ISSUER": "http://issuer.example", "AUDIENCE": ""}, "use https"),
    ({"AUDIENCE": "a", "LEEWAY": "-1"}, "leeway"),
    ({"PUBLIC": ["/"]}, "open every path"),
    (["ISSUER"], "ISSUER"),
]
STARTED = [
    ({"ISSUER": URL, "AUDIENCE": "a"}, "['M2MGUARD']"),
    ({"LOGTO_ENDPOINT": "https://tenant.logto.app", "AUDIENCE": "a", "PUBLIC": ["/healthz"]}, "['M2MGUARD']"),
    ({"ISSUER": None, "AUDIENCE": None}, "[]"),  # the values of os.environ.get() in a build image
    ({"LOGTO_ENDPOINT": "", "AUDIENCE": "", "ORGANIZATIONS": True}, "[]"),
    ({"ISSUER": URL}, "[]"),
    ({}, "[]"),
    (None, "[]"),
]


@pytest.mark.parametrize(("setting", "message"), STOPPING, ids=str)
def test_an_invalid_setting_stops_django_without_the_middleware_too(start, setting, message):
    found = start(M2MGUARD=setting)
    assert "ConfigurationError" in found
    assert message in found


@pytest.mark.parametrize(("setting", "built"), STARTED, ids=str)
def test_a_complete_setting_is_built_at_start(start, setting, built):
    """A missing or partial setting does not stop Django, so commands run without it."""
    assert start(M2MGUARD=setting) == built


def test_a_missing_setting_does_not_stop_a_command(start):
    assert start() == "[]"


def ids_of_checks(**options):
    return [message.id for message in run_checks(**options) if (message.id or "").startswith("m2mguard.")]


def test_check_reports_nothing_for_a_valid_setting(site):
    with site([OURS], setting=VALID | {"PUBLIC": ["/healthz"]}):
        assert ids_of_checks(include_deployment_checks=True) == []


def test_check_warns_of_middleware_settings_without_the_middleware(site):
    with site(setting=VALID | {"PUBLIC": ["/healthz"]}):
        assert ids_of_checks() == ["m2mguard.W001"]


def test_check_deploy_warns_of_an_issuer_on_loopback(site):
    with site(setting=VALID | {"ISSUER": ["https://issuer.example", "http://127.0.0.1:3001/oidc"]}):
        assert ids_of_checks() == []
        assert ids_of_checks(include_deployment_checks=True) == ["m2mguard.W002"]


def test_m2mguard_health_shows_the_keys_and_fails_without_them(site, capsys):
    with LocalIssuer() as issuer:
        setting = {"ISSUER": issuer.url, "AUDIENCE": SHOPPING_API}
        with site(setting=setting):
            call_command("m2mguard_health")
            shown = json.loads(capsys.readouterr().out)
            assert shown["issuers"][0]["keys"][0]["key_id"] == issuer.current_key.kid
    with site(setting=setting), pytest.raises(CommandError):
        call_command("m2mguard_health")
    assert json.loads(capsys.readouterr().out)["ready"] is False


def test_check_deploy_ignores_an_invalid_setting():
    with override_settings(M2MGUARD={"ISSUER": "https://issuer.example"}):
        assert ready_for_deployment() == []
