"""A Pyramid API: `gunicorn examples.pyramid_app:app`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set."""

from pyramid.config import Configurator
from pyramid.request import Request

from m2mguard import Requirement, ResourceServer
from m2mguard.wsgi import BearerAuthMiddleware, caller_of


def orders(request: Request) -> dict[str, str]:
    return {"hello": caller_of(request.environ).app_id}


def healthz(_: Request) -> str:
    return "up"


with Configurator() as config:
    for name, view in (("orders", orders), ("healthz", healthz)):
        config.add_route(name, f"/{name}")
        config.add_view(view, route_name=name, renderer="json")
    api = config.make_wsgi_app()

app = BearerAuthMiddleware(
    api, ResourceServer.from_env(), requires=Requirement(scopes=["read:orders"]), public=["/healthz"]
)
