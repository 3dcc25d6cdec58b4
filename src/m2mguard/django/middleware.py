"""`M2MGuardMiddleware`: every path of a Django site asks for a token, but those that the settings make public."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from m2mguard.django.configuration import Configuration, current
from m2mguard.django.requests import aadmit, admit, response_of
from m2mguard.wsgi import asks_for


class M2MGuardMiddleware:
    """Protects a whole site, unknown paths included. Sync and async; stands before `CsrfViewMiddleware`, best of all first.

    The Caller is at `request.auth`, and absent on public paths; `request.user` is left alone. A request with a good token needs
    no CSRF token. In the setting `M2MGUARD`: `PUBLIC`, the paths that need no token (an entry that ends in "/" opens everything
    below it, any other one exact path; default none); `REQUIRES`, a `Requirement` (default `Requirement()`; a callable
    organization is given the HttpRequest, before its URL is resolved); `PREFLIGHT`, "protect" (default) or "exempt". With a
    `RESOURCE_URL` the API's metadata is served here, to anybody (RFC 9728).
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Serve one request."""
        return self._acall(request) if self._is_async else self._call(request)

    def _call(self, request: HttpRequest) -> HttpResponseBase:
        configuration = current()
        answer = _metadata(request, configuration)
        if answer is None and not _is_open(request, configuration):
            answer = admit(request, configuration.server, configuration.requires)
            _pass_csrf(request)
        response: HttpResponseBase = answer or self.get_response(request)
        return response

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        configuration = current()
        answer = _metadata(request, configuration)
        if answer is None and not _is_open(request, configuration):
            answer = await aadmit(request, configuration.server, configuration.requires)
            _pass_csrf(request)
        response: HttpResponseBase = answer or await self.get_response(request)
        return response


def _metadata(request: HttpRequest, configuration: Configuration) -> HttpResponse | None:
    metadata = configuration.server.resource_metadata
    if metadata is None or not asks_for(metadata, request.META, raw_path=_raw_path(request)):
        return None
    return response_of(metadata.answer, request)


def _is_open(request: HttpRequest, configuration: Configuration) -> bool:
    return configuration.exemptions.cover(request.META, raw_path=_raw_path(request))


def _raw_path(request: HttpRequest) -> bytes | None:
    """ASGI's; a WSGI server puts it into META."""
    raw_path: bytes | None = getattr(request, "scope", {}).get("raw_path")
    return raw_path


def _pass_csrf(request: HttpRequest) -> None:
    """No browser adds a bearer token by itself, so a request that carries one was not forged by another site."""
    request.csrf_processing_done = True  # type: ignore[attr-defined]
