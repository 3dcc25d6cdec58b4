"""The audit of a Django site against reality: each path is called without a token, through Django's own test client."""

import functools
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import include, path, re_path
from django.utils.decorators import method_decorator
from django.utils.deprecation import MiddlewareMixin
from django.views import View
from django.views.decorators.cache import cache_page, never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_GET
from django.views.generic import RedirectView
from django.views.static import serve

from m2mguard import Requirement
from m2mguard.testing import assert_all_routes_protected
from m2mguard.wsgi import BearerAuthMiddleware
from tests import django_site
from tests.routes.audit_truth import SERVER, failing

django_site.set_up()

from m2mguard.django import M2MGuardMiddleware, requires  # noqa: E402 - needs the settings
from m2mguard.django.views import readiness, resource_metadata  # noqa: E402 - needs the settings

GUARD = "m2mguard.django.M2MGuardMiddleware"


def up(request, **_):
    return HttpResponse("up")


async def async_up(request):
    return HttpResponse("up")


guarded = requires("read")(up)


class Class(View):
    def get(self, request, **_):
        return HttpResponse("up")


class Post(Class):
    @method_decorator(requires("read"))
    def get(self, request, **_):
        return HttpResponse("up")

    def post(self, request):
        return HttpResponse("up")


def answering(view):
    @functools.wraps(view)
    def around(request, **kwargs):
        return view(request, **kwargs) if "X-Token" in request.headers else HttpResponse("up")

    return around


def logging(view):
    @functools.wraps(view)
    def logged(request, **kwargs):
        response = view(request, **kwargs)
        response["X-Logged"] = "1"
        return response

    return logged


def hiding(view):
    def hidden(request, **_):
        return HttpResponse("up")

    hidden.__dict__.update(vars(view))
    return hidden


def dispatched(*decorators: Any, base: Any = Class, **members: Any) -> Any:
    kind: Any = type("Dispatched", (base,), members)
    return method_decorator(decorators, name="dispatch")(kind).as_view()


class OwnDispatch(Post):
    def dispatch(self, request, *args, **kwargs):
        return HttpResponse("up")


class CallsSuper(Post):
    def dispatch(self, request, *args, **kwargs):
        response = super().dispatch(request, *args, **kwargs)
        response["X-Seen"] = "1"
        return response


@method_decorator(requires("read"), name="dispatch")
class Guarded(Class):
    pass


class Below(Guarded):
    def dispatch(self, request, *args, **kwargs):
        return super().dispatch(request, *args, **kwargs)


class Beside(Guarded):
    def dispatch(self, request, *args, **kwargs):
        return HttpResponse("up")


class Inherits(Guarded):
    def post(self, request):
        return HttpResponse("up")


class AsyncClass(View):
    async def get(self, request):
        return HttpResponse("up")


@method_decorator(requires("read"), name="dispatch")
class AsyncGuarded(AsyncClass):
    pass


VIEWS = {
    "open": up,
    "guarded": guarded,
    "async": async_up,
    "async_guarded": requires("read")(async_up),
    "class": Class.as_view(),
    "post_beside": Post.as_view(),
    "around_class": requires("read")(Class.as_view()),
    "dispatch": dispatched(requires("read")),
    "dispatch_order": dispatched(requires("read"), answering),
    "dispatch_answers": dispatched(answering, requires("read")),
    "dispatch_logs": dispatched(logging, requires("read")),
    "dispatch_cached": dispatched(cache_page(60), requires("read")),
    "dispatch_uncached": dispatched(never_cache, requires("read")),
    "own_dispatch": OwnDispatch.as_view(),
    "calls_super": CallsSuper.as_view(),
    "below": Below.as_view(),
    "beside": Beside.as_view(),
    "inherits": Inherits.as_view(),
    "async_class": AsyncClass.as_view(),
    "async_class_guarded": AsyncGuarded.as_view(),
    "require_get": require_GET(guarded),
    "never_cached": never_cache(guarded),
    "csrf": csrf_protect(guarded),
    "answering": answering(guarded),
    "logging": logging(guarded),
    "hiding": hiding(guarded),
}
DOUBTFUL = {
    "post_beside",
    "own_dispatch",
    "calls_super",
    "dispatch_cached",
}  # a method, or a cache that holds nothing yet


