"""What an editor must know in a Flask application. Checked by mypy and pyright in their strict modes; never run."""

from typing import assert_type

from flask import Blueprint, Flask, Request
from flask.views import MethodView

from m2mguard import ResourceServer
from m2mguard.flask import M2MGuard, current_caller

app = Flask(__name__)
server = ResourceServer("https://issuer.example", audience="https://shopping.api")
guard = M2MGuard(server=server, preflight="exempt")
guard.init_app(app)


def of_route(request: Request) -> str | None:
    return None if request.view_args is None else request.view_args["organization"]


@app.get("/orders/<int:number>")
@guard.requires("read:orders", any_scope=["a", "b"], app_ids=["app-orders"], organization=of_route)
def order(number: int) -> dict[str, str]:
    assert_type(current_caller.app_id, str)
    return {"app_id": current_caller.app_id}


@app.get("/stock/<int:number>")
@guard.requires()
async def stock(number: int) -> str:
    return ""


assert_type(order(1), dict[str, str])
order("one")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
guard.requires(scopes=["read:orders"])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def awaited() -> None:
    assert_type(await stock(1), str)


class Orders(MethodView):
    decorators = [guard.requires("read:orders")]

    def get(self) -> str:
        return current_caller.app_id


blueprint = Blueprint("orders", __name__)
guard.protect(blueprint, "read:orders", organization="*")
guard.protect(app, public=["/healthz"])
M2MGuard(app, server)
