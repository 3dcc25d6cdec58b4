"""What a Django site can serve itself: a view for readiness probes, and the URL pattern of the API's metadata (RFC 9728).

A site with the middleware needs no pattern for the metadata: the middleware serves it.
"""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from m2mguard.django._guard import response_of
from m2mguard.django._settings import resource_server
from m2mguard.errors import ConfigurationError

__all__ = ["readiness", "resource_metadata"]


@login_not_required
def readiness(request: HttpRequest) -> HttpResponse:
    """Answer 200 if tokens can be checked, else 503: `path("readyz", readiness)`.

    It never waits; where there are no usable keys it starts a fetch in the background. See `ResourceServer.readiness`.
    """
    return response_of(resource_server().readiness(), request)


def resource_metadata() -> URLPattern:
    """The URL pattern of the metadata, for the site's own URLconf: `urlpatterns = [resource_metadata(), ...]`.

    Raises:
        ConfigurationError: the setting has no `RESOURCE_URL`, or is invalid.
    """
    metadata = resource_server().resource_metadata
    if metadata is None:
        raise ConfigurationError("There is no metadata to serve: give RESOURCE_URL in the setting M2MGUARD.")
    answer = metadata.answer

    @login_not_required
    @require_safe
    def document(request: HttpRequest) -> HttpResponse:
        return response_of(answer, request)

    pattern: URLPattern = path(metadata.path.removeprefix("/"), document, name="m2mguard_resource_metadata")
    return pattern


def __dir__() -> list[str]:
    return sorted(__all__)
