"""`m2mguard token` and `doctor` with each way to authenticate, at a real provider."""

import json
from typing import Any

import pytest

from m2mguard import ResourceServer
from m2mguard._cli.command import main
from m2mguard.testing import SigningKey
from tests.client_keys import Certificate, private_pem


@pytest.fixture
def files(oidc_provider, tmp_path, monkeypatch) -> dict[str, str]:
    """The key and the certificate of two applications, a key of nobody, and the authority of the server that asks for certificates."""
    content = {
        "key": private_pem(oidc_provider.keys["key-ES256"]),
        "certificate": oidc_provider.certificate.certificate,
        "certificate_key": oidc_provider.certificate.key,
        "other_key": private_pem(SigningKey.generate("ES256")),
        "other_certificate": (other := Certificate.make()).certificate + other.key,
        "ca": oidc_provider.ca,
    }
    for name, pem in content.items():
        (tmp_path / name).write_bytes(pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca"))
    return {name: str(tmp_path / name) for name in content}


@pytest.fixture
def run(oidc_provider, capsys):
    """Run a command for an application: the status, and what it prints."""

    def run(command: str, app_id: str, *options: str) -> tuple[int, str]:
        where = ("--issuer", oidc_provider.issuer, "--audience", oidc_provider.resource, "--app-id", app_id)
        status = main([command, *where, *options])
        return status, capsys.readouterr().out

    return run


def codes(page: str) -> set[str]:
    found: list[dict[str, Any]] = json.loads(page)["findings"]
    return {one["code"] for one in found if one["section"] == "Credentials" and one["code"]}


def test_a_key_gets_a_token_and_another_key_none(oidc_provider, files, run):
    status, token = run("token", "key-ES256", "--key-file", files["key"])
    assert status == 0
    assert (
        ResourceServer(oidc_provider.issuer, audience=oidc_provider.resource).verify(token.strip()).app_id
        == "key-ES256"
    )
    assert run("token", "key-ES256", "--key-file", files["other_key"])[0] == 1
    assert codes(run("doctor", "key-ES256", "--json", "--key-file", files["key"])[1]) == set()
    assert codes(run("doctor", "key-ES256", "--json", "--key-file", files["other_key"])[1]) == {"client_authentication"}


def test_a_certificate_gets_a_token_and_another_certificate_none(oidc_provider, files, run):
    ours = ("--tls-certificate-file", files["certificate"], "--tls-key-file", files["certificate_key"])
    status, token = run("token", "certificate", *ours)
    assert status == 0
    assert (
        ResourceServer(oidc_provider.issuer, audience=oidc_provider.resource).verify(token.strip()).app_id
        == "certificate"
    )
    assert run("token", "certificate", "--tls-certificate-file", files["other_certificate"])[0] == 1
    assert codes(run("doctor", "certificate", "--json", *ours)[1]) == set()
