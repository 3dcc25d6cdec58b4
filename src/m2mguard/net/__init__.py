"""The only package that opens a socket or starts a thread. `Transport` is the one seam for HTTP."""

from m2mguard._reasons.codes import TransportProblem
from m2mguard.net._in_cluster import InClusterTransport
from m2mguard.net._protocol import Response, Transport, TransportError
from m2mguard.net._transport import HttpTransport

__all__ = ["HttpTransport", "InClusterTransport", "Response", "Transport", "TransportError", "TransportProblem"]


def __dir__() -> list[str]:
    return sorted(__all__)
