"""m2mguard tells an API which application is calling it: machine-to-machine access tokens, verified at the resource server.

Public names only, each imported from its module at its first use: `m2mguard.client` needs none of them, and a service that only gets
tokens should not load what verifies them. Importing this starts no thread, opens no socket and loads no framework.
"""

import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from m2mguard._introspection.introspection import Introspection
    from m2mguard._keys.key_caching import KeyCaching
    from m2mguard._server.answers import Answer
    from m2mguard._server.requirement import Requirement
    from m2mguard._server.resource_server import ResourceServer
    from m2mguard._version import __version__
    from m2mguard.caller import Caller
    from m2mguard.errors import (
        AuthError,
        ConfigurationError,
        InsufficientScope,
        InsufficientUserAuthentication,
        InvalidRequest,
        InvalidToken,
        KeysUnavailable,
        M2MGuardError,
        MissingToken,
    )
    from m2mguard.events import Event
    from m2mguard.health import Health
    from m2mguard.issuer import Issuer

__all__ = [
    "Answer",
    "AuthError",
    "Caller",
    "ConfigurationError",
    "Event",
    "Health",
    "InsufficientScope",
    "InsufficientUserAuthentication",
    "Introspection",
    "InvalidRequest",
    "InvalidToken",
    "Issuer",
    "KeyCaching",
    "KeysUnavailable",
    "M2MGuardError",
    "MissingToken",
    "Requirement",
    "ResourceServer",
    "__version__",
]

_MODULES: Final = MappingProxyType(
    {
        "_version": ("__version__",),
        "_server.requirement": ("Requirement",),
        "caller": ("Caller",),
        "_server.answers": ("Answer",),
        "errors": (
            "AuthError",
            "ConfigurationError",
            "InsufficientScope",
            "InsufficientUserAuthentication",
            "InvalidRequest",
            "InvalidToken",
            "KeysUnavailable",
            "M2MGuardError",
            "MissingToken",
        ),
        "events": ("Event",),
        "health": ("Health",),
        "issuer": ("Issuer",),
        "_introspection.introspection": ("Introspection",),
        "_keys.key_caching": ("KeyCaching",),
        "_server.resource_server": ("ResourceServer",),
    }
)

if not TYPE_CHECKING:  # a type checker would then take every name for one of ours

    def __getattr__(name: str) -> object:
        for module, names in _MODULES.items():
            if name in names:
                found = globals()[name] = getattr(importlib.import_module(f"m2mguard.{module}"), name)
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted(__all__)
