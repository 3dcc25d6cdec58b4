"""Django Ninja's side: one authentication class for an API, a router or an operation. `request.auth` is the Caller.

Nothing is decided about tokens or answers here.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Collection, Generator
from typing import Any

try:
    from django.http import HttpRequest, HttpResponse
    from ninja.errors import HttpError
    from ninja.operation import Operation
    from ninja.security.base import AuthBase
except ImportError as _missing:
    raise ImportError('m2mguard.ninja needs Django Ninja: pip install "m2mguard[ninja]"') from _missing

from m2mguard._server.adapter_arguments import check_arguments
from m2mguard._server.answers import Answer
from m2mguard._server.requirement import HasUrl, Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.route_marks import RouteGuard, mark
from m2mguard.caller import Caller
from m2mguard.certificates import CertificateReader
from m2mguard.django._guard import response_of
from m2mguard.errors import AnswerableError
from m2mguard.wsgi import arguments_of

__all__ = ["M2MAuth", "RefusedRequest"]


class _Refused(HttpError):
    """What our exception handler is registered for, so that an API's own handler of `RefusedRequest` comes first."""

    def __init__(self, refusal: AnswerableError, answer: Answer) -> None:
        super().__init__(answer.status, refusal.description)
        self.refusal = refusal
        self.answer = answer


class RefusedRequest(_Refused):
    """A request that was refused, for an API's own handler: `@api.exception_handler(RefusedRequest)`. Without one, `answer` is sent.

    Attributes:
        refusal: the error behind it, whose `reason` is for the operator only.
        answer: the answer to the caller: status, headers, body.
    """


class M2MAuth(AuthBase):
    """Asks for a good bearer token: `NinjaAPI(auth=M2MAuth(server))`, `@api.post("/orders", auth=M2MAuth(server, "write:orders"))`.

    What is nearest counts: the `auth` of an operation replaces that of its router, and that of the API. `request.auth` is the Caller. A
    request without a good token is refused, so beside other authentication classes this one is the last. No request needs a CSRF token.

    A sync operation may block for as long as `KeyCaching` allows; an async one awaits. Safe to share between operations, APIs, threads and
    event loops.

    Args:
        server: verifies tokens and words the answers; `m2mguard.django.resource_server()` is that of the setting `M2MGUARD`.
        *scopes: every one of these must be granted.
        any_scope: as for `Requirement`.
        app_ids: as for `Requirement`.
        organization: as for `Requirement`. A callable is given the HttpRequest, with its `resolver_match`.
        issuers: as for `Requirement`.
        max_age: as for `Requirement`.
        acr: as for `Requirement`.
        certificate: as for `BearerAuthMiddleware`.

    Raises:
        ConfigurationError: an invalid argument.
    """

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_bearerFormat = "JWT"  # noqa: N815  # Ninja makes the scheme's members of these names

    def __init__(
        self,
        server: ResourceServer,
        *scopes: str,
        any_scope: Collection[str] = (),
        app_ids: Collection[str] = (),
        organization: str | Callable[[HttpRequest], str | None] | None = None,
        issuers: Collection[str | HasUrl] = (),
        max_age: int | None = None,
        acr: str | Collection[str] = (),
        certificate: CertificateReader | None = None,
    ) -> None:
        requirement = Requirement(
            scopes=scopes,
            any_scope=any_scope,
            app_ids=app_ids,
            organization=organization,
            issuers=issuers,
            max_age=max_age,
            acr=acr,
        )
        check_arguments(server, requires=requirement, certificate=certificate)
        super().__init__()
        self.is_async = True  # Ninja then calls this on the event loop; in sync operations it takes a plain result, too
        self._server = server
        self._requirement = requirement
        self._certificate = certificate
        mark(self, RouteGuard(requirement=requirement, server=server))

    def __call__(self, request: HttpRequest) -> Caller | Awaitable[Caller]:
        """Return the Caller; in an async operation, something to await for it. Django Ninja calls this.

        Raises:
            RefusedRequest: the request was refused.
        """
        return _Awaited(self._aauthenticate, request) if _is_awaited() else self._authenticate(request)

    def _authenticate(self, request: HttpRequest) -> Caller:
        try:
            return self._server.authenticate(
                requirement=self._requirement,
                **self._arguments(request),
            )
        except AnswerableError as error:
            raise self._refused(error) from error

    async def _aauthenticate(self, request: HttpRequest) -> Caller:
        try:
            return await self._server.aauthenticate(
                requirement=self._requirement,
                **self._arguments(request),
            )
        except AnswerableError as error:
            raise self._refused(error) from error

    def _arguments(self, request: HttpRequest) -> dict[str, Any]:
        """As those of `m2mguard.wsgi`, of a request of Ninja's test client, too, which has its own spelling of the names in `META`."""
        arguments = arguments_of(request.META, request=request, certificate=self._certificate)
        value = request.headers.get("Authorization")
        return {**arguments, "headers": [] if value is None else [value], "route": (request.method or "", request.path)}

    def _refused(self, error: AnswerableError) -> RefusedRequest:
        operation = _operation_being_served()
        if operation is not None:  # so that no API needs a second line; one that has a handler of its own keeps it
            operation.api.add_exception_handler(_Refused, _respond)
        return RefusedRequest(error, self._server.answer(error))


class _Awaited:
    """What an async operation awaits. It has no truth value, since Ninja lets in whatever is true: also what nobody has awaited."""

    __slots__ = ("_authenticate", "_request")

    def __init__(self, authenticate: Callable[[HttpRequest], Awaitable[Caller]], request: HttpRequest) -> None:
        self._authenticate = authenticate
        self._request = request

    def __await__(self) -> Generator[Any, None, Caller]:
        return self._authenticate(self._request).__await__()

    def __bool__(self) -> bool:
        raise TypeError("in an async operation, await what M2MAuth returns")


def _is_awaited() -> bool:
    """Tell whether Ninja awaits what an authentication class returns. A sync operation does not, even on the thread of an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    operation = _operation_being_served()
    return operation is None or operation.is_async


def _operation_being_served() -> Operation | None:
    """The operation that called us, found among the functions that are running, since Ninja hands over the request only.

    None if another function called us on a thread of its own; Ninja then sends status and description of a refusal in its own form.
    """
    frame = inspect.currentframe()
    while frame is not None:
        found = frame.f_locals.get("self")
        if isinstance(found, Operation):
            return found
        frame = frame.f_back
    return None


def _respond(request: HttpRequest, refused: Any) -> HttpResponse:
    return response_of(refused.answer, request)


def __dir__() -> list[str]:
    return sorted(__all__)
