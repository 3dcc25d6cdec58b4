"""A whole Django site in one file: `python examples/django_site.py runserver`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set."""

import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from m2mguard import ResourceServer
from m2mguard.django import MachineRequest, requires

settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    INSTALLED_APPS=["m2mguard.django"],
    M2MGUARD={"SERVER": ResourceServer.from_env(), "PUBLIC": ["/healthz"]},
    MIDDLEWARE=["m2mguard.django.M2MGuardMiddleware"],
    ROOT_URLCONF=__name__,
)


@requires("read:orders")
def orders(request: MachineRequest) -> JsonResponse:
    return JsonResponse({"hello": request.auth.app_id})


def healthz(_: HttpRequest) -> HttpResponse:
    return HttpResponse("up")


urlpatterns = [path("orders", orders), path("healthz", healthz)]
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
