"""Each ASGI example runs under uvicorn and is called."""

import importlib

import pytest
import urllib3

from m2mguard.testing import SHOPPING_API, LocalIssuer


@pytest.mark.parametrize("name", ["asgi_app", "fastapi_app", "litestar_app", "quart_app", "starlette_app"])
def test_the_example_names_its_caller_and_refuses_others(name, serve, monkeypatch):
    with LocalIssuer() as issuer, urllib3.PoolManager(retries=False, timeout=20) as http:
        monkeypatch.setenv("M2MGUARD_LOGTO_ENDPOINT", issuer.endpoint)
        monkeypatch.setenv("M2MGUARD_AUDIENCE", SHOPPING_API)
        url = serve(importlib.import_module(f"examples.{name}").app)

        def get(path, token=None):
            return http.request("GET", url + path, headers={"Authorization": f"Bearer {token}"} if token else {})

        assert get("/orders", issuer.mint("app-orders", scopes=["read:orders"])).json() == {"hello": "app-orders"}
        assert get("/orders").status == 401
        refused = get("/orders", issuer.mint(scopes=["other"]))
        assert refused.status == 403
        assert 'scope="read:orders"' in refused.headers["WWW-Authenticate"]
        assert get("/healthz").status == 200
