"""An aiohttp service that machines call: `python examples/aiohttp_app.py`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set."""

import os

from aiohttp import web

from m2mguard import ResourceServer
from m2mguard.aiohttp import CALLER, bearer_auth_middleware, requires

routes = web.RouteTableDef()


@routes.get("/orders")
@requires("read:orders")
async def orders(request: web.Request) -> web.Response:
    return web.json_response({"hello": request[CALLER].app_id})


@routes.get("/healthz")
async def healthz(_: web.Request) -> web.Response:
    return web.json_response("up")


app = web.Application(middlewares=[bearer_auth_middleware(ResourceServer.from_env(), public=["/healthz"])])
app.add_routes(routes)

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")), print=None)
