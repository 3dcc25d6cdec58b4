"""The application of the fleet: for gunicorn `wsgi`, for uvicorn `asgi`. Its settings are in variables."""

import contextlib
import os

from m2mguard import ResourceServer
from m2mguard.asgi import BearerAuthMiddleware as AsgiGuard
from m2mguard.wsgi import BearerAuthMiddleware as WsgiGuard

server = ResourceServer.from_env()
HEADERS = [(b"content-type", b"text/plain"), (b"connection", b"close")]


def _wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Connection", "close")])
    return [str(os.getpid()).encode()]


async def _asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await server.awarm_up()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        with contextlib.suppress(Exception):
            await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


wsgi = WsgiGuard(_wsgi, server)
asgi = AsgiGuard(_asgi, server)
