"""The MCP example runs under uvicorn and is called by an agent."""

import importlib.util
from pathlib import Path

import urllib3

from m2mguard.testing import LocalIssuer
from tests.conftest import under_uvicorn
from tests.mcp.conftest import Service

EXAMPLE = Path(__file__).parents[2] / "examples" / "mcp_server.py"


def load():
    spec = importlib.util.spec_from_file_location("mcp_server", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app


def test_an_agent_reads_and_deletes_with_the_scope_only(monkeypatch):
    api = "https://orders.example/mcp"
    with LocalIssuer() as issuer:
        monkeypatch.setenv("M2MGUARD_LOGTO_ENDPOINT", issuer.endpoint)
        monkeypatch.setenv("M2MGUARD_AUDIENCE", api)
        monkeypatch.setenv("M2MGUARD_RESOURCE_URL", api)
        with under_uvicorn(load()) as url:
            agent = Service(url=url, token=issuer.mint("app-agent", audience=api, scopes=["read:orders"])).open()

            def call(tool):
                return agent.send(agent.message("tools/call", name=tool, arguments={"number": 1}))

            assert "a book" in call("read_order").data.decode()
            assert call("delete_order").status == 403
            agent.token = issuer.mint("app-agent", audience=api, scopes=["read:orders", "delete:orders"])
            assert "deleted by app-agent" in call("delete_order").data.decode()
            assert urllib3.request("GET", f"{url}/.well-known/oauth-protected-resource/mcp").json()["resource"] == api
