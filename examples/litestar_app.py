"""A Litestar service that machines call: `uvicorn examples.litestar_app:app`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set."""

from litestar import Litestar, Request, get
from litestar.datastructures import State

from m2mguard import Caller, ResourceServer
from m2mguard.litestar import M2MGuardPlugin, requires


@get("/orders", guards=[requires("read:orders")])
async def orders(request: Request[Caller, Caller, State]) -> dict[str, str]:
    return {"hello": request.auth.app_id}


@get("/healthz")
async def healthz() -> str:
    return "up"


app = Litestar(
    [orders, healthz],
    plugins=[M2MGuardPlugin(ResourceServer.from_env(), public=["/healthz"])],
    logging_config=None,
)
