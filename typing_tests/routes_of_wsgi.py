"""What an editor must know around a WSGI application. Checked by mypy and pyright in their strict modes; never run."""

from collections.abc import Iterable
from typing import assert_type
from wsgiref.types import StartResponse, WSGIEnvironment

from m2mguard import Answer, Caller, Requirement, ResourceServer
from m2mguard.errors import AnswerableError
from m2mguard.wsgi import BearerAuthMiddleware, caller_of

server = ResourceServer("https://issuer.example", audience="https://shopping.api")


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    caller = assert_type(caller_of(environ), Caller)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [caller.app_id.encode()]


def of_path(environ: WSGIEnvironment) -> str | None:
    return None


def told(error: AnswerableError, environ: WSGIEnvironment) -> Answer | None:
    return None


guarded = BearerAuthMiddleware(
    application,
    server,
    requires=Requirement(organization=of_path),
    public=["/healthz", "/docs/"],
    preflight="exempt",
    on_error=told,
)
twice = BearerAuthMiddleware(guarded, server=server)
BearerAuthMiddleware(application, server, preflight="allow")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
