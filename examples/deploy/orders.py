"""The API of the image: settings from the environment, a readiness probe that never waits, and one protected route."""

from typing import Annotated

from fastapi import FastAPI, Response, Security, WebSocket

from m2mguard import Caller, ResourceServer
from m2mguard.fastapi import M2MAuth
from m2mguard.starlette import lifespan

server = ResourceServer.from_env()
auth = M2MAuth(server)
app = FastAPI(lifespan=lifespan(server), responses=auth.responses, docs_url=None, redoc_url=None, openapi_url=None)
Reader = Annotated[Caller, Security(auth, scopes=["read:orders"])]


@app.get("/orders")
def orders(caller: Reader) -> dict[str, str]:
    return {"hello": caller.app_id}


@app.websocket("/live")
async def live(websocket: WebSocket, caller: Reader) -> None:
    await websocket.accept()
    await websocket.send_text(caller.app_id)
    await websocket.close()


@app.get("/livez")
def livez() -> str:
    return "up"


@app.get("/readyz")
def readyz() -> Response:
    answer = server.readiness()
    return Response(answer.body, answer.status, dict(answer.headers))
