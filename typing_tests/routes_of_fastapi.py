"""What an editor must know in a FastAPI application. Checked by mypy and pyright in their strict modes; never run."""

from typing import Annotated, assert_type

from fastapi import APIRouter, Depends, FastAPI, Request, Security, WebSocket

from m2mguard import Caller, ResourceServer
from m2mguard.errors import AnswerableError
from m2mguard.fastapi import M2MAuth, RefusedRequest, RequiresCaller
from m2mguard.starlette import caller_of, lifespan

server = ResourceServer("https://issuer.example", audience="https://shopping.api")
auth = M2MAuth(server)
app = FastAPI(lifespan=lifespan(server), responses=auth.responses)
router = APIRouter(dependencies=[Depends(auth.requires(organization="*"))])

Reader = Annotated[Caller, Security(auth, scopes=["read:orders"])]


@app.get("/orders")
def orders(caller: Reader) -> dict[str, str]:
    return {"app_id": caller.app_id}


@router.get("/stock")
async def stock(request: Request) -> str:
    return assert_type(caller_of(request), Caller).app_id


@app.websocket("/live")
async def live(websocket: WebSocket, caller: Annotated[Caller, Depends(auth)]) -> None:
    await websocket.accept()


@app.exception_handler(RefusedRequest)
async def refused(request: Request, error: RefusedRequest) -> None:
    assert_type(error.refusal, AnswerableError)


def organization_of(request: object) -> str | None:
    return None


assert_type(auth.requires(app_ids=["app-orders"], organization=organization_of), RequiresCaller)
app.dependency_overrides[auth] = lambda: None
