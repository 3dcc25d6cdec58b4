"""What a call tells of its sender, as readers of certificates take it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import grpc


class CallHead:
    """The head of a call, in the form of `m2mguard.exemptions.RequestHead`. It has no path, since nothing but HTTP has proofs for a URL.

    Args:
        details: of the call.
        context: of the call, which is read while the call is open.
    """

    method = "POST"
    query = ""

    def __init__(self, details: grpc.HandlerCallDetails, context: Any) -> None:
        self._metadata = details.invocation_metadata or ()
        self._context = context
        self.path: dict[str, Any] = {}

    @property
    def fields(self) -> Iterator[tuple[str, str]]:
        """The metadata that is text."""
        return ((name, value) for name, value in self._metadata if isinstance(value, str))

    @cached_property
    def peer(self) -> str | None:
        """The address of the other end of the connection. gRPC writes "ipv4:127.0.0.1:5000", "ipv6:%5B::1%5D:5000", "unix:/path".

        Anything else, such as "vsock:2:5000" of another virtual machine, stays as it is: no proxy's address is like that.
        """
        written = unquote(self._context.peer() or "unknown")
        family, _, rest = written.partition(":")
        if family in ("unix", "unix-abstract"):
            return None
        return rest.rpartition(":")[0].strip("[]") if family in ("ipv4", "ipv6") else written

    @cached_property
    def connection_certificate(self) -> bytes | None:
        """The certificate that the client has shown on this connection, as PEM; None if it has shown none."""
        found = self._context.auth_context().get("x509_pem_cert")
        return found[0] if found else None