def site(*patterns: Any) -> type:
    return type("Urls", (), {"urlpatterns": list(patterns)})


def overriding(urls: type, *middleware: Any, public: Any = (), **setting: Any) -> Any:
    names = [one if isinstance(one, str) else f"{__name__}.{one.__name__}" for one in middleware]
    return override_settings(
        ROOT_URLCONF=urls, MIDDLEWARE=names, M2MGUARD={"SERVER": SERVER, "PUBLIC": public, **setting}
    )


def is_open(where: str, method: str = "GET") -> bool:
    return Client().generic(method, where).status_code == 200


@pytest.mark.parametrize("name", VIEWS)
def test_the_audit_is_right_about_one_view(name):
    with overriding(site(path("orders", VIEWS[name]))):
        found = failing(WSGIHandler())
        assert found == failing(ASGIHandler()) == failing(settings)
        truth = is_open("/orders") or (name != "inherits" and is_open("/orders", "POST"))
        assert found == ({"/orders"} if truth or name == "dispatch_cached" else set()), name


def test_a_cache_above_the_guard_is_a_doubt():
    expected = r"cannot tell: asks for scope \"read\", but .* is above the guard"
    with overriding(site(path("orders", cache_page(60)(guarded)))), pytest.raises(AssertionError, match=expected):
        assert_all_routes_protected(WSGIHandler())


def test_the_methods_of_a_class_are_named_one_by_one():
    class Own(Post):
        def head(self, request):
            return HttpResponse("")

        def options(self, request):
            return HttpResponse("up")

    with overriding(site(path("orders", Own.as_view()))):
        opened = {one for one in ("GET", "HEAD", "OPTIONS", "POST") if is_open("/orders", one)}
        assert opened == {"HEAD", "OPTIONS", "POST"}
        with pytest.raises(AssertionError) as caught:
            assert_all_routes_protected(WSGIHandler())
        assert failing(WSGIHandler(), except_=["HEAD,OPTIONS,POST /orders"]) == set()
    for method in opened:
        assert f"\n  {method} /orders is not protected: nothing asks for a token  ({__name__}:" in str(caught.value)


def test_options_alone_is_found():
    class Own(View):
        def options(self, request):
            return HttpResponse("up")

    with overriding(site(path("orders", Own.as_view()))):
        assert is_open("/orders", "OPTIONS")
        assert failing(WSGIHandler()) == {"/orders"}


def test_included_patterns_converters_and_regular_expressions_are_named():
    inner = [path("<int:id>/open", up), path("<int:id>", guarded), re_path(r"^(?P<name>[a-z]+)/$", up, name="name")]
    urls = site(path("v1/", include((inner, "v1"), namespace="v1")), re_path(r"^v2/", include(inner)), path("", up))
    with overriding(urls):
        named = {"/v1/<int:id>/open", "/v1/(?P<name>[a-z]+)/", "/v2/<int:id>/open", "/v2/(?P<name>[a-z]+)/", "/"}
        for one in ("/v1/3/open", "/v1/a/", "/v2/3/open", "/v2/a/", "/"):
            assert is_open(one)
        assert not is_open("/v1/3")
        assert failing(WSGIHandler()) == named
        assert failing(WSGIHandler(), except_=["/v1/", "/v2/<int:id>/open", "/"]) == {"/v2/(?P<name>[a-z]+)/"}
        assert failing(WSGIHandler(), except_=["/v1/<int:id>/", "/v2/"]) == {"/v1/(?P<name>[a-z]+)/", "/"}


