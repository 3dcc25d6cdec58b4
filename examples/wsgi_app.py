"""An API without a framework: `python examples/wsgi_app.py`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set."""

from collections.abc import Iterable
from wsgiref.simple_server import make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from m2mguard import Requirement, ResourceServer
from m2mguard.wsgi import BearerAuthMiddleware, caller_of


def api(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    if environ["PATH_INFO"] == "/healthz":
        return [b'"up"']
    return [b'{"hello": "%s"}' % caller_of(environ).app_id.encode()]


app = BearerAuthMiddleware(
    api, ResourceServer.from_env(), requires=Requirement(scopes=["read:orders"]), public=["/healthz"]
)

if __name__ == "__main__":
    make_server("127.0.0.1", 8000, app).serve_forever()
