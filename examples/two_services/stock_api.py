"""The second API: knows how many of a thing there are, and tells it to applications with the scope `read:stock`."""

from typing import Annotated

from fastapi import FastAPI, Security

from m2mguard import Caller, ResourceServer
from m2mguard.fastapi import M2MAuth

AUDIENCE = "https://stock.api"


def create_app(server: ResourceServer) -> FastAPI:
    """The API, protected by `server`."""
    app = FastAPI()
    auth = M2MAuth(server)

    @app.get("/stock/{thing}")
    def read_stock(
        thing: str, caller: Annotated[Caller, Security(auth, scopes=["read:stock"])]
    ) -> dict[str, str | int]:
        return {"thing": thing, "in_stock": len(thing), "asked_by": caller.app_id}

    return app
