"""The URL pattern of the API's metadata (RFC 9728), for sites without the middleware, which serves it by itself."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from m2mguard.django.configuration import resource_server
from m2mguard.django.requests import response_of
from m2mguard.errors import ConfigurationError


def resource_metadata() -> URLPattern:
    """The pattern under which anybody finds the metadata: `urlpatterns = [resource_metadata(), ...]`, in the site's own URLconf.

    Raises:
        ConfigurationError: the setting has no `RESOURCE_URL`, or is invalid.
    """
    metadata = resource_server().resource_metadata
    if metadata is None:
        raise ConfigurationError("there is no metadata to serve: give RESOURCE_URL in the setting M2MGUARD.")
    answer = metadata.answer

    @login_not_required
    @require_safe
    def document(request: HttpRequest) -> HttpResponse:
        return response_of(answer, request)

    pattern: URLPattern = path(metadata.path.removeprefix("/"), document, name="m2mguard_resource_metadata")
    return pattern
