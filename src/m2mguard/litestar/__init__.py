"""Litestar's side: a plugin that protects an application, and guards for handlers, routers and controllers. `request.auth` is the Caller.

Nothing is decided about tokens or answers here: tokens are verified by the middleware of `m2mguard.asgi`.
"""

try:
    import litestar  # noqa: F401 - so that one message names the extra
except ImportError as _missing:
    raise ImportError('m2mguard.litestar needs Litestar: pip install "m2mguard[litestar]"') from _missing

from m2mguard.litestar._guards import RefusedRequest, requires
from m2mguard.litestar._plugin import M2MGuardPlugin

__all__ = ["M2MGuardPlugin", "RefusedRequest", "requires"]


def __dir__() -> list[str]:
    return sorted(__all__)
