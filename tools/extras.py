"""Scripts that `make release-check` runs in environments with one extra each, and with none. Data only."""

BARE = """
import importlib.util
from m2mguard import Requirement
from m2mguard.testing import TestServer

for framework in ("fastapi", "starlette", "litestar", "flask", "django", "rest_framework", "ninja", "httpx2", "requests", "aiohttp",
                  "pytest", "anyio"):
    assert importlib.util.find_spec(framework) is None, framework
with TestServer(http=True) as server:
    caller = server.verify(server.token("app-mine", scopes=["read"]), Requirement(scopes=["read"]))
assert caller.app_id == "app-mine"
"""
IMPORT_COST = """
import resource, subprocess, sys, time

for what in ("pass", "import m2mguard", "from m2mguard import ResourceServer", "from m2mguard.client import TokenSource"):
    code = f"import sys; before = len(sys.modules); {what}; print(len(sys.modules) - before)"
    times = []
    for _ in range(5):
        start = time.perf_counter()
        modules = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        times.append(time.perf_counter() - start)
    print(f"  {what:40} {min(times) * 1000:6.0f} ms  {modules:>4} modules")
"""
_SERVER = """
from m2mguard import ResourceServer
from m2mguard.testing import calling_as, fake_caller

server = ResourceServer("https://issuer.example", audience="https://shopping.api")
reader = fake_caller("app-mine", scopes=["read"])
"""
_ASGI = """
import asyncio

def status(app):
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/orders", "raw_path": b"/orders", "query_string": b"", "headers": [],
             "root_path": "", "scheme": "http", "http_version": "1.1", "server": ("test", 80), "client": None, "asgi": {"version": "3.0"}}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"]

def check(app):
    assert status(app) == 401
    with calling_as(app, reader):
        assert status(app) == 200
    with calling_as(app, fake_caller("app-mine")):
        assert status(app) == 403
"""
_DJANGO = """
import django
from django.conf import settings
settings.configure(ALLOWED_HOSTS=["*"], INSTALLED_APPS=[OUR_OWN], M2MGUARD={"SERVER": server}, ROOT_URLCONF=__name__,
                   REST_FRAMEWORK={"UNAUTHENTICATED_USER": None})
django.setup()
from django.http import HttpResponse
from django.test import Client
from django.urls import path
"""
_CHECK_DJANGO = """
assert Client().get("/orders").status_code == 401
with calling_as(Client(), reader):
    assert Client().get("/orders").status_code == 200
with calling_as(Client(), fake_caller("app-mine")):
    assert Client().get("/orders").status_code == 403
"""
EXTRAS = {
    "starlette": _SERVER + _ASGI + """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from m2mguard.starlette import requires

check(Starlette(routes=[Route("/orders", lambda request: PlainTextResponse("in"), middleware=[requires(server, scopes=["read"])])]))
""",
    "fastapi": _SERVER + _ASGI + """
from fastapi import FastAPI, Security
from m2mguard.fastapi import M2MAuth

app = FastAPI()
auth = M2MAuth(server)
app.get("/orders", dependencies=[Security(auth, scopes=["read"])])(lambda: "in")
check(app)
""",
    "litestar": _SERVER + _ASGI + """
from litestar import Litestar, get
from m2mguard.litestar import M2MGuardPlugin, requires

async def orders() -> str:
    return "in"

check(Litestar([get("/orders", guards=[requires("read")])(orders)], plugins=[M2MGuardPlugin(server)], logging_config=None))
""",
    "flask": _SERVER + """
from flask import Flask
from m2mguard.flask import M2MGuard

app = Flask("shop")
app.get("/orders")(M2MGuard(app, server).requires("read")(lambda: "in"))
assert app.test_client().get("/orders").status_code == 401
with calling_as(app, reader):
    assert app.test_client().get("/orders").status_code == 200
with calling_as(app, fake_caller("app-mine")):
    assert app.test_client().get("/orders").status_code == 403
""",
    "django": _SERVER + _DJANGO.replace("OUR_OWN", '"m2mguard.django"') + """
from m2mguard.django import requires

urlpatterns = [path("orders", requires("read")(lambda request: HttpResponse("in")))]
""" + _CHECK_DJANGO,
    "drf": _SERVER + _DJANGO.replace("OUR_OWN", '"rest_framework", "m2mguard.django"') + """
from rest_framework.response import Response
from rest_framework.views import APIView
from m2mguard.drf import HasScopes, M2MAuthentication

class Orders(APIView):
    authentication_classes = [M2MAuthentication]
    permission_classes = [HasScopes("read")]
    def get(self, request):
        return Response("in")

urlpatterns = [path("orders", Orders.as_view())]
""" + _CHECK_DJANGO,
    "ninja": _SERVER + _DJANGO.replace("OUR_OWN", "") + """
from ninja import NinjaAPI
from m2mguard.ninja import M2MAuth

api = NinjaAPI(auth=M2MAuth(server, "read"))
api.get("/orders")(lambda request: "in")
urlpatterns = [path("", api.urls)]
""" + _CHECK_DJANGO,
    "httpx2": _SERVER + """
import httpx2
from m2mguard.client.httpx2 import TokenAuth
from m2mguard.testing import FakeTokenSource, TestServer
from m2mguard.testing.httpx2 import ProtectedApi

with TestServer() as server:
    auth = TokenAuth(FakeTokenSource(server.token), "https://a.example")
    client = httpx2.Client(transport=ProtectedApi(server), auth=auth)
    assert client.get("https://a.example/").json() == {"app_id": "app-orders"}
    client.close()
""",
    "requests": """
import requests
from m2mguard.client.requests import TokenAuth
from m2mguard.testing import FakeTokenSource

request = requests.Request("GET", "https://a.example/", auth=TokenAuth(FakeTokenSource("text"), "https://a.example")).prepare()
assert request.headers["Authorization"] == "Bearer text"
""",
    "aiohttp": """
import m2mguard.aiohttp
import m2mguard.client.aiohttp
from m2mguard.testing import FakeTokenSource

m2mguard.client.aiohttp.TokenMiddleware(FakeTokenSource("text"), "https://a.example")
""",
    "grpc": """
import m2mguard.client.grpc
import m2mguard.grpc
from m2mguard.testing import FakeTokenSource

m2mguard.client.grpc.call_credentials(FakeTokenSource("text"))
""",
    "mcp": """
from mcp.server.mcpserver import MCPServer
from m2mguard.mcp import protect
from m2mguard.testing import TestServer

with TestServer() as server:
    assert protect(MCPServer("orders").streamable_http_app(), server, tools={"delete_order": ["delete:orders"]})
""",
    "fastmcp": """
from fastmcp import FastMCP
from m2mguard.fastmcp import M2MAuth
from m2mguard.testing import TestServer

with TestServer() as server:
    assert FastMCP("orders", auth=M2MAuth(server, tools={"delete_order": ["delete:orders"]})).http_app()
""",
    "forward-auth": """
import subprocess, sys

command = [sys.executable, "-m", "m2mguard", "forward-auth", "--issuer", "https://i.example", "--audience", "a", "--port", "0"]
assert "port must be" in subprocess.run(command, capture_output=True, text=True).stderr
import uvicorn
""",
    "telemetry": """
import m2mguard.telemetry
""",
    "testing": """
import pytest, sys

sys.exit(pytest.main(["-q", "--fixtures", "-p", "no:cacheprovider"]) not in (0, 5))
""",
    "valkey": """
from m2mguard.dpop import ReplayStoreUnavailable, UsedProof, ValkeyReplayStore

try:
    ValkeyReplayStore("valkey://127.0.0.1:1").first_use(UsedProof(bytes(32), ("issuer", "app"), 90.0, 0.0))
except ReplayStoreUnavailable as error:
    assert "cannot be reached" in str(error)
else:
    raise AssertionError("nobody listens there")
""",
    "dev": """
import subprocess, sys

assert subprocess.run([sys.executable, "-m", "m2mguard", "dev", "--help"], capture_output=True).returncode == 0
""",
}  # fmt: skip
"""Extra to script. Each script fails if the extra's own module does not do its work with what the extra brings."""
