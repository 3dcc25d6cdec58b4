"""`assert_all_routes_protected` for a Django site and Django REST framework: what it finds can in truth be called without a token."""

import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import include, path
from django.views import View

from m2mguard import ResourceServer
from m2mguard.testing import assert_all_routes_protected
from tests import django_site

django_site.set_up()

from rest_framework.decorators import api_view, authentication_classes, permission_classes  # noqa: E402 - needs the settings
from rest_framework.permissions import AllowAny, IsAuthenticated  # noqa: E402 - needs the settings
from rest_framework.response import Response  # noqa: E402 - needs the settings
from rest_framework.views import APIView  # noqa: E402 - needs the settings
from rest_framework.viewsets import ViewSet  # noqa: E402 - needs the settings

from m2mguard.django import M2MGuardMiddleware, requires  # noqa: E402
from m2mguard.drf import HasScopes, M2MAuthentication  # noqa: E402

SERVER = ResourceServer("https://tenant.example/oidc", audience="https://shopping.api")
MIDDLEWARE = "m2mguard.django.M2MGuardMiddleware"


def up(request):
    return HttpResponse("up")


class Scoped(APIView):
    authentication_classes: tuple[type, ...] = (M2MAuthentication,)
    permission_classes: tuple[type, ...] = (HasScopes("read"),)

    def get(self, _):
        return Response("up")


class AnyToken(Scoped):
    permission_classes = (IsAuthenticated,)


class ByRequiredScopes(Scoped):
    permission_classes = (AllowAny,)
    required_scopes = ("read",)


class ContradictsItself(Scoped):
    permission_classes = (AllowAny,)


class Open(Scoped):
    authentication_classes = ()
    permission_classes = (AllowAny,)


class Actions(ViewSet):
    authentication_classes = (M2MAuthentication,)

    def get_authenticators(self):
        return [] if self.request.method == "POST" else super().get_authenticators()

    def list(self, _):
        return Response("up")

    def create(self, _):
        return Response("up")


class OneMethod(View):
    def get(self, request):
        return HttpResponse("up")

    post = requires("read")(get)


@api_view(["GET"])
@authentication_classes([])
@permission_classes([AllowAny])
def open_function(_):
    return Response("up")


@api_view(["GET"])
@authentication_classes([M2MAuthentication])
@permission_classes([HasScopes("read")])
def scoped_function(_):
    return Response("up")


def site(*patterns, middleware=(), **more):
    module = type("Urls", (), {"urlpatterns": list(patterns)})
    return override_settings(
        ROOT_URLCONF=module, MIDDLEWARE=list(middleware), M2MGUARD={"SERVER": SERVER, **more}, ALLOWED_HOSTS=["*"]
    )


GOOD = (
    path("orders", requires("read")(up)),
    path("scoped", Scoped.as_view()),
    path("any-token", AnyToken.as_view()),
    path("by-required-scopes", ByRequiredScopes.as_view()),
    path("function", scoped_function),
)


@pytest.mark.parametrize("target", [settings, WSGIHandler, ASGIHandler, Client, RequestFactory])
def test_a_site_whose_views_are_guarded_passes(target):
    with site(*GOOD):
        reports = assert_all_routes_protected(target() if isinstance(target, type) else target)
        assert [report.path for report in reports] == [f"/{pattern.pattern}" for pattern in GOOD]
        assert all(Client().get(report.path).status_code == 401 for report in reports)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (path("stock", up), "any method /stock "),
        (path("stock", Open.as_view()), "GET /stock "),
        (path("stock", open_function), "GET /stock "),
        (path("stock/", include([path("apples", up)])), "any method /stock/apples "),
        (path("stock", OneMethod.as_view()), "GET /stock "),
    ],
)
def test_a_view_that_anybody_can_call_is_named(pattern, found):
    with site(*GOOD, pattern):
        assert Client().get(found.split()[-1]).status_code == 200
        with pytest.raises(AssertionError) as caught:
            assert_all_routes_protected(settings)
    failing = str(caught.value).split("Protect each of them")[0].splitlines()
    assert len(failing) == 2
    assert failing[1].startswith(f"  {found}")


def test_a_view_beside_a_middleware_with_a_public_path_is_named():
    with site(path("orders", up), path("stock/apples", up), middleware=[MIDDLEWARE], PUBLIC=["/stock/"]):
        assert Client().get("/stock/apples").status_code == 200
        assert Client().get("/orders").status_code == 401
        with pytest.raises(AssertionError, match=r"1 of 2 .*\n  any method /stock/apples is public by name"):
            assert_all_routes_protected(settings)
        assert_all_routes_protected(settings, except_=["/stock/"])


class LetsEverybodyPass(M2MGuardMiddleware):
    def __call__(self, request):
        return self.get_response(request)


class AddsNothing(M2MGuardMiddleware):
    note = "a subclass that serves as its base does"


def test_a_middleware_with_a_call_of_its_own_is_no_guard():
    with site(path("orders", up), middleware=[f"{__name__}.LetsEverybodyPass"]):
        assert Client().get("/orders").status_code == 200
        with pytest.raises(AssertionError, match=r"\n  any method /orders is not protected"):
            assert_all_routes_protected(settings)
    with site(path("orders", up), middleware=[f"{__name__}.AddsNothing"]):
        assert Client().get("/orders").status_code == 401
        assert_all_routes_protected(settings)


def test_a_view_without_a_guard_behind_a_middleware_is_protected():
    with site(path("orders", up), middleware=[MIDDLEWARE]):
        assert Client().get("/orders").status_code == 401
        assert_all_routes_protected(settings)


def test_a_view_that_allows_anybody_and_asks_for_a_token_is_named():
    with site(*GOOD, path("stock", ContradictsItself.as_view())):
        assert Client().get("/stock").status_code == 401
        with pytest.raises(AssertionError, match=r"\n  GET /stock asks for a token, .* its permission is AllowAny"):
            assert_all_routes_protected(settings)


class LetsAnybodyPass(M2MAuthentication):
    def authenticate(self, request):
        return None


def test_an_authentication_class_that_may_let_anybody_pass_is_named():
    with site(
        *GOOD, path("stock", Scoped.as_view(authentication_classes=[LetsAnybodyPass], permission_classes=[AllowAny]))
    ):
        assert Client().get("/stock").status_code == 200
        with pytest.raises(AssertionError, match=r"GET /stock .* has its own authenticate\(\)"):
            assert_all_routes_protected(settings)


def test_an_action_that_drops_its_authentication_is_named():
    with site(path("stock", Actions.as_view({"get": "list", "post": "create"}))):
        assert Client().get("/stock").status_code == 401
        assert Client().post("/stock").status_code == 200
        with pytest.raises(AssertionError, match=r"1 of 2 .*\n  POST /stock "):
            assert_all_routes_protected(settings)
