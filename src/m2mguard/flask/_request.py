"""Authenticates the current request, and refuses it with Werkzeug's exception, so that an app's own handlers run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from flask import Request, current_app, request
from werkzeug.exceptions import default_exceptions

from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard.errors import AnswerableError
from m2mguard.wsgi import CALLER, arguments_of

if TYPE_CHECKING:
    from werkzeug.local import LocalProxy

EXTENSION: Final = "m2mguard"
CERTIFICATE: Final = "m2mguard.certificate"


def server_of_app() -> ResourceServer:
    """The server of the current app. Raises RuntimeError if the app has no guard."""
    try:
        return cast(ResourceServer, current_app.extensions[EXTENSION])
    except KeyError:
        raise RuntimeError("this app has no guard: call guard.init_app(app)") from None


def authenticate(requirement: Requirement) -> None:
    server, environ = server_of_app(), request.environ
    try:
        caller = server.authenticate(
            requirement=requirement,
            **_arguments(),
        )
    except AnswerableError as error:
        _refuse(server, error)
    environ[CALLER] = caller


async def aauthenticate(requirement: Requirement) -> None:
    server, environ = server_of_app(), request.environ
    try:
        caller = await server.aauthenticate(
            requirement=requirement,
            **_arguments(),
        )
    except AnswerableError as error:
        _refuse(server, error)
    environ[CALLER] = caller


def _arguments() -> dict[str, Any]:
    certificate = current_app.extensions.get(CERTIFICATE)
    return arguments_of(request.environ, request=_plain_request(), certificate=certificate)


def _plain_request() -> Request:
    return cast("LocalProxy[Request]", request)._get_current_object()  # noqa: SLF001  # Werkzeug documents it


def _refuse(server: ResourceServer, error: AnswerableError) -> NoReturn:
    answer = server.answer(error)
    response = current_app.response_class(answer.body, answer.status, dict(answer.headers))
    raise default_exceptions[answer.status](answer.detail["error_description"], response) from error
