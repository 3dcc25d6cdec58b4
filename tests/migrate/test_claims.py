"""What the pages in docs/migrate say beside their tables."""

import fastmcp
import fastmcp.server.auth
import jwt
import pytest
from fastmcp.server.auth.providers.jwt import JWTVerifier
from starlette.testclient import TestClient

from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.migrate.situations import outcome
from tests.migrate.test_pages import PAGES, verifier


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["authlib", "fastapi-azure-auth"])
def test_a_library_takes_no_es384_which_is_logtos_default(name):
    pytest.importorskip({"authlib": "authlib", "fastapi-azure-auth": "fastapi_azure_auth"}[name])
    (page,) = (page for page in PAGES if page.stem == name)
    with LocalIssuer(algorithm="ES384") as issuer:
        assert outcome(verifier(page, "before", issuer), issuer.mint(scopes=["read:orders"])) != "accepted"


def test_an_outage_and_a_bad_token_are_one_family_in_pyjwt():
    assert issubclass(jwt.PyJWKClientConnectionError, jwt.PyJWTError)
    assert issubclass(jwt.InvalidAudienceError, jwt.PyJWTError)


def test_fastmcp_takes_two_fields_and_answers_a_missing_scope_with_200(issuer):
    verifier = JWTVerifier(jwks_uri=issuer.jwks_uri, issuer=issuer.url, audience=SHOPPING_API, algorithm="ES256")
    server = fastmcp.FastMCP("orders", auth=verifier)
    server.tool(lambda: "deleted", name="delete_order", auth=fastmcp.server.auth.require_scopes("delete:orders"))
    field = ("Authorization", f"Bearer {issuer.mint(scopes=['read:orders'])}")
    accept = ("Accept", "application/json, text/event-stream")
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "delete_order", "arguments": {}}}
    with TestClient(
        server.http_app(stateless_http=True, json_response=True), base_url="http://localhost:8000"
    ) as client:
        one, two = (client.post("/mcp", json=call, headers=[accept, *fields]) for fields in ([field], [field, field]))
        assert one.status_code == two.status_code == 200
        assert "deleted" not in one.text
        assert "Unknown tool" in one.text
        assert client.post("/mcp", json=call, headers=[accept]).status_code == 401
