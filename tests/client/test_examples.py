"""The examples of the client run and print what their descriptions say."""

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


def test_each_service_of_the_order_system_has_its_own_token():
    done = run("order_system")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "the first run of the job: {'tea': 3, 'milk': 4, 'sugar': 5}",
        "the orders API was called by: nightly-report",
        "the stock API was called by: orders-service",
        "had the orders API passed on its caller's token, the answer had been: 401",
        "token requests of both services for 4 runs: 2",
        "with the issuer gone, the next run: {'tea': 3, 'milk': 4, 'sugar': 5}",
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
