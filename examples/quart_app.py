"""A Quart service that machines call: `uvicorn examples.quart_app:app`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set."""

from quart import Quart, request

from m2mguard import Requirement, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware, caller_of

service = Quart(__name__)


@service.get("/orders")
async def orders() -> dict[str, str]:
    return {"hello": caller_of(request.scope).app_id}


@service.get("/healthz")
async def healthz() -> str:
    return "up"


app = BearerAuthMiddleware(
    service, ResourceServer.from_env(), requires=Requirement(scopes=["read:orders"]), public=["/healthz"]
)
