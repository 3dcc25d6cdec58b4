"""A Litestar service that machines call: `uvicorn examples.litestar_app:app`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set."""

from litestar import Litestar, Request, get
from litestar.datastructures import State

from m2mguard import Caller, Requirement, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware


@get("/orders")
async def orders(request: Request[Caller, Caller, State]) -> dict[str, str]:
    return {"hello": request.auth.app_id}


@get("/healthz")
async def healthz() -> str:
    return "up"


app = BearerAuthMiddleware(
    Litestar([orders, healthz], logging_config=None),
    ResourceServer.from_env(),
    requires=Requirement(scopes=["read:orders"]),
    public=["/healthz"],
)
