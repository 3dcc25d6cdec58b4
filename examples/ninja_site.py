"""A Django Ninja API in one file: `python examples/ninja_site.py runserver`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set."""

import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest
from django.urls import path

from m2mguard import ResourceServer

settings.configure(ALLOWED_HOSTS=["localhost", "127.0.0.1"], ROOT_URLCONF=__name__)

from ninja import NinjaAPI  # noqa: E402 - needs the settings

from m2mguard.django import MachineRequest  # noqa: E402
from m2mguard.ninja import M2MAuth  # noqa: E402

api = NinjaAPI(auth=M2MAuth(ResourceServer.from_env(), "read:orders"))


@api.get("/orders")
def orders(request: MachineRequest) -> dict[str, str]:
    return {"hello": request.auth.app_id}


@api.get("/healthz", auth=None)
def healthz(request: HttpRequest) -> str:
    return "up"


urlpatterns = [path("", api.urls)]
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
