"""A Bottle API: `gunicorn examples.bottle_app:app`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set."""

from bottle import Bottle, request

from m2mguard import Requirement, ResourceServer
from m2mguard.wsgi import BearerAuthMiddleware, caller_of

api = Bottle()


@api.get("/orders")
def orders() -> dict[str, str]:
    return {"hello": caller_of(request.environ).app_id}


@api.get("/healthz")
def healthz() -> str:
    return "up"


app = BearerAuthMiddleware(
    api, ResourceServer.from_env(), requires=Requirement(scopes=["read:orders"]), public=["/healthz"]
)
