"""A service without a framework: `uvicorn examples.asgi_app:app`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set."""

import json
from typing import Any

from m2mguard import Requirement, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware, caller_of


async def api(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    answer = "up" if scope["path"] == "/healthz" else {"hello": caller_of(scope).app_id}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


app = BearerAuthMiddleware(
    api, ResourceServer.from_env(), requires=Requirement(scopes=["read:orders"]), public=["/healthz"]
)
