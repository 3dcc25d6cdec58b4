"""The examples of the client run, and show what they promise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from m2mguard.testing import MANAGEMENT_API, LocalIssuer

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_two_services_talk_each_with_a_token_of_its_own():
    done = run("two_services")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "the orders API was called by: web-shop",
        "the stock API was called by: orders-service",
        "had the orders API passed on its caller's token, the answer had been: 401",
        "token requests of both services for 11 calls: 2",
        "with the issuer gone, the answer still is: 200",
    ]


@pytest.mark.parametrize("tenant", ["its own", "another"])
def test_the_management_api_lists_the_applications(issuer: LocalIssuer, tenant):
    settings = {
        "LOGTO_ENDPOINT": issuer.endpoint,
        "APP_ID": "app-admin",
        "APP_SECRET": "secret-of-app-admin",
        "MANAGEMENT_API": MANAGEMENT_API,
    }
    done = run("management_api.py", **(settings if tenant == "another" else {}))
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["app-orders", "app-admin"]
    assert issuer.count("applications") == (1 if tenant == "another" else 0)
