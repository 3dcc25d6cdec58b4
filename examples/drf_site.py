"""A Django REST framework API in one file, with its schema at /schema: `python examples/drf_site.py runserver`."""

import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.urls import path

from m2mguard import ResourceServer

settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    INSTALLED_APPS=["rest_framework", "drf_spectacular", "m2mguard.django"],
    M2MGUARD={"SERVER": ResourceServer.from_env()},
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["m2mguard.drf.M2MAuthentication"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
        "UNAUTHENTICATED_USER": None,  # there are no people here, and no django.contrib.auth
    },
    ROOT_URLCONF=__name__,
    SPECTACULAR_SETTINGS={"SERVE_AUTHENTICATION": [], "OAS_VERSION": "3.1.1"},
)
application = get_wsgi_application()

from drf_spectacular.views import SpectacularAPIView  # noqa: E402  # these modules read the settings when they are imported
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from m2mguard.drf import HasScopes, caller_of  # noqa: E402


class Orders(APIView):
    """The orders, for applications that may read them."""

    permission_classes = (HasScopes("read:orders"),)

    def get(self, request: Request) -> Response:
        """List them."""
        return Response({"hello": caller_of(request).app_id})


class Healthz(APIView):
    """Whether this API is up, for anybody."""

    authentication_classes = ()

    def get(self, _: Request) -> Response:
        """Tell."""
        return Response("up")


urlpatterns = [
    path("orders", Orders.as_view()),
    path("healthz", Healthz.as_view()),
    path("schema", SpectacularAPIView.as_view()),
]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
