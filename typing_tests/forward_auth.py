"""What an editor must know of the forward-auth endpoint. Checked by mypy and pyright in their strict modes; never run."""

from typing import assert_type

from m2mguard import Issuer, Requirement, ResourceServer
from m2mguard.asgi import ASGIApp
from m2mguard.forward_auth import JWKS_PATH, ForwardAuth, OriginalRequest, identity_issuer

server = ResourceServer("https://issuer.example", audience="https://shopping.api")


def tenant(request: OriginalRequest) -> str | None:
    assert_type(request.method, str)
    return assert_type(request.plain_path, str | None)


app: ASGIApp = ForwardAuth(server)
ForwardAuth(server, Requirement(organization=tenant), ["/healthz"])
ForwardAuth(
    server, requires=None, public=("/healthz",), paths={"/admin/": Requirement(scopes=["admin"])}, identity_key=b""
)
assert_type(identity_issuer(jwks_uri=f"http://127.0.0.1:9000{JWKS_PATH}"), Issuer)
ForwardAuth(server, paths=["/admin/"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
