"""An MCP server that agents call: `uvicorn examples.mcp_server:app`.

Set M2MGUARD_LOGTO_ENDPOINT, M2MGUARD_AUDIENCE and M2MGUARD_RESOURCE_URL.
An agent that may only read is answered 403 when it deletes; the challenge says which scopes it needs.
"""

from mcp.server.mcpserver import MCPServer

from m2mguard import ResourceServer
from m2mguard.mcp import current_caller, protect

mcp = MCPServer("orders")
orders = {1: "a book", 2: "a lamp"}


@mcp.tool()
async def read_order(number: int) -> str:
    """What was ordered."""
    return orders[number]


@mcp.tool()
async def delete_order(number: int) -> str:
    """Delete an order, and say who did."""
    return f"{orders.pop(number)}: deleted by {current_caller().app_id}"


app = protect(
    mcp.streamable_http_app(),
    ResourceServer.from_env(),
    scopes=["read:orders"],
    tools={"delete_order": ["delete:orders"]},
)
