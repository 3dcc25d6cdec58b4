"""A view for readiness probes. It never waits and never calls the issuer."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse

from m2mguard.django.configuration import resource_server


@login_not_required
def readiness(request: HttpRequest) -> HttpResponse:
    """Answer 200 when tokens can be checked, else 503: `path("readyz", readiness)`. See `ResourceServer.readiness`."""
    answer = resource_server().readiness()
    body = b"" if request.method == "HEAD" else answer.body
    return HttpResponse(body, status=answer.status, headers=dict(answer.headers))
