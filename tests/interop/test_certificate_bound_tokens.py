"""A real provider binds a token to its client's certificate, and an API behind nginx lets in this client only (RFC 8705)."""

import pytest

from m2mguard import InvalidToken, ResourceServer, certificates
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.client import MutualTls, TokenSource
from tests.certificates.conftest import sending
from tests.certificates.test_proxies import Api, running_proxy
from tests.client_keys import Certificate
from tests.conftest import under_uvicorn

pytestmark = pytest.mark.slow


@pytest.fixture
def files(oidc_provider, tmp_path):
    """The certificates of the provider's client, of a thief and of nginx, and the authorities by which nginx knows the first two."""
    folder = tmp_path / "files"
    folder.mkdir()
    own = {
        "client": oidc_provider.certificate,
        "thief": Certificate.make("thief"),
        "server": Certificate.make("server"),
    }
    for name, made in own.items():
        (folder / f"{name}.pem").write_bytes(made.certificate + made.key)
        (folder / f"{name}.key").write_bytes(made.key)
    (folder / "clients.pem").write_bytes(own["client"].certificate + own["thief"].certificate)
    (folder / "provider.pem").write_bytes(oidc_provider.ca)
    return folder


def test_a_token_of_mutual_tls_is_its_clients_only(oidc_provider, files, tmp_path):
    source = TokenSource(
        oidc_provider.issuer,
        client_id="certificate-bound",
        authentication=MutualTls(files / "client.pem", ca_file=str(files / "provider.pem")),
        resource=oidc_provider.resource,
    )
    token = source.token().value
    server = ResourceServer(oidc_provider.issuer, audience=oidc_provider.resource)
    with pytest.raises(InvalidToken) as caught:
        server.verify(token)  # there is no certificate without a request
    assert caught.value.problem == "bound"
    app = BearerAuthMiddleware(Api(), server, certificate=certificates.from_nginx())
    with under_uvicorn(app, proxy_headers=False) as api, running_proxy("nginx", files, tmp_path / "nginx", api) as url:

        def status(owner):
            fields = {"Authorization": f"Bearer {token}"}
            return sending(files, url, owner).request("GET", url, headers=fields, retries=False, timeout=20).status

        assert status("client") == 200
        assert status("thief") == status(None) == 401
