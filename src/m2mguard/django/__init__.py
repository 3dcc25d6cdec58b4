"""Django's side: a decorator for views, a middleware for whole sites, checks and a command. `request.auth` is the Caller.

Public names only. No decision about tokens or answers is made in this package, and `request.user` is not changed.
"""

try:
    import django  # noqa: F401
except ImportError as _missing:
    raise ImportError('m2mguard.django needs Django: pip install "m2mguard[django]"') from _missing

from m2mguard.django._decorators import requires
from m2mguard.django._guard import MachineRequest
from m2mguard.django._settings import resource_server
from m2mguard.django.middleware import M2MGuardMiddleware
from m2mguard.django.views import readiness, resource_metadata

__all__ = ["M2MGuardMiddleware", "MachineRequest", "readiness", "requires", "resource_metadata", "resource_server"]


def __dir__() -> list[str]:
    return sorted(__all__)
