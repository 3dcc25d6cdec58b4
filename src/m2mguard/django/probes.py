"""A view for readiness probes. It never waits and never calls the issuer."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse

from m2mguard.django.configuration import resource_server
from m2mguard.django.requests import response_of


@login_not_required
def readiness(request: HttpRequest) -> HttpResponse:
    """Answer 200 when tokens can be checked, else 503: `path("readyz", readiness)`. See `ResourceServer.readiness`."""
    return response_of(resource_server().readiness(), request)
