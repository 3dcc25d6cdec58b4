"""What an editor must know in a Starlette application. Checked by mypy and pyright in their strict modes; never run."""

from typing import assert_type

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from m2mguard import Caller, Requirement, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.starlette import caller_of, lifespan, requires

server = ResourceServer("https://issuer.example", audience="https://shopping.api")


async def orders(request: Request) -> PlainTextResponse:
    caller = assert_type(caller_of(request), Caller)
    return PlainTextResponse(caller.app_id)


app = Starlette(
    routes=[Route("/orders", orders, middleware=[requires(server, scopes=["read:orders"])])],
    middleware=[Middleware(BearerAuthMiddleware, server=server, requires=Requirement(), public=("/healthz",))],
    lifespan=lifespan(server),
)
wrapped = BearerAuthMiddleware(app, server=server, preflight="exempt")
