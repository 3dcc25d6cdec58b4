"""What an editor must know in a Litestar application. Checked by mypy and pyright in their strict modes; never run."""

from typing import Any, assert_type

from litestar import Controller, Litestar, Request, Response, Router, WebSocket, get, websocket
from litestar.connection import ASGIConnection
from litestar.datastructures import State

from m2mguard import Answer, Caller, Requirement, ResourceServer
from m2mguard.asgi import Scope
from m2mguard.errors import AnswerableError
from m2mguard.litestar import M2MGuardPlugin, RefusedRequest, requires

server = ResourceServer("https://issuer.example", audience="https://shopping.api")


def of_route(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    return str(connection.path_params["tenant"])


def refused(error: AnswerableError, scope: Scope) -> Answer | None:
    return None


def told(request: Request[Any, Any, Any], error: RefusedRequest) -> Response[str]:
    assert_type(error.refusal, AnswerableError)
    assert_type(error.answer, Answer)
    return Response("no", status_code=error.status_code)


@get("/orders", guards=[requires("read:orders", any_scope=["a"], app_ids=["b"], organization=of_route)])
async def orders(request: Request[Caller, Caller, State]) -> str:
    return assert_type(request.auth, Caller).app_id


@websocket("/live", guards=[requires("read:orders")])
async def live(socket: WebSocket[Caller, Caller, State]) -> None:
    assert_type(socket.user, Caller)


class Stock(Controller):
    guards = [requires("read:stock")]


plugin = M2MGuardPlugin(server, requires=Requirement(), public=["/healthz"], preflight="exempt", on_error=refused)
router = Router("/stock", route_handlers=[Stock], guards=[requires(issuers=["https://issuer.example"])])
app = Litestar([orders, live, router], plugins=[plugin], exception_handlers={RefusedRequest: told})

requires(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
