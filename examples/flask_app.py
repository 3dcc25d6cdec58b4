"""A Flask API that machines call: `flask --app examples/flask_app.py run`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set."""

from flask import Flask

from m2mguard import ResourceServer
from m2mguard.flask import M2MGuard, current_caller

app = Flask(__name__)
guard = M2MGuard(app, ResourceServer.from_env())


@app.get("/orders")
@guard.requires("read:orders")
def orders() -> dict[str, str]:
    return {"hello": current_caller.app_id}


@app.get("/healthz")
def healthz() -> str:
    return "up"
