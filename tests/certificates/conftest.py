"""Two applications with certificates, a server's own certificate, and a client that shows one or none."""

import ssl
from pathlib import Path

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from m2mguard._token.confirmation import thumbprint_of
from tests.client_keys import Certificate


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with certificates, each with its key in the same file, and those of the clients in `clients.pem`."""
    folder = tmp_path_factory.mktemp("certificates")
    own = {name: Certificate.make(name) for name in ("server", "orders", "thief")}
    for name, made in own.items():
        (folder / f"{name}.pem").write_bytes(made.certificate + made.key)
        (folder / f"{name}.key").write_bytes(made.key)
    (folder / "clients.pem").write_bytes(own["orders"].certificate + own["thief"].certificate)
    return folder


@pytest.fixture(scope="session")
def bound(files: Path) -> dict[str, object]:
    """The claim of a token that is bound to the certificate of `orders`."""
    certificate = x509.load_pem_x509_certificate((files / "orders.pem").read_bytes())
    return {"cnf": {"x5t#S256": thumbprint_of(certificate.public_bytes(Encoding.DER))}}


def sending(files: Path, url: str, owner: str | None) -> urllib3.PoolManager:
    """A client for a server of ours that shows the certificate of `owner`, or none."""
    context = ssl.create_default_context(cafile=files / "server.pem")
    if owner is not None:
        context.load_cert_chain(files / f"{owner}.pem")
    return urllib3.PoolManager(ssl_context=context)
