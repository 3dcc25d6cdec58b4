"""gRPC's server side: interceptors for `grpc.server` and `grpc.aio.server`, for all four kinds of call.

Authentication runs where the handler runs, never on the server's polling thread. Nothing is decided about tokens here.
"""

try:
    import grpc.aio  # noqa: F401 - so that one message names the extra
except ImportError as _missing:
    raise ImportError('m2mguard.grpc needs gRPC: pip install "m2mguard[grpc]"') from _missing

from m2mguard.grpc._aio import AioGuard
from m2mguard.grpc._policy import current_caller
from m2mguard.grpc._threads import Guard

__all__ = ["AioGuard", "Guard", "current_caller"]


def __dir__() -> list[str]:
    return sorted(__all__)
