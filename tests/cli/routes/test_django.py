"""The survey of a Django site against reality, with and without the middleware."""

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import include, path

from m2mguard import Requirement, ResourceServer
from m2mguard.cli.routes import survey
from tests import django_site

django_site.set_up()

from rest_framework.response import Response  # noqa: E402 - needs the settings
from rest_framework.views import APIView  # noqa: E402

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
