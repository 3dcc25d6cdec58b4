"""The only package that opens a socket or starts a thread. `Transport` is the one seam for HTTP."""

from m2mguard.net.protocol import Response, Transport, TransportError, TransportErrorCode
from m2mguard.net.transport import HttpTransport

__all__ = ["HttpTransport", "Response", "Transport", "TransportError", "TransportErrorCode"]
