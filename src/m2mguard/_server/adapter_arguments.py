"""Checks the arguments that adapters have in common, so that all say the same of an invalid one. Nothing here serves a request."""

from __future__ import annotations

from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard._validation import is_async
from m2mguard.certificates import of_grpc_call
from m2mguard.errors import ConfigurationError


def check_arguments(
    server: object, *, requires: object = None, on_error: object = None, certificate: object = None
) -> None:
    """Check what an adapter was given.

    Args:
        server: must be a ResourceServer.
        requires: must be a Requirement that this server can check, or None.
        on_error: must be a plain function, or None.
        certificate: must be a plain function, or None.

    Raises:
        ConfigurationError: it is not.
    """
    if not isinstance(server, ResourceServer):
        raise ConfigurationError("server must be a ResourceServer.")
    if requires is not None:
        if not isinstance(requires, Requirement):
            raise ConfigurationError('requires must be a Requirement, such as Requirement(scopes=["read:orders"]).')
        server.check_requirement(requires)
    if on_error is not None and (not callable(on_error) or is_async(on_error)):
        raise ConfigurationError(
            "on_error must be a plain (not async) callable that takes two arguments: the error and the request."
        )
    check_certificate(certificate)


def check_certificate(certificate: object) -> None:
    """Check a reader of certificates for HTTP, or None. Raises ConfigurationError."""
    if certificate is of_grpc_call:
        raise ConfigurationError(
            "certificate: from_grpc() reads the connection of a gRPC call. Over HTTP give the reader of the proxy that ends TLS, such as "
            'm2mguard.certificates.from_nginx("X-Client-Cert").'
        )
    if certificate is not None and (not callable(certificate) or is_async(certificate)):
        raise ConfigurationError(
            'certificate must be a reader, such as m2mguard.certificates.from_nginx("X-Client-Cert"), or a plain (not async) callable '
            "that takes the head of a request."
        )
