"""A request on its way through a guard: who is asked, where the Caller is put, what a refusal looks like in Django."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from m2mguard._server.answers import Answer
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard.caller import Caller
from m2mguard.django._settings import current
from m2mguard.errors import AnswerableError
from m2mguard.wsgi import arguments_of


class MachineRequest(HttpRequest):
    """For annotations: the request of a guarded view, whose `auth` is the Caller."""

    auth: Caller


def authenticate_request(
    request: HttpRequest, server: ResourceServer, requirement: Requirement | None
) -> HttpResponse | None:
    """Put the Caller at `request.auth`, or return the refusal. May block for as long as `KeyCaching` allows."""
    try:
        request.auth = server.authenticate(  # type: ignore[attr-defined]
            requirement=requirement,
            **_arguments(request),
        )
    except AnswerableError as error:
        return response_of(server.answer(error), request)
    return None


async def aauthenticate_request(
    request: HttpRequest, server: ResourceServer, requirement: Requirement | None
) -> HttpResponse | None:
    """As `authenticate_request`, awaiting instead of blocking."""
    try:
        request.auth = await server.aauthenticate(  # type: ignore[attr-defined]
            requirement=requirement,
            **_arguments(request),
        )
    except AnswerableError as error:
        return response_of(server.answer(error), request)
    return None


def _arguments(request: HttpRequest) -> dict[str, Any]:
    return arguments_of(request.META, request=request, certificate=current().certificate)


def response_of(answer: Answer, request: HttpRequest) -> HttpResponse:
    """An answer of ours as Django's, HEAD without the body."""
    body = b"" if request.method == "HEAD" else answer.body
    return HttpResponse(body, status=answer.status, headers=dict(answer.headers))
