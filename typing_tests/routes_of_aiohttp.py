"""What an editor must know in an aiohttp application. Checked by mypy and pyright in their strict modes; never run."""

from typing import assert_type

from aiohttp import web

from m2mguard import Caller, Requirement, ResourceServer
from m2mguard.aiohttp import CALLER, bearer_auth_middleware, readiness, requires

server = ResourceServer("https://issuer.example", audience="https://shopping.api")
app = web.Application(middlewares=[bearer_auth_middleware(server, requires=Requirement(), public=["/readyz"])])
app.router.add_get("/readyz", readiness(server))


@requires("read:orders", organization=lambda request: request.match_info["tenant"])
async def orders(request: web.Request) -> web.Response:
    return web.json_response(assert_type(request[CALLER], Caller).app_id)


class Orders(web.View):
    @requires("read:orders")
    async def get(self) -> web.Response:
        return web.Response()


app.router.add_get("/orders", orders)
app.router.add_view("/views", Orders)
