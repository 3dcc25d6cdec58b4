"""The contract's application in Django for a server process: `wsgi` and `asgi`."""

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings

from m2mguard import ResourceServer
from m2mguard.testing.contract._environment import NOW
from tests import django_site

django_site.set_up()

from tests.contract.django_harnesses import DjangoMiddleware  # noqa: E402  # imports Django REST framework, which reads the settings

override_settings(
    M2MGUARD={"SERVER": ResourceServer.from_env(clock=lambda: NOW), "PUBLIC": ["/healthz", "/docs/"]},
    MIDDLEWARE=DjangoMiddleware.middleware,
    ROOT_URLCONF=DjangoMiddleware()._urls(lambda view: view),
).enable()
wsgi = WSGIHandler()
asgi = ASGIHandler()
