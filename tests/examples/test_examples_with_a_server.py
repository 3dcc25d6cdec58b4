"""Each example whose framework has a server of its own runs and is called."""

import os
import sys
from pathlib import Path

import pytest
import urllib3

from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.commands import free_port, running_command

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", ["aiohttp_app.py", "sanic_app.py"])
def test_the_example_names_its_caller_and_refuses_others(name):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with LocalIssuer() as issuer:
        environ = {"M2MGUARD_LOGTO_ENDPOINT": issuer.endpoint, "M2MGUARD_AUDIENCE": SHOPPING_API, "PORT": str(port)}
        with running_command([sys.executable, EXAMPLES / name], f"{url}/healthz", env=os.environ | environ):

            def get(path, **claims):
                fields = {"Authorization": f"Bearer {issuer.mint('app-orders', **claims)}"} if claims else {}
                return urllib3.request("GET", url + path, headers=fields, retries=False, timeout=20)

            assert get("/orders", scopes=["read:orders"]).json() == {"hello": "app-orders"}
            assert get("/orders").status == 401
            refused = get("/orders", scopes=["other"])
            assert (refused.status, 'scope="read:orders"' in refused.headers["WWW-Authenticate"]) == (403, True)
            assert get("/healthz").json() == "up"
