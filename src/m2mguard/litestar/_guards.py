"""Guards for handlers, routers, controllers and applications, and the answer to what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, WebSocketException
from litestar.handlers import BaseRouteHandler

from m2mguard._asgi.scope import RequestHead, authorization_fields
from m2mguard._asgi.sending import POLICY_VIOLATION
from m2mguard._server.answers import Answer
from m2mguard._server.requirement import HasUrl, Requirement
from m2mguard._server.route_marks import RouteGuard, guards_of, mark
from m2mguard.caller import Caller
from m2mguard.errors import AnswerableError, ConfigurationError
from m2mguard.litestar._middleware import PASSAGE, Passage

Connection = ASGIConnection[Any, Any, Any, Any]
Organization = str | Callable[[Connection], str | None] | None
_OF_THE_BODY: Final = frozenset(("content-type",))


class RefusedRequest(HTTPException):
    """A request that a guard has refused, for an application's own exception handlers. Without one, the standard answer is sent.

    Attributes:
        refusal: the error behind it, whose `reason` is for the operator only.
        answer: the standard answer: status, headers, body.
    """

    def __init__(self, refusal: AnswerableError, answer: Answer) -> None:
        headers = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
        super().__init__(detail=refusal.description, status_code=answer.status, headers=headers)
        self.refusal = refusal
        self.answer = answer


def requires(
    *scopes: str,
    any_scope: Collection[str] = (),
    app_ids: Collection[str] = (),
    organization: Organization = None,
    issuers: Collection[str | HasUrl] = (),
    max_age: int | None = None,
    acr: str | Collection[str] = (),
) -> Callable[[Connection, BaseRouteHandler], Any]:
    """A guard for a handler, router, controller or application that has the plugin: `guards=[requires("read:orders")]`.

    What the plugin and all guards ask for adds up: a token of an organization is refused by a plugin without `requires`. On a public path a
    guard asks for a token itself. A refusal is raised as `RefusedRequest`; a refused WebSocket handshake is answered as by the plugin.

    Args:
        *scopes: every one of these must be granted.
        any_scope: as for `Requirement`.
        app_ids: as for `Requirement`.
        organization: as for `Requirement`. A callable is given the connection, with its `path_params`.
        issuers: as for `Requirement`.
        max_age: as for `Requirement`.
        acr: as for `Requirement`.

    Raises:
        ConfigurationError: an invalid value; or, for each request, no plugin.
    """
    requirement = Requirement(
        scopes=scopes,
        any_scope=any_scope,
        app_ids=app_ids,
        organization=organization,
        issuers=issuers,
        max_age=max_age,
        acr=acr,
    )

    async def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        scope: Any = connection.scope
        passage: Passage | None = scope.get(PASSAGE)
        if passage is None:
            raise ConfigurationError("requires() needs the plugin: Litestar(plugins=[M2MGuardPlugin(server)]).")
        caller = scope.get("auth")
        try:
            if isinstance(caller, Caller):
                passage.server.authorize(caller, requirement, request=connection, route=passage.route)
            else:
                scope["auth"] = scope["user"] = await passage.server.aauthenticate(
                    authorization_fields(scope),
                    requirement,
                    request=connection,
                    route=passage.route,
                    head=RequestHead(scope),
                    certificate=passage.certificate,
                )
        except AnswerableError as error:
            answer = passage.server.answer(error)
            if scope["type"] == "websocket":
                passage.refusal = answer
                raise WebSocketException(detail="", code=POLICY_VIOLATION) from error
            raise RefusedRequest(error, answer) from error

    mark(guard, RouteGuard(requirement=requirement))
    return guard


def respond(request: Request[Any, Any, Any], refused: RefusedRequest) -> Response[Any]:
    """The standard answer, unless the application has a handler for exceptions of this kind."""
    handlers: Any = request.route_handler.resolve_exception_handlers()
    for kind in RefusedRequest.__mro__[1:]:
        if kind in handlers:
            response: Response[Any] = handlers[kind](request, refused)
            return response
    answer = refused.answer
    return Response(
        b"" if request.method == "HEAD" else answer.body,
        status_code=answer.status,
        headers={name: value for name, value in answer.headers.items() if name.lower() not in _OF_THE_BODY},
        media_type=answer.headers["Content-Type"],
    )


def guards_of_handler(handler: Any) -> list[RouteGuard]:
    """The guards of ours on a handler and on the layers around it, the outermost first."""
    return [
        mark
        for layer in getattr(handler, "ownership_layers", ())
        for guard in layer.guards or ()
        for mark in guards_of(guard)
    ]
