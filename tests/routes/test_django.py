"""The survey of a Django site against reality, with and without the middleware."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import include, path, re_path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_page

from m2mguard import Requirement, ResourceServer
from m2mguard._routes import survey
from tests import django_site

django_site.set_up()

from django.contrib.auth.decorators import login_required  # noqa: E402 - needs the settings
from rest_framework.authentication import BasicAuthentication  # noqa: E402 - needs the settings
from rest_framework.permissions import IsAuthenticated  # noqa: E402 - needs the settings
from rest_framework.response import Response  # noqa: E402 - needs the settings
from rest_framework.views import APIView  # noqa: E402
from rest_framework.viewsets import ViewSet  # noqa: E402 - needs the settings

from m2mguard.django import requires  # noqa: E402
from m2mguard.drf import HasScopes, M2MAuthentication  # noqa: E402

SERVER = ResourceServer("https://tenant.example/oidc", audience="https://shopping.api")


def up(request):
    return HttpResponse("up")


class Open(APIView):
    authentication_classes: tuple[type, ...] = ()

    def get(self, _):
        return Response("up")


class Guarded(Open):
    authentication_classes: tuple[type, ...] = (M2MAuthentication,)


class Scoped(Guarded):
    permission_classes = (HasScopes("read"),)


class Views:
    urlpatterns = [
        path("alarm", Open.as_view()),
        path("warning", Guarded.as_view()),
        path("fine", Scoped.as_view()),
    ]


class Urls:
    urlpatterns = [
        path("alarm", up),
        path("fine", requires("read")(up)),
        path("warning", requires()(up)),
        path("below/", include([path("fine", requires(app_ids=["a"])(up))])),
    ]


class Behind:
    urlpatterns = [path("fine", up), path("note", up)]


CASES = [
    (Views, [], {"SERVER": SERVER}),
    (Urls, [], {"SERVER": SERVER}),
    (
        Behind,
        ["m2mguard.django.M2MGuardMiddleware"],
        {"SERVER": SERVER, "PUBLIC": ["/note"], "REQUIRES": Requirement(scopes=["read"])},
    ),
]


@pytest.mark.parametrize(("urls", "middleware", "setting"), CASES)
def test_what_the_survey_says_of_a_route_is_so(urls, middleware, setting):
    with override_settings(ROOT_URLCONF=urls, MIDDLEWARE=middleware, M2MGUARD=setting):
        found = survey(WSGIHandler())
        assert found
        for one in found:
            assert one.severity == one.path.rpartition("/")[2], one
            assert Client().get(one.path).status_code == (401 if one.is_protected else 200), one


class Class(View):
    def get(self, _):
        return HttpResponse("up")

    def post(self, _):
        return HttpResponse("up")


class SingleMethod(Class):
    @method_decorator(requires("read"))
    def post(self, request):
        return super().post(request)


class Set(ViewSet):
    authentication_classes = (M2MAuthentication,)

    def list(self, _):
        return Response([])

    def create(self, _):
        return Response([])

    def get_permissions(self):
        return [HasScopes("write")()] if self.action == "create" else []


class ByPerson(APIView):
    authentication_classes = (BasicAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, _):
        return Response("up")


AllGuarded: Any = method_decorator(requires("read"), name="dispatch")(type("AllGuarded", (Class,), {}))


class Classes:
    urlpatterns = [
        path("cached", cache_page(60)(requires("read")(up))),
        path("open", Class.as_view()),
        path("dispatch", AllGuarded.as_view()),
        path("around", requires("read")(Class.as_view())),
        path("single", SingleMethod.as_view()),
        path("set", Set.as_view({"get": "list", "post": "create"})),
        path("person", ByPerson.as_view()),
        path("login", login_required(up)),
        re_path(r"^pattern/(?P<name>[a-z]+)$", requires("read")(up)),
    ]


def test_classes_methods_view_sets_and_logins():
    with override_settings(ROOT_URLCONF=Classes, MIDDLEWARE=[], M2MGUARD={"SERVER": SERVER}):
        found = {(one.path, tuple(sorted(one.methods))): (one.severity, one.doubt) for one in survey(WSGIHandler())}
        called = {
            name: Client().get(f"/{name}").status_code
            for name in ("open", "dispatch", "around", "single", "set", "person")
        }
        assert Client().post("/single").status_code == 401
    assert found == {
        ("/cached", ()): ("warning", True),
        ("/open", ("GET", "POST")): ("alarm", False),
        ("/dispatch", ("GET", "POST")): ("fine", False),
        ("/around", ("GET", "POST")): ("fine", False),
        ("/single", ("GET",)): ("alarm", False),
        ("/single", ("POST",)): ("fine", False),
        ("/set", ("GET",)): ("warning", False),
        ("/set", ("POST",)): ("fine", False),
        ("/person", ("GET",)): ("warning", True),
        ("/login", ()): ("warning", True),
        ("/pattern/(?P<name>[a-z]+)", ()): ("fine", False),
    }
    assert called == {"open": 200, "dispatch": 401, "around": 401, "single": 200, "set": 401, "person": 401}


class WantsARequest(APIView):
    authentication_classes = (M2MAuthentication,)

    def get(self, _):
        return Response("up")

    def get_permissions(self):
        return [HasScopes(self.request.META["SCOPE"])()]


class Head(ViewSet):
    authentication_classes = (M2MAuthentication,)

    def list(self, _):
        return Response([])


class Odd:
    admin = SimpleNamespace(pattern="admin/", url_patterns=[], app_name="admin")
    urlpatterns = [
        path("wants", WantsARequest.as_view()),
        path("head", Head.as_view({"get": "list", "head": "list"})),
        admin,
    ]


def plain_middleware(get_response):
    return get_response


def test_an_admin_a_function_as_middleware_and_permissions_that_want_a_request_are_told(monkeypatch):
    middleware = [f"{__name__}.plain_middleware"]
    monkeypatch.setitem(
        sys.modules, __name__, sys.modules.get(__name__) or SimpleNamespace(plain_middleware=plain_middleware)
    )
    with override_settings(ROOT_URLCONF=Odd, MIDDLEWARE=middleware, M2MGUARD={"SERVER": SERVER}):
        found = {one.path: one for one in survey(WSGIHandler())}
    assert found["/admin/"].severity == "note"
    assert "asks for a login" in found["/admin/"].text
    assert found["/wants"].doubt
    assert "get_permissions() raised NeedsRequest without a request" in found["/wants"].text
    assert found["/head"].methods == {"GET"}
