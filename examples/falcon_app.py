"""A Falcon API: `gunicorn examples.falcon_app:app`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set."""

import falcon

from m2mguard import Requirement, ResourceServer
from m2mguard.wsgi import BearerAuthMiddleware, caller_of


class Orders:
    """The orders, for applications that may read them."""

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """List them."""
        response.media = {"hello": caller_of(request.env).app_id}


class Healthz:
    """Whether this API is up, for anybody."""

    def on_get(self, _: falcon.Request, response: falcon.Response) -> None:
        """Tell."""
        response.media = "up"


api = falcon.App()
api.add_route("/orders", Orders())
api.add_route("/healthz", Healthz())
app = BearerAuthMiddleware(
    api, ResourceServer.from_env(), requires=Requirement(scopes=["read:orders"]), public=["/healthz"]
)
