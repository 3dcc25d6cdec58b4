"""Applications with one WebSocket each, for a server process: with the middleware, FastAPI's dependency, Litestar's plugin and guard."""

from typing import Annotated, Any

import litestar
from fastapi import FastAPI, Security, WebSocket
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from m2mguard import Caller, Requirement, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.fastapi import M2MAuth
from m2mguard.litestar import M2MGuardPlugin, requires

server = ResourceServer.from_env()
auth = M2MAuth(server)
by_dependency = FastAPI()


async def greet(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(websocket.auth.app_id)
    await websocket.close()


@by_dependency.websocket("/live")
async def live(websocket: WebSocket, caller: Annotated[Caller, Security(auth, scopes=["read:orders"])]) -> None:
    await greet(websocket)


by_middleware = BearerAuthMiddleware(
    Starlette(routes=[WebSocketRoute("/live", greet)]), server, requires=Requirement(scopes=["read:orders"])
)


async def greet_in_litestar(socket: litestar.WebSocket) -> None:
    await socket.accept()
    await socket.send_text(socket.auth.app_id)
    await socket.close()


def in_litestar(plugin: M2MGuardPlugin, guards: Any = ()) -> litestar.Litestar:
    live = litestar.websocket("/live", guards=guards)(greet_in_litestar)
    return litestar.Litestar([live], plugins=[plugin], logging_config=None, openapi_config=None)


by_plugin = in_litestar(M2MGuardPlugin(server, requires=Requirement(scopes=["read:orders"])))
by_guard = in_litestar(M2MGuardPlugin(server), guards=[requires("read:orders")])