@pytest.mark.parametrize(
    ("pattern", "called", "public"),
    [
        (path("docs/orders", up), "/docs/orders", ["/docs/"]),
        (path("docs/<name>", up), "/docs/a", ["/docs/"]),
        (path("<name>", up), "/me", ["/me"]),
        (path("<path:name>", up), "/docs/a/b", ["/docs/"]),
        (path("orders", up), "/orders", ["GET /orders"]),
        (path("orders", up), "/orders", ["/order"]),
        (path("users/<name>/orders", up), "/users/a/orders", ["/users/me"]),
        (re_path(r"^docs/.*$", up), "/docs/a", ["/docs/"]),
        (re_path(r"^(?P<name>docs|health)/$", up), "/health/", ["/health/", "/health"]),
        (re_path(r"^.*$", up), "/me", ["/me"]),
        (re_path(r"", up), "/me", ["/me"]),
        (re_path(r"orders", up), "/docs/orders", ["/docs/"]),
        (re_path(r"^do[c]s$", up), "/docs", ["/docs"]),
        (re_path(r"^orders$", up), "/orders", ["/docs"]),
        (re_path(r"^orders/(\d+)$", up), "/orders/3", ["/docs/"]),
    ],
)
def test_a_public_path_opens_the_views_below_it(pattern, called, public):
    with overriding(site(pattern), GUARD, public=public):
        assert bool(failing(WSGIHandler())) is is_open(called)
        assert failing(WSGIHandler(), except_=["/"]) == failing(WSGIHandler()) - {"/"}


def test_a_view_beside_the_middleware_is_behind_it():
    with overriding(site(path("orders", up), path("a", guarded)), GUARD, REQUIRES=Requirement(scopes=["read"])):
        assert failing(WSGIHandler(), any_token_is_enough=False) == set()
        assert not is_open("/orders")


class LetsPass(M2MGuardMiddleware):
    def __call__(self, request):
        return self.get_response(request)


class IsOpen(M2MGuardMiddleware):
    def _is_open(self, request, configuration):
        return True


class Renamed(M2MGuardMiddleware):
    """The same by another name."""


class Timed:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        response["X-Time"] = "1"
        return response


class Answers(Timed):
    def __call__(self, request):
        return HttpResponse("up")


class AnswersEarly(MiddlewareMixin):
    def process_request(self, request):
        return HttpResponse("up")


class Looks(MiddlewareMixin):
    def process_request(self, request):
        request.seen = True

    def process_response(self, request, response):
        return response


class AnswersAsView(MiddlewareMixin):
    def process_view(self, request, *_: Any):
        return HttpResponse("up")


class Hybrid(Timed):
    def __call__(self, request):
        if iscoroutinefunction(self.get_response):
            return self.__acall__(request)
        return self.get_response(request)

    async def __acall__(self, request):
        return await self.get_response(request)


def timed(get_response):
    def middleware(request):
        response = get_response(request)
        response["X-Time"] = "1"
        return response

    return middleware


def answers(get_response):
    def middleware(request):
        return HttpResponse("up")

    return middleware


@pytest.mark.parametrize(
    ("middleware", "path_named"),
    [
        ([GUARD], ""),
        ([Renamed], ""),
        ([LetsPass], "/orders"),
        ([IsOpen], "/orders"),
        ([LetsPass, GUARD], ""),
        ([Timed, GUARD], ""),
        ([timed, Looks, "django.middleware.common.CommonMiddleware", GUARD], ""),
        ([Answers, GUARD], "/*"),
        ([answers, GUARD], "/*"),
        ([AnswersEarly, GUARD], "/*"),
        ([GUARD, Answers, answers, AnswersEarly, AnswersAsView], ""),
        ([AnswersAsView, Hybrid, GUARD], ""),
    ],
)
def test_the_order_of_middleware_counts(middleware, path_named, monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(**globals()))
    with overriding(site(path("orders", up)), *middleware):
        assert is_open("/orders") is bool(path_named)
        assert failing(WSGIHandler()) == ({path_named} - {""})


