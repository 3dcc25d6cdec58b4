"""The MCP SDK's own client, with client credentials of a real OpenID Connect provider, against both frameworks in both eras.

A client that is told 403 `insufficient_scope` gets a token with more scopes and tries again, by itself.
"""

import contextlib

import httpx2
import pytest
from mcp.client import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client

from m2mguard import Issuer, ResourceServer
from tests.conftest import under_uvicorn
from tests.mcp.conftest import STACKS, application

ERAS = ["legacy", "2026-07-28"]
TOOLS = {"delete_order": ["write:orders"]}


class TokenStorage:
    """What the SDK's client keeps: its token and its registration."""

    def __init__(self):
        self.tokens = self.client = None
        self.scopes = []

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens
        self.scopes.append(tokens.scope)

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


@pytest.fixture(params=STACKS)
def mcp_url(request, oidc_provider):
    def build(url):
        server = ResourceServer(Issuer(url=oidc_provider.issuer), audience=f"{url}/mcp", resource_url=f"{url}/mcp")
        return application(request.param, server, tools=TOOLS)

    with under_uvicorn(build=build) as url:
        yield f"{url}/mcp"


@contextlib.asynccontextmanager
async def connected(url, era, storage, provider, app_id):
    auth = ClientCredentialsOAuthProvider(
        url, storage, client_id=app_id, client_secret=provider.clients[app_id], issuer=provider.issuer
    )
    async with (
        httpx2.AsyncClient(auth=auth, timeout=20) as http,
        Client(streamable_http_client(url, http_client=http), mode=era) as client,
    ):
        yield client


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_client_steps_up_from_one_scope_to_two(mcp_url, era, oidc_provider):
    storage = TokenStorage()
    app_id = "orders-es384"
    async with connected(mcp_url, era, storage, oidc_provider, app_id) as client:
        seen = (await client.call_tool("read_order", {})).structured_content
        assert (seen["caller"], seen["scopes"]) == (app_id, ["read:orders"])
        assert storage.scopes == ["read:orders"]

        seen = (await client.call_tool("delete_order", {})).structured_content
        assert (seen["caller"], seen["scopes"]) == (app_id, ["read:orders", "write:orders"])
        assert [set(scopes.split()) for scopes in storage.scopes] == [{"read:orders"}, {"read:orders", "write:orders"}]

        await client.call_tool("read_order", {})
        assert len(storage.scopes) == 2
