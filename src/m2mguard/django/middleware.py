"""`M2MGuardMiddleware`: every path of a Django site asks for a token, but those that the settings make public."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from m2mguard.django._guard import aauthenticate_request, authenticate_request, response_of
from m2mguard.django._settings import DjangoSettings, current
from m2mguard.wsgi import Head

__all__ = ["M2MGuardMiddleware"]

_PREFLIGHT: Final = "_m2mguard_preflight"  # on a request that passed as a preflight, without a token


class M2MGuardMiddleware:
    """Protects a whole site, unknown paths included. Sync and async; goes before `CsrfViewMiddleware`, best of all first.

    The Caller is at `request.auth`, and absent on public paths; `request.user` is left alone. A request with a good token needs
    no CSRF token. In the setting `M2MGUARD`: `PUBLIC`, the paths that need no token (an entry that ends in "/" opens all paths
    below it, any other one exact path; methods may come before it, as in "GET /reports/"; default none); `REQUIRES`, a
    `Requirement` (default `Requirement()`; a callable organization is given the HttpRequest, before its URL is resolved);
    `PREFLIGHT`, "protect" (default) or "exempt": CORS preflights reach the middleware below without a token, but no view, and
    only the status and fields of the answer are sent. With a `RESOURCE_URL` the API's metadata is served here, to anybody (RFC 9728).

    Raises:
        ConfigurationError: the setting is missing or invalid. Django builds its middleware when the server starts.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        self._exempts_preflights = current().exemptions.preflights
        if self._exempts_preflights:  # Django calls this on every request, so it is there only where it is needed
            self.process_view: Callable[..., Any] = _aguard_view if self._is_async else _guard_view

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Serve one request."""
        return self._acall(request) if self._is_async else self._call(request)

    def _call(self, request: HttpRequest) -> HttpResponseBase:
        configuration = current()
        answer = _metadata(request, configuration)
        if answer is None and not self._is_open(request, configuration):
            answer = authenticate_request(request, configuration.server, configuration.requires)
            _pass_csrf(request)
        response: HttpResponseBase = answer or self.get_response(request)
        return _head_of(response) if hasattr(request, _PREFLIGHT) else response

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        configuration = current()
        answer = _metadata(request, configuration)
        if answer is None and not self._is_open(request, configuration):
            answer = await aauthenticate_request(request, configuration.server, configuration.requires)
            _pass_csrf(request)
        response: HttpResponseBase = answer or await self.get_response(request)
        return _head_of(response) if hasattr(request, _PREFLIGHT) else response

    def _is_open(self, request: HttpRequest, configuration: DjangoSettings) -> bool:
        # `path_info` is what Django's router sees; `META` may show it as Latin-1.
        path = request.path_info.encode("utf-8", "surrogatepass")
        head = Head(request.META, path=path, raw_path=_raw_path(request))
        if configuration.exemptions.is_public(head):
            return True
        if self._exempts_preflights and configuration.exemptions.is_exempt_preflight(head):
            setattr(request, _PREFLIGHT, True)
            return True
        return False


def _guard_view(request: HttpRequest, *_: object) -> HttpResponse | None:
    """Refuse a preflight that nothing below has answered, before a view does: the view needs a token, as for any request."""
    if not hasattr(request, _PREFLIGHT):
        return None
    delattr(request, _PREFLIGHT)
    configuration = current()
    return authenticate_request(request, configuration.server, configuration.requires)


async def _aguard_view(request: HttpRequest, *_: object) -> HttpResponse | None:
    """As `_guard_view`."""
    if not hasattr(request, _PREFLIGHT):
        return None
    delattr(request, _PREFLIGHT)
    configuration = current()
    return await aauthenticate_request(request, configuration.server, configuration.requires)


def _head_of(response: Any) -> Any:
    """What is sent of the answer to an exempt preflight: status and fields, which is all that CORS needs."""
    if response.streaming:
        response.streaming_content = ()
    else:
        response.content = b""
    response.headers.pop("Content-Length", None)
    return response


def _metadata(request: HttpRequest, configuration: DjangoSettings) -> HttpResponse | None:
    metadata = configuration.server.resource_metadata
    if metadata is None or not Head(request.META, raw_path=_raw_path(request)).asks_for(metadata):
        return None
    return response_of(metadata.answer, request)


def _raw_path(request: HttpRequest) -> bytes | None:
    """ASGI's; a WSGI server puts it into META."""
    raw_path: bytes | None = getattr(request, "scope", {}).get("raw_path")
    return raw_path


def _pass_csrf(request: HttpRequest) -> None:
    """No browser adds a bearer token by itself, so a request that carries one was not forged by another site."""
    request.csrf_processing_done = True  # type: ignore[attr-defined]


def __dir__() -> list[str]:
    return sorted(__all__)
