"""A Sanic service that machines call: `python examples/sanic_app.py`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set."""

import os

from sanic import Request, Sanic
from sanic.response import HTTPResponse, json

from m2mguard import Requirement, ResourceServer
from m2mguard.errors import AnswerableError

server = ResourceServer.from_env()
app = Sanic("shop")


@app.on_request
async def authenticate(request: Request) -> HTTPResponse | None:
    route = request.route.ctx if request.route else None
    if getattr(route, "public", False):
        return None
    fields = request.headers.getall("Authorization", [])
    requirement = getattr(route, "requires", None)
    try:
        request.ctx.caller = await server.aauthenticate(
            fields, requirement, request=request, route=(request.method, request.path)
        )
    except AnswerableError as error:
        answer = server.answer(error)
        return HTTPResponse(answer.body, answer.status, dict(answer.headers))
    return None


@app.get("/orders", ctx_requires=Requirement(scopes=["read:orders"]))
async def orders(request: Request) -> HTTPResponse:
    return json({"hello": request.ctx.caller.app_id})


@app.get("/healthz", ctx_public=True)
async def healthz(request: Request) -> HTTPResponse:
    return json("up")


if __name__ == "__main__":
    app.run("127.0.0.1", int(os.environ.get("PORT", "8000")), single_process=True, access_log=False, motd=False)
