"""Logto's Management API as one more API that a machine calls: the example, and what it is refused for if roles are missing."""

import httpx2
import pytest

from m2mguard.client import TokenSource
from m2mguard.client.httpx2 import TokenAuth
from m2mguard.testing import MANAGEMENT_API


def management_api(issuer, app_id: str) -> httpx2.Client:
    source = TokenSource.logto(issuer.endpoint, app_id, f"secret-of-{app_id}", resource=MANAGEMENT_API, scopes=["all"])
    return httpx2.Client(auth=TokenAuth(source, issuer.endpoint), base_url=f"{issuer.endpoint}/api")


def test_the_applications_are_listed(issuer):
    with management_api(issuer, "app-admin") as api:
        answer = api.get("/applications")
    assert answer.status_code == 200
    assert {application["id"] for application in answer.json()} == {"app-orders", "app-admin"}


def test_an_app_without_the_role_gets_a_token_and_a_403(issuer, caplog):
    with management_api(issuer, "app-orders") as api:
        answer = api.get("/applications")
    assert (answer.status_code, answer.json()["code"]) == (403, "auth.forbidden")
    assert issuer.count("token") == 1
    assert "lacks scopes that were asked for" in caplog.text  # which says beforehand what the 403 says afterwards


@pytest.mark.parametrize("grace", [True, False])
def test_a_rotation_of_keys_is_not_noticed(issuer, grace):
    with management_api(issuer, "app-admin") as api:
        assert api.get("/applications").status_code == 200
        issuer.rotate(grace=grace)
        assert api.get("/applications").status_code == 200
