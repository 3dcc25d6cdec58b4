"""A FastAPI service that machines call: `uvicorn examples.fastapi_app:app`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set.

Its page /docs has an "Authorize" button for a token.
"""

from typing import Annotated

from fastapi import FastAPI, Security

from m2mguard import Caller, ResourceServer
from m2mguard.fastapi import M2MAuth
from m2mguard.starlette import lifespan

server = ResourceServer.from_env()
auth = M2MAuth(server)
app = FastAPI(title="Orders", lifespan=lifespan(server), responses=auth.responses)

OrdersReader = Annotated[Caller, Security(auth, scopes=["read:orders"])]
OrdersWriter = Annotated[Caller, Security(auth, scopes=["write:orders"])]


@app.get("/orders")
async def read_orders(caller: OrdersReader) -> dict[str, str]:
    return {"hello": caller.app_id}


@app.post("/orders")
async def write_orders(caller: OrdersWriter) -> dict[str, str]:
    return {"written_by": caller.app_id}


@app.get("/healthz")
async def healthz() -> str:
    return "up"
