"""An MCP server with three tools, in the SDK and in FastMCP, with and without sessions, under uvicorn."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_access_token as token_of_fastmcp
from mcp.server.auth.middleware.auth_context import get_access_token as token_of_sdk
from mcp.server.mcpserver import MCPServer
from starlette.requests import Request
from starlette.responses import JSONResponse

from m2mguard import ResourceServer
from m2mguard.fastmcp import M2MAuth
from m2mguard.mcp import current_caller, protect
from m2mguard.testing import LocalIssuer
from tests.conftest import under_uvicorn

API = "https://orders.api/mcp"
SCOPES = ["read:orders"]
TOOLS = {"delete_order": ["delete:orders"]}
STACKS = ["SDK with sessions", "SDK without sessions", "FastMCP with sessions", "FastMCP without sessions"]


def add_tools(mcp: Any, get_access_token: Callable[[], Any]) -> None:
    """Tools that tell who calls, by our way and by the framework's."""

    def who() -> dict[str, Any]:
        caller, token = current_caller(), get_access_token()
        return {
            "caller": caller.app_id,
            "scopes": sorted(caller.scopes),
            "client": token.client_id,
            "granted": token.scopes,
            "shown": repr(token),
        }

    @mcp.tool()
    async def read_order() -> dict[str, Any]:
        return who()

    @mcp.tool()
    def count_orders() -> dict[str, Any]:
        return who()  # on a thread of its own

    @mcp.tool()
    async def delete_order() -> dict[str, Any]:
        return who()

    @mcp.custom_route("/form", ["POST"])
    async def form(request: Request) -> JSONResponse:
        return JSONResponse({"received": (await request.body()).decode(errors="replace")})


def application(stack: str, server: ResourceServer, **settings: Any) -> Any:
    """The protected application of a stack."""
    stateless = "without" in stack
    given = {"scopes": SCOPES, "tools": TOOLS} | settings
    if stack.startswith("SDK"):
        mcp = MCPServer("orders", log_level="ERROR")
        add_tools(mcp, token_of_sdk)
        return protect(mcp.streamable_http_app(stateless_http=stateless, json_response=True), server, **given)
    fast: FastMCP[Any] = FastMCP("orders", auth=M2MAuth(server, **given))
    add_tools(fast, token_of_fastmcp)
    return fast.http_app(stateless_http=stateless, json_response=True)


@dataclass(kw_only=True)
class Service:
    """An application that speaks MCP without an SDK: what it sends is exactly what a test writes."""

    url: str
    token: str | None
    session: dict[str, str] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def send(self, message: Any, **fields: str) -> urllib3.BaseHTTPResponse:
        """Send a message, or bytes as they are."""
        headers = urllib3.HTTPHeaderDict(
            {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        )
        if self.token is not None:
            headers.add("Authorization", f"Bearer {self.token}")
        for name, value in {**self.session, **fields}.items():
            headers.pop(name, None)
            headers.add(name, value)
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return urllib3.request("POST", f"{self.url}/mcp", body=body, headers=headers, retries=False, timeout=20)

    def open(self) -> "Service":
        """Begin a session where the server has some."""
        parameters = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }
        answer = self.send(self.message("initialize", **parameters))
        assert answer.status == 200, answer.data
        self.session = {"Mcp-Protocol-Version": "2025-11-25"}
        if "mcp-session-id" in answer.headers:
            self.session["Mcp-Session-Id"] = answer.headers["mcp-session-id"]
        assert self.send({"jsonrpc": "2.0", "method": "notifications/initialized"}).status == 202
        return self

    def message(self, method: str, **parameters: Any) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": parameters}

    def call_of(self, tool: str) -> dict[str, Any]:
        return self.message("tools/call", name=tool, arguments={})

    def call(self, tool: str, **fields: str) -> urllib3.BaseHTTPResponse:
        return self.send(self.call_of(tool), **fields)


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    with LocalIssuer(algorithm="ES256") as running:
        yield running


@pytest.fixture(scope="module")
def server(issuer: LocalIssuer) -> ResourceServer:
    return ResourceServer(issuer.trusted, audience=API, resource_url=API)


@pytest.fixture(scope="module", params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def url(stack: str, server: ResourceServer) -> Iterator[str]:
    with under_uvicorn(application(stack, server)) as url:
        yield url


@pytest.fixture
def connect(
    stack: str, url: str, server: ResourceServer, serve: Callable[[Any], str], issuer: LocalIssuer
) -> Callable[..., Service]:
    """Connect an application, to a server of the test's own if it has settings: `connect("app-a", "read:orders")`."""

    def connected(app_id: str | None = "app-a", *scopes: str, **settings: Any) -> Service:
        at = serve(application(stack, settings.pop("server", server), **settings)) if settings else url
        token = None if app_id is None else issuer.mint(app_id, audience=API, scopes=list(scopes))
        return Service(url=at, token=token)

    return connected
