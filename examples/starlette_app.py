"""A Starlette service that machines call: `uvicorn examples.starlette_app:app`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from m2mguard import ResourceServer
from m2mguard.starlette import caller_of, lifespan, requires

server = ResourceServer.from_env()


async def orders(request: Request) -> JSONResponse:
    return JSONResponse({"hello": caller_of(request).app_id})


async def healthz(request: Request) -> JSONResponse:
    return JSONResponse("up")


app = Starlette(
    routes=[
        Route("/orders", orders, middleware=[requires(server, scopes=["read:orders"])]),
        Route("/healthz", healthz),
    ],
    lifespan=lifespan(server),
)
