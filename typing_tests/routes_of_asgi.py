"""What an editor must know around any ASGI application. Checked by mypy and pyright in their strict modes; never run."""

from typing import Any, assert_type

from litestar import Litestar, Request, get
from litestar.datastructures import State
from quart import Quart, request

from m2mguard import Answer, Caller, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware, Scope, caller_of
from m2mguard.errors import AnswerableError

server = ResourceServer("https://issuer.example", audience="https://shopping.api")


@get("/orders")
async def orders(request: Request[Caller, Caller, State]) -> str:
    return assert_type(request.auth, Caller).app_id


service = Quart(__name__)


@service.get("/orders")
async def orders_of_quart() -> str:
    return assert_type(caller_of(request.scope), Caller).app_id


async def plain(scope: Any, receive: Any, send: Any) -> None:
    assert_type(caller_of(scope).app_id, str)


def seen(error: AnswerableError, scope: Scope) -> Answer | None:
    return server.answer(error)


around_litestar = BearerAuthMiddleware(Litestar([orders]), server)
around_quart = BearerAuthMiddleware(service, server, public=["/healthz"])
around_anything = BearerAuthMiddleware(plain, server, preflight="exempt", on_error=seen)
BearerAuthMiddleware(plain, server, preflight="on")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
