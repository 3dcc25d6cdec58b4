"""The only rooms that open a socket or start a thread. `Transport` is the one seam for HTTP."""

from m2mguard.net.protocol import Response, Transport, TransportError
from m2mguard.net.transport import HttpTransport

__all__ = ["HttpTransport", "Response", "Transport", "TransportError"]
