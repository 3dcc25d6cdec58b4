"""Django's side: a decorator for views, a middleware for whole sites, checks and a command. `request.auth` is the Caller.

Only names. Nothing is decided about tokens or answers in this room, and `request.user` is left alone.
"""

try:
    import django  # noqa: F401
except ImportError as _missing:
    raise ImportError('m2mguard.django needs Django: pip install "m2mguard[django]"') from _missing

from m2mguard.django.configuration import resource_server
from m2mguard.django.decorators import requires
from m2mguard.django.metadata import resource_metadata
from m2mguard.django.middleware import M2MGuardMiddleware
from m2mguard.django.probes import readiness
from m2mguard.django.requests import MachineRequest

__all__ = ["M2MGuardMiddleware", "MachineRequest", "readiness", "requires", "resource_metadata", "resource_server"]
