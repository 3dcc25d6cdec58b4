"""What an editor must know in an MCP server. Checked by mypy and pyright in their strict modes; never run."""

from typing import Any, assert_type

from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer

from m2mguard import Caller, Requirement, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.fastmcp import M2MAuth
from m2mguard.mcp import current_caller, protect

server = ResourceServer("https://issuer.example", audience="https://shopping.api")
mcp: MCPServer[Any] = MCPServer("orders")
app = assert_type(
    protect(mcp.streamable_http_app(), server, ["read:orders"], {"delete_order": ["delete:orders"]}),
    BearerAuthMiddleware,
)
other = protect(mcp.streamable_http_app(), server, requires=Requirement(app_ids=["app-agent"]), public=["/healthz"])
fast: FastMCP[Any] = FastMCP(
    "orders", auth=M2MAuth(server, scopes=["read:orders"], tools={"delete_order": ("delete:orders",)})
)
app_id = assert_type(current_caller(), Caller).app_id
