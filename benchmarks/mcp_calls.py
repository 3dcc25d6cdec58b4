"""One call of an MCP tool, in process: without authentication, with m2mguard, and with FastMCP's own verifier. The token is remembered."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from time import process_time
from typing import Any

from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer

from benchmarks.apps import BARE, OURS, SCOPE, server_of
from benchmarks.measure import Effort, Measured, summary
from benchmarks.peers import fastmcp_verifier
from m2mguard.fastmcp import M2MAuth
from m2mguard.mcp import protect
from m2mguard.testing import LocalIssuer

SDK, FASTMCP = "MCP SDK, no sessions, ES384", "FastMCP, no sessions, ES384"
TOOLS = {"delete_order": ["delete:orders"]}
PER_TOOL = f"{OURS}, scopes per tool"
FASTMCPS_OWN = "FastMCP's JWTVerifier"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read_order", "arguments": {"number": 7}}}


async def read_order(number: int) -> str:
    return f"order {number}"


def sdk_app() -> Any:
    mcp = MCPServer("orders", log_level="CRITICAL")
    mcp.tool()(read_order)
    return mcp.streamable_http_app(stateless_http=True, json_response=True, host="0.0.0.0")


def fastmcp_app(auth: Any = None) -> Any:
    mcp: FastMCP[Any] = FastMCP("orders", auth=auth)
    mcp.tool(read_order)
    return mcp.http_app(stateless_http=True, json_response=True)


def mcp_times(effort: Effort) -> dict[str, Mapping[str, Measured]]:
    """The CPU time of one call, by framework and by what protects it."""
    with LocalIssuer(algorithm="ES384") as issuer:
        server = server_of(issuer)
        token = issuer.mint(scopes=[SCOPE])
        apps: dict[str, dict[str, Any]] = {
            SDK: {BARE: sdk_app(), OURS: protect(sdk_app(), server, [SCOPE]), PER_TOOL: protect(sdk_app(), server, [SCOPE], TOOLS)},
            FASTMCP: {
                BARE: fastmcp_app(),
                OURS: fastmcp_app(M2MAuth(server, [SCOPE])),
                PER_TOOL: fastmcp_app(M2MAuth(server, [SCOPE], TOOLS)),
                FASTMCPS_OWN: fastmcp_app(fastmcp_verifier(issuer, required_scopes=[SCOPE])),
            },
        }  # fmt: skip
        return {title: asyncio.run(_measured(variants, token, effort)) for title, variants in apps.items()}


async def _measured(apps: Mapping[str, Any], token: str, effort: Effort) -> dict[str, Measured]:
    """Call each application in turn, round after round; all of them are started before, since they keep tasks of their own."""
    calls = effort.rounds
    taken: dict[str, list[float]] = {name: [] for name in apps}
    async with AsyncExitStack() as stack:
        for app in apps.values():
            starlette = app
            while not hasattr(starlette, "router"):
                starlette = getattr(starlette, "app", None) or starlette._app
            await stack.enter_async_context(starlette.router.lifespan_context(starlette))
        call = {name: _caller(app, token) for name, app in apps.items()}
        for name in apps:
            await call[name]()
        for _ in range(effort.rounds):
            for name, samples in taken.items():
                began = process_time()
                for _ in range(calls):
                    await call[name]()
                samples.append((process_time() - began) / calls)
    return {name: summary(samples) for name, samples in taken.items()}


def _caller(app: Any, token: str) -> Callable[[], Any]:
    body = json.dumps(CALL).encode()
    headers = {
        "host": "127.0.0.1:8000", "content-type": "application/json", "accept": "application/json, text/event-stream",
        "content-length": str(len(body)), "mcp-protocol-version": "2025-11-25", "authorization": f"Bearer {token}",
    }  # fmt: skip
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/mcp",
        "raw_path": b"/mcp", "query_string": b"", "root_path": "", "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 8000),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip

    async def call() -> None:
        statuses: list[int] = []
        messages = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Any:
            return next(messages, None) or await asyncio.Event().wait()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await app(dict(scope), receive, send)
        assert statuses == [200], statuses

    return call
