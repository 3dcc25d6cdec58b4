"""Each WSGI example runs under a real server and is called."""

import pytest
import urllib3

from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.processes import running

APPS = [
    "wsgi_app:app", "falcon_app:app", "bottle_app:app", "pyramid_app:app", "flask_app:app", "django_site:application",
    "drf_site:application", "ninja_site:application",
]  # fmt: skip


@pytest.mark.parametrize("app", APPS)
def test_the_example_names_its_caller_and_refuses_others(app):
    with LocalIssuer() as issuer, urllib3.PoolManager(retries=False, timeout=20) as http:
        env = {"M2MGUARD_LOGTO_ENDPOINT": issuer.endpoint, "M2MGUARD_AUDIENCE": SHOPPING_API}
        with running("gunicorn", "--no-control-socket", "--bind", "fd://{fd}", f"examples.{app}", env=env) as url:

            def get(path, token=None):
                return http.request("GET", url + path, headers={"Authorization": f"Bearer {token}"} if token else {})

            assert get("/orders", issuer.mint("app-orders", scopes=["read:orders"])).json() == {"hello": "app-orders"}
            assert get("/orders").status == 401
            refused = get("/orders", issuer.mint(scopes=["other"]))
            assert refused.status == 403
            assert 'scope="read:orders"' in refused.headers["WWW-Authenticate"]
            assert get("/healthz").status == 200
            if app == "drf_site:application":
                assert b"read:orders" in get("/schema").data
