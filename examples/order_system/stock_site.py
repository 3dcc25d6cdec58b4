"""The second API, in Django: knows how many of a thing there are, and tells it to applications with the scope `read:stock`."""

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIHandler
from django.http import JsonResponse
from django.urls import path

from m2mguard import ResourceServer
from m2mguard.django import MachineRequest, requires

AUDIENCE = "https://stock.api"


@requires("read:stock")
def read_stock(request: MachineRequest, thing: str) -> JsonResponse:
    return JsonResponse({"thing": thing, "in_stock": len(thing), "asked_by": request.auth.app_id})


urlpatterns = [path("stock/<thing>", read_stock)]


def create_app(server: ResourceServer) -> ASGIHandler:
    """The site, protected by `server`. In a project these are lines of `settings.py` and `asgi.py`."""
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        INSTALLED_APPS=["m2mguard.django"],
        M2MGUARD={"SERVER": server},
        ROOT_URLCONF=__name__,
    )
    django.setup()
    return get_asgi_application()
