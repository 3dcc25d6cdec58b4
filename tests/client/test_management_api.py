"""Logto's Management API, called by a machine with and without the necessary role."""

import httpx2
import pytest

from m2mguard.client import TokenSource
from m2mguard.client.httpx2 import TokenAuth
from m2mguard.testing import MANAGEMENT_API


def management_api(issuer, app_id: str) -> httpx2.Client:
    source = TokenSource.logto(issuer.endpoint, app_id, f"secret-of-{app_id}", resource=MANAGEMENT_API, scopes=["all"])
    return httpx2.Client(auth=TokenAuth(source, issuer.endpoint), base_url=f"{issuer.endpoint}/api")


def test_an_app_with_the_role_lists_the_applications(issuer):
    with management_api(issuer, "app-admin") as api:
        answer = api.get("/applications")
    assert answer.status_code == 200
    assert {application["id"] for application in answer.json()} == {"app-orders", "app-admin"}


def test_an_app_without_the_role_gets_a_token_and_a_403(issuer, caplog):
    with management_api(issuer, "app-orders") as api:
        answer = api.get("/applications")
    assert (answer.status_code, answer.json()["code"]) == (403, "auth.forbidden")
    assert issuer.count("token") == 1
    assert "lacks scopes that were asked for" in caplog.text  # the warning precedes the 403


@pytest.mark.parametrize("grace", [True, False])
def test_a_key_rotation_does_not_interrupt_calls(issuer, grace):
    with management_api(issuer, "app-admin") as api:
        assert api.get("/applications").status_code == 200
        issuer.rotate(grace=grace)
        assert api.get("/applications").status_code == 200
