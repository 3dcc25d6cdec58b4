"""The only package that opens a socket or starts a thread. `Transport` is the one seam for HTTP."""

from m2mguard.net.protocol import Response, Transport, TransportError
from m2mguard.net.transport import HttpTransport
from m2mguard.reasons.codes import TransportProblem

__all__ = ["HttpTransport", "Response", "Transport", "TransportError", "TransportProblem"]
