"""A TLS certificate: the issuer knows the application by the connection itself (RFC 8705 section 2)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from m2mguard._authentication.proof import EndpointAuthentication, Proof, ProofRequest
from m2mguard.net._transport import HttpTransport


@dataclass(frozen=True, slots=True)
class MutualTls(EndpointAuthentication):
    """A client certificate: no secret is sent at all. The repr leaves the key's path out.

    The files are read again when they change; while they cannot be read, the last ones that could stay in use. The issuer's metadata may
    name another token endpoint for such connections (`mtls_endpoint_aliases`, RFC 8705 section 5), which is then asked.

    Args:
        certificate: the path of the PEM file with the certificate, and those of its authorities, if any.
        key: the path of the PEM file with its private key, without a password. Default None: it is in the same file.
        ca_file: a PEM file of authorities to trust for the issuer's own certificate instead of the system's. Default None.

    Raises:
        ConfigurationError: the files cannot be read, or the key is another certificate's.
    """

    certificate: str | os.PathLike[str]
    key: str | os.PathLike[str] | None = field(default=None, repr=False)
    ca_file: str | None = None

    def __post_init__(self) -> None:
        self.transport()

    def transport(self, **options: object) -> HttpTransport:
        """A transport that shows the certificate to whom asks for it. Options as for `HttpTransport`."""
        return HttpTransport(self.ca_file, client_certificate=(self.certificate, self.key), **options)  # type: ignore[arg-type]

    def proof(self, request: ProofRequest) -> Proof:
        """The client id alone; the connection proves it."""
        return Proof(parameters={"client_id": request.client_id})
