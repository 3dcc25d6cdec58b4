"""For the tests of a service that calls protected APIs with httpx2: a transport that answers as such an API does, without HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard.caller import Caller
from m2mguard.errors import AnswerableError

try:
    import httpx2
except ImportError as _missing:
    raise ImportError('m2mguard.testing.httpx2 needs httpx2: pip install "m2mguard[httpx2]"') from _missing

__all__ = ["ProtectedApi"]

Handler = Callable[[httpx2.Request, Caller], httpx2.Response]


class ProtectedApi(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Answers as an API behind m2mguard: a good token reaches the handler, any other gets the real 400, 401, 403 or 503.

    `httpx2.Client(transport=ProtectedApi(server, handler), auth=TokenAuth(source, "https://stock.example"))`; so for `AsyncClient`.

    Args:
        server: verifies the tokens, such as a `TestServer`.
        handler: called with the request and the Caller; returns the response. Default: 200 and `{"app_id": ...}`.
        requires: what each request must meet. Default None: `Requirement()`.
        certificate: with which all requests come, in DER form, for tokens that are bound to one (RFC 8705). Default None.

    Attributes:
        requests: every request, in order, also those that were refused.
        callers: who sent those that reached the handler, in order.
    """

    def __init__(
        self,
        server: ResourceServer,
        handler: Handler | None = None,
        *,
        requires: Requirement | None = None,
        certificate: bytes | None = None,
    ) -> None:
        self._server = server
        self._handler = handler or _app_id
        self._requires = requires
        self._certificate = certificate
        self.requests: Final[list[httpx2.Request]] = []
        self.callers: Final[list[Caller]] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request of a `Client`. Blocks as `ResourceServer.authenticate` does."""
        request.read()
        self.requests.append(request)
        try:
            caller = self._server.authenticate(
                requirement=self._requires,
                **self._arguments(request),
            )
        except AnswerableError as error:
            return self._refused(error)
        return self._let_in(request, caller)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request of an `AsyncClient`."""
        await request.aread()
        self.requests.append(request)
        try:
            caller = await self._server.aauthenticate(
                requirement=self._requires,
                **self._arguments(request),
            )
        except AnswerableError as error:
            return self._refused(error)
        return self._let_in(request, caller)

    def _arguments(self, request: httpx2.Request) -> dict[str, Any]:
        return {
            "headers": [value for name, value in request.headers.raw if name.lower() == b"authorization"],
            "request": request,
            "route": (request.method, request.url.path),
            "head": _Head(request),
            "certificate": lambda _: self._certificate,
        }

    def _let_in(self, request: httpx2.Request, caller: Caller) -> httpx2.Response:
        self.callers.append(caller)
        return self._handler(request, caller)

    def _refused(self, error: AnswerableError) -> httpx2.Response:
        answer = self._server.answer(error)
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.body)


class _Head:
    """The head of a request, as a server's adapter reads it."""

    def __init__(self, request: httpx2.Request) -> None:
        self.method: str = request.method
        self.path: dict[str, Any] = {
            "path": request.url.path.encode(),
            "raw_path": request.url.raw_path.partition(b"?")[0],
        }
        self.fields: list[tuple[str, str]] = request.headers.multi_items()
        self.query: str = request.url.query.decode("latin-1")
        self.peer: str | None = None


def _app_id(_request: httpx2.Request, caller: Caller) -> httpx2.Response:
    return httpx2.Response(200, json={"app_id": caller.app_id})


def __dir__() -> list[str]:
    return sorted(__all__)
