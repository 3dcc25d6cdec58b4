"""The first API: is called by applications with the scope `read:orders`, and calls on, with its own token and not with its caller's."""

from typing import Annotated, Any

import httpx2
from fastapi import FastAPI, Request, Security
from fastapi.responses import JSONResponse

from m2mguard import Caller, ResourceServer
from m2mguard.client import TokenRequestError, TokenSource
from m2mguard.client.httpx2 import TokenAuth
from m2mguard.fastapi import M2MAuth

AUDIENCE = "https://orders.api"


def create_app(server: ResourceServer, source: TokenSource, stock_url: str) -> FastAPI:
    """The API, protected by `server`; `source` gives the token that it calls the stock API with."""
    app = FastAPI()
    auth = M2MAuth(server)
    stock = httpx2.AsyncClient(auth=TokenAuth(source, stock_url), base_url=stock_url)

    @app.get("/orders/{thing}")
    async def read_order(
        thing: str, caller: Annotated[Caller, Security(auth, scopes=["read:orders"])]
    ) -> dict[str, Any]:
        answer = await stock.get(f"/stock/{thing}")
        answer.raise_for_status()
        return {"order_of": caller.app_id, "stock": answer.json()}

    # Whatever is wrong between the two services is not our caller's fault: its token was good, so it gets no 401 for it.
    @app.exception_handler(TokenRequestError)
    def no_token(_request: Request, _error: TokenRequestError) -> JSONResponse:
        return JSONResponse({"error": "temporarily_unavailable"}, status_code=503)

    @app.exception_handler(httpx2.HTTPStatusError)
    def stock_refused(_request: Request, _error: httpx2.HTTPStatusError) -> JSONResponse:
        return JSONResponse({"error": "bad_gateway"}, status_code=502)

    return app
