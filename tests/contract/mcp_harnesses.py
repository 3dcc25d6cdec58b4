"""The contract's application in the MCP SDK and in FastMCP: as routes beside the MCP endpoint, which have the same middleware above."""

from typing import Any, ClassVar

from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.testclient import TestClient

from m2mguard.fastmcp import M2MAuth
from m2mguard.mcp import current_caller, protect
from m2mguard.testing.contract import (
    ContractRequest,
    ContractResponse,
    Protection,
    shown,
)
from tests.contract.application import ALL_METHODS, failure, tenant_of
from tests.contract.asgi_harnesses import send_with, starlette_refusal, starlette_stream

TOOLS = {"some_tool": ["read:orders"]}  # so that each body is read


class MCPHarness:
    """An application of the MCP SDK, behind `protect`."""

    matches_public_paths: ClassVar[bool] = True
    names_scopes: ClassVar[bool] = True

    def tenant(self, request: Any) -> str | None:
        return tenant_of(request["path"])

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        mcp = MCPServer("contract", log_level="ERROR")
        add_routes(mcp)
        app = protect(
            mcp.streamable_http_app(),
            protection.server,
            tools=TOOLS,
            requires=protection.requirement,
            public=protection.public,
        )
        return send_with(TestClient(app, root_path=request.mounted_at), request)


class FastMCPHarness(MCPHarness):
    """A FastMCP server with `M2MAuth`."""

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        auth = M2MAuth(protection.server, tools=TOOLS, requires=protection.requirement, public=protection.public)
        mcp: FastMCP[Any] = FastMCP("contract", auth=auth)
        add_routes(mcp)
        return send_with(TestClient(mcp.http_app(), root_path=request.mounted_at), request)


def add_routes(mcp: MCPServer[Any] | FastMCP[Any]) -> None:
    for path in ("/caller", "/tenants/{tenant}/caller", "/mounted/caller", "/healthz", "/docs/page"):
        mcp.custom_route(path, ALL_METHODS)(_show_caller)
    mcp.custom_route("/stream", ["GET"])(starlette_stream)
    mcp.custom_route("/refusal", ["GET"])(starlette_refusal)
    mcp.custom_route("/failure", ["GET"])(_fail)


async def _show_caller(_request: Request) -> Response:
    try:
        caller = current_caller()
    except RuntimeError:
        return JSONResponse(shown(None))
    return JSONResponse(shown(caller))


async def _fail(_request: Request) -> Response:
    return failure()
