"""Two applications with one WebSocket each, for a server process: with the middleware and with FastAPI's dependency."""

from typing import Annotated

from fastapi import FastAPI, Security, WebSocket
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from m2mguard import Caller, Requirement, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.fastapi import M2MAuth

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
