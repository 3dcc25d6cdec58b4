"""The audit of views of Django REST framework against reality: each is called without a token, through the framework's test client."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings
from django.urls import include, path

from m2mguard.testing import assert_all_routes_protected
from tests import django_site
from tests.routes.audit_truth import SERVER, failing

django_site.set_up()

from rest_framework.authentication import BaseAuthentication, BasicAuthentication  # noqa: E402 - needs the settings
from rest_framework.decorators import (  # noqa: E402
    action,
    api_view,
    authentication_classes,
    permission_classes,
)
from rest_framework.exceptions import APIException  # noqa: E402
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.routers import SimpleRouter  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework.viewsets import ViewSet  # noqa: E402

from m2mguard.django import requires  # noqa: E402
from m2mguard.drf import HasScopes, M2MAuthentication  # noqa: E402


class Anybody(BaseAuthentication):
    def authenticate(self, request):
        return SimpleNamespace(is_authenticated=True), None


class Nobody(BaseAuthentication):
    def authenticate(self, request):
        return None


class ReturnsNone(M2MAuthentication):
    def authenticate(self, request):
        try:
            return super().authenticate(request)
        except APIException:
            return None


class Sometimes(M2MAuthentication):
    def authenticate(self, request):
        return super().authenticate(request) if "Authorization" in request.headers else None


class CallsSuper(M2MAuthentication):
    def authenticate(self, request):
        found = super().authenticate(request)
        request.seen = True
        return found


class OtherServer(M2MAuthentication):
    server = SERVER


class Never(BasePermission):
    def has_permission(self, request, view):
        return False


class Lenient(HasScopes("read")):  # type: ignore[misc]
    def has_permission(self, request, view):
        return True


class Orders(APIView):
    authentication_classes: Any = (M2MAuthentication,)

    def get(self, request):
        return Response("up")


class Lazy(Orders):
    def perform_authentication(self, request):
        """Wait until somebody asks for the user."""


class SkipsInitial(Orders):
    format_kwarg = None

    def initial(self, request, *args, **kwargs):
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)


class CallsInitial(Orders):
    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        self.seen = True


class ByMethod(Orders):
    def post(self, request):
        return Response("up")

    def get_authenticators(self):
        return [] if self.request and self.request.method == "POST" else super().get_authenticators()


class ByHeader(Orders):
    def get_authenticators(self):
        return super().get_authenticators() if "X-Token" in self.request.headers else []


class ByHeaderOfAny(Orders):
    def get_authenticators(self):
        return [] if getattr(self.request, "GET", None) == {} else super().get_authenticators()


def view(*authentication, permissions=None, base=Orders, **members):
    given = {} if permissions is None else {"permission_classes": permissions}
    kind: Any = type("View", (base,), {"authentication_classes": authentication} | given | members)
    return kind.as_view()


def function(*decorators):
    def orders(request):
        return Response("up")

    decorated: Any = orders
    for one in decorators:
        decorated = one(decorated)
    return api_view(["GET"])(decorated)


VIEWS = {
    "open": view(),
    "open_anybody": view(permissions=[AllowAny]),
    "guarded": view(M2MAuthentication),
    "allow_any": view(M2MAuthentication, permissions=[AllowAny]),
    "no_permissions": view(M2MAuthentication, permissions=[]),
    "authenticated": view(M2MAuthentication, permissions=[IsAuthenticated]),
    "scopes": view(M2MAuthentication, permissions=[HasScopes("read")]),
    "either": view(M2MAuthentication, permissions=[HasScopes("read") | AllowAny]),  # type: ignore[operator]
    "other_server": view(OtherServer),
    "scopes_alone": view(Nobody, permissions=[HasScopes("read")]),
    "lenient_alone": view(Nobody, permissions=[Lenient]),
    "basic_first": view(BasicAuthentication, M2MAuthentication),
    "basic_last": view(M2MAuthentication, BasicAuthentication),
    "basic_alone": view(BasicAuthentication, permissions=[AllowAny]),
    "anybody_first": view(Anybody, M2MAuthentication),
    "anybody_first_scopes": view(Anybody, M2MAuthentication, permissions=[HasScopes("read")]),
    "anybody_last": view(M2MAuthentication, Anybody),
    "returns_none": view(ReturnsNone),
    "returns_none_scopes": view(ReturnsNone, permissions=[HasScopes("read")]),
    "returns_none_first": view(ReturnsNone, M2MAuthentication),
    "sometimes": view(Sometimes),
    "calls_super": view(CallsSuper),
    "lazy": Lazy.as_view(),
    "lazy_scopes": view(M2MAuthentication, permissions=[HasScopes("read")], base=Lazy),
    "skips_initial": SkipsInitial.as_view(),
    "calls_initial": CallsInitial.as_view(),
    "by_header": ByHeader.as_view(),
    "by_header_of_any": ByHeaderOfAny.as_view(),
    "initkwargs": Orders.as_view(authentication_classes=[]),
    "initkwargs_guarded": view().cls.as_view(authentication_classes=[M2MAuthentication]),
    "function": function(),
    "function_guarded": function(authentication_classes([M2MAuthentication])),
    "function_scopes": function(authentication_classes([M2MAuthentication]), permission_classes([HasScopes("read")])),
    "decorated": requires("read")(view()),
}


def site(*patterns):
    return override_settings(
        ROOT_URLCONF=type("Urls", (), {"urlpatterns": list(patterns)}), MIDDLEWARE=[], M2MGUARD={"SERVER": SERVER}
    )


def is_open(where: str = "/orders", method: str = "GET") -> bool:
    return APIClient(raise_request_exception=False).generic(method, where).status_code == 200


# Protected in truth; the last one says of itself that it is open.
CANNOT_TELL = {"lazy_scopes", "returns_none_first", "allow_any"}


@pytest.mark.parametrize("name", VIEWS)
def test_the_audit_is_right_about_one_view(name):
    with site(path("orders", VIEWS[name])):
        found, truth = failing(WSGIHandler()), is_open()
    if name in CANNOT_TELL:
        assert (found, truth) == ({"/orders"}, False)
    else:
        assert found == ({"/orders"} if truth else set()), name


@pytest.mark.parametrize("permissions", [[Never], [IsAuthenticated]])
def test_other_permissions_are_a_doubt(permissions):
    with site(path("orders", view(BasicAuthentication, permissions=permissions))):
        assert not is_open()
        with pytest.raises(AssertionError, match=r"cannot tell: .* may ask for something"):
            assert_all_routes_protected(WSGIHandler())


def test_authenticators_are_asked_for_each_method():
    with site(path("orders", ByMethod.as_view())):
        assert (is_open(), is_open(method="POST")) == (False, True)
        with pytest.raises(AssertionError) as caught:
            assert_all_routes_protected(WSGIHandler())
    assert "  POST /orders is not protected" in str(caught.value)
    assert "  GET /orders asks for a token" in str(caught.value)


class Set(ViewSet):
    authentication_classes: Any = (M2MAuthentication,)

    def list(self, request):
        return Response("up")

    def retrieve(self, request, pk=None):
        return Response("up")

    def create(self, request):
        return Response("up")

    @action(detail=False, authentication_classes=[], permission_classes=[AllowAny])
    def health(self, request):
        return Response("up")

    @action(detail=False, methods=["get", "post"], permission_classes=[HasScopes("read")])
    def report(self, request):
        return Response("up")


class ByPermission(Set):
    def get_permissions(self):
        return [AllowAny()] if self.action == "list" else [HasScopes("write")()]


class ByAction(Set):
    def get_authenticators(self):
        return [] if self.action_map.get(self.request.method.lower()) == "list" else super().get_authenticators()


class TooEarly(Set):
    def get_authenticators(self):
        return [] if self.action == "list" else super().get_authenticators()


def routed(kind):
    router = SimpleRouter()
    router.register("orders", kind, basename="orders")
    return path("v1/", include(router.urls))


PATHS = ("/v1/orders/", "/v1/orders/health/", "/v1/orders/report/", "/v1/orders/a/")


OPENED: dict[Any, set[str]] = {
    Set: {"/v1/orders/health/"},
    ByPermission: set(),
    ByAction: {"/v1/orders/", "/v1/orders/health/"},
}


@pytest.mark.parametrize("kind", OPENED)
def test_each_action_of_a_view_set_is_asked(kind):
    with site(routed(kind)):
        opened = {where for where in PATHS if is_open(where)}
        assert opened == OPENED[kind]
        assert failing(WSGIHandler()) == opened
        assert not is_open("/v1/orders/", "POST")
        assert failing(WSGIHandler(), except_=["/v1/orders/health/", "GET /v1/orders/"]) == set()


def test_a_view_set_that_wants_its_action_too_early_is_a_doubt():
    with site(routed(TooEarly)):
        assert not is_open("/v1/orders/")  # which ends in an error
        with pytest.raises(AssertionError, match=r"get_authenticators\(\) raised AttributeError without a request"):
            assert_all_routes_protected(WSGIHandler())


def test_a_handler_for_head_of_its_own_is_called():
    class Own(Set):
        def get_authenticators(self):
            return [] if self.request.method == "HEAD" else super().get_authenticators()

    with site(path("orders", Own.as_view({"get": "list", "head": "create"}))):
        assert (is_open(), is_open(method="HEAD")) == (False, True)
        assert failing(WSGIHandler(), except_=["HEAD /orders"]) == set()
        assert failing(WSGIHandler()) == {"/orders"}


def test_a_view_that_asks_for_no_more_than_a_token_can_be_found():
    with site(path("any", VIEWS["allow_any"]), path("scopes", VIEWS["scopes"])):
        assert failing(WSGIHandler(), any_token_is_enough=False) == {"/any"}
        with pytest.raises(AssertionError, match="its permission is AllowAny"):
            assert_all_routes_protected(WSGIHandler(), any_token_is_enough=False)


def test_where_a_view_is_served_is_in_the_message():
    health = Set.as_view({"get": "health"}, authentication_classes=[], permission_classes=[])
    with site(path("orders", VIEWS["open"]), path("set", health)), pytest.raises(AssertionError) as caught:
        assert_all_routes_protected(WSGIHandler())
    assert f"({__name__}:View)" in str(caught.value)
    assert f"({__name__}:Set.health)" in str(caught.value)