def test_a_process_view_above_the_guard_of_a_view_is_found(monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(**globals()))
    with overriding(site(path("orders", guarded)), Hybrid):
        assert (failing(WSGIHandler()), is_open("/orders")) == (set(), False)
    with overriding(site(path("orders", guarded)), AnswersAsView):
        assert (failing(WSGIHandler()), is_open("/orders")) == ({"/*"}, True)


def test_a_cache_above_the_middleware_is_a_doubt():
    cache = "django.middleware.cache.FetchFromCacheMiddleware"
    with overriding(site(path("orders", up)), cache, GUARD):
        assert failing(WSGIHandler()) == {"/*"}
    update = "django.middleware.cache.UpdateCacheMiddleware"
    with overriding(site(path("orders", up)), update, GUARD, cache):
        assert failing(WSGIHandler()) == set()


def test_what_is_around_the_handler_counts():
    with overriding(site(path("orders", up))):
        assert failing(BearerAuthMiddleware(WSGIHandler(), SERVER)) == set()
        assert failing(BearerAuthMiddleware(WSGIHandler(), SERVER, public=["/orders"])) == {"/orders"}


def test_our_own_views_and_files_are_not_looked_at():
    server = type(SERVER)("https://tenant.example/oidc", audience="https://a.api", resource_url="https://a.api")
    with override_settings(M2MGUARD={"SERVER": server}, MIDDLEWARE=[]):
        urls = site(
            resource_metadata(),
            path("ready", readiness),
            re_path(r"^static/(?P<path>.*)$", serve),
            path("orders", guarded),
        )
        with override_settings(ROOT_URLCONF=urls):
            assert is_open("/.well-known/oauth-protected-resource")
            assert failing(WSGIHandler()) == set()


def test_a_namespace_that_is_called_admin_is_not_the_admin():
    with overriding(site(path("admin/", include(([path("orders", up), path("a", guarded)], "admin"))))):
        assert is_open("/admin/orders")
        assert failing(WSGIHandler()) == {"/admin/orders"}


def test_a_view_among_those_of_the_admin_is_found():
    from django.contrib.admin.sites import AdminSite

    class Site(AdminSite):
        def get_urls(self):
            return [path("mine", self.admin_view(up)), path("orders", up), *super().get_urls()]

    with overriding(site(path("admin/", Site().urls))):
        assert is_open("/admin/orders")
        assert "/admin/orders" in failing(WSGIHandler())
        assert failing(WSGIHandler(), except_=["/admin/orders", "/admin/mine"]) == set()


def test_prefixes_of_exceptions_are_paths_as_the_site_writes_them():
    urls = site(path("docs", up), path("docs/<slug:page>", up), path("docs/<slug:page>/x", up))
    with overriding(urls):
        assert failing(WSGIHandler(), except_=["/docs/"]) == {"/docs"}
        assert failing(WSGIHandler(), except_=["/docs/<slug:page>"]) == {"/docs", "/docs/<slug:page>/x"}
        assert failing(WSGIHandler(), except_=["GET /docs/"]) == {"/docs", "/docs/<slug:page>", "/docs/<slug:page>/x"}
        assert failing(WSGIHandler(), except_=["/docs/a"]) == {"/docs", "/docs/<slug:page>", "/docs/<slug:page>/x"}


def test_a_public_head_beside_a_protected_get_is_found():
    with overriding(site(path("orders", Class.as_view()), path("f", up)), GUARD, public=["HEAD /orders", "HEAD /f"]):
        assert is_open("/orders", "HEAD")
        assert not is_open("/orders")
        assert failing(WSGIHandler()) == {"/orders", "/f"}
        assert failing(WSGIHandler(), except_=["HEAD /orders", "/f"]) == set()


def test_the_views_that_django_brings_are_called_too():
    with overriding(site(path("orders", RedirectView.as_view(url="/")), path("a", requires()(RedirectView.as_view())))):
        assert Client().get("/orders").status_code == 302
        assert failing(WSGIHandler()) == {"/orders"}
        with pytest.raises(AssertionError, match="DELETE,GET,OPTIONS,PATCH,POST,PUT /orders is not protected"):
            assert_all_routes_protected(WSGIHandler())
