"""The audit of operations of Django Ninja against reality: each is called without a token, through Django's test client."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path
from django.views.decorators.cache import cache_page

from m2mguard._routes import servers_of, survey
from tests import django_site
from tests.routes.audit_truth import SERVER, failing

django_site.set_up()

from ninja import NinjaAPI, Router  # noqa: E402 - needs the settings
from ninja.decorators import decorate_view  # noqa: E402
from ninja.security import HttpBearer  # noqa: E402

from m2mguard.django import requires  # noqa: E402
from m2mguard.ninja import M2MAuth  # noqa: E402

READ = M2MAuth(SERVER, "read")


class Anybody(HttpBearer):
    def __call__(self, request):
        return "anybody"

    def authenticate(self, request, token):
        return token


class CallsSuper(M2MAuth):
    def __call__(self, request):
        return super().__call__(request)


class Lenient(M2MAuth):
    def __call__(self, request):
        return "anybody"


def up(request):
    return "up"


def answers_first(run):
    def answer(request, **route):
        return HttpResponse("up")

    return answer


def router(auth):
    found = Router(auth=auth)
    found.get("/up")(up)
    return found


def api():
    made = NinjaAPI(auth=READ, openapi_url="/openapi.json")
    made.get("/inherited")(up)
    made.get("/open", auth=None)(up)
    made.get("/anybody", auth=Anybody())(up)
    made.get("/last", auth=[Anybody(), READ])(up)
    made.get("/first", auth=[READ, Anybody()])(up)
    made.get("/super", auth=CallsSuper(SERVER, "read"))(up)
    made.get("/lenient", auth=Lenient(SERVER, "read"))(up)
    made.get("/function", auth=lambda request: "anybody")(up)
    made.get("/two")(up)
    made.post("/two", auth=None)(lambda request: "up")
    made.get("/replaced")(decorate_view(answers_first)(lambda request: "up"))
    made.get("/cached")(decorate_view(cache_page(60))(lambda request: "up"))
    made.add_router("/router", router(M2MAuth(SERVER)))
    made.add_router("/router/open", router(None))
    return made


class Site:
    def __init__(self, made: NinjaAPI) -> None:
        self.urlpatterns: list[Any] = [path("api/", made.urls)]


@pytest.fixture(autouse=True)
def site():
    with override_settings(ROOT_URLCONF=Site(api()), MIDDLEWARE=[], M2MGUARD={"SERVER": SERVER}):
        yield


def test_the_audit_fails_on_what_is_answered_without_a_token():
    answered = {
        one.path
        for one in survey(WSGIHandler())
        for method in one.methods
        if Client().generic(method, one.path).status_code == 200
    }
    assert answered == {
        *("/api/open", "/api/anybody", "/api/last", "/api/lenient", "/api/function", "/api/two", "/api/replaced"),
        "/api/router/open/up",
    }
    assert failing(WSGIHandler()) == {*answered, "/api/cached"}  # which answers without a token once it has a copy


def test_each_operation_is_reported_once_with_what_it_asks_for():
    found = {(one.path, *sorted(one.methods)): one.text for one in survey(WSGIHandler())}
    assert len(found) == len(survey(WSGIHandler()))
    assert found["/api/inherited", "GET"] == found["/api/two", "GET"] == 'asks for scope "read"'
    assert found["/api/first", "GET"] == found["/api/super", "GET"] == 'asks for scope "read"'
    assert found["/api/open", "GET"] == found["/api/two", "POST"] == "is not protected: nothing asks for a token"
    assert "Anybody is above the guard" in found["/api/last", "GET"]
    assert "Anybody may ask for something" in found["/api/anybody", "GET"]
    assert "any application that has one" in found["/api/router/up", "GET"]
    assert found["/api/openapi.json",] == "is open: Django Ninja's own documentation"


def test_the_decorator_of_django_on_an_operation_is_seen():
    made = NinjaAPI()
    made.get("/orders")(requires("read")(up))
    with override_settings(ROOT_URLCONF=Site(made)):
        assert Client().get("/api/orders").status_code == 401
        found = {one.path: one.text for one in survey(WSGIHandler())}
        assert found["/api/orders"] == 'asks for scope "read"'


def test_the_servers_of_an_api_are_found_before_and_after_its_urls_are_built():
    made = NinjaAPI()
    made.add_router("/a", router(None), auth=READ)
    parent = Router()
    parent.add_router("/b", router(READ))
    made.add_router("/parent", parent)
    assert servers_of(made) == [SERVER]
    made.add_router("/later", router(READ), url_name_prefix="later")
    assert made.urls
    assert servers_of(made) == [SERVER]
    assert servers_of(NinjaAPI(auth=SimpleNamespace())) == []
