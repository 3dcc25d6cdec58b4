"""m2mguard tells an API which application is calling it: machine-to-machine access tokens, verified at the resource server.

Public names only. Importing this starts no thread, opens no socket and loads no framework.
"""

from m2mguard.access import Requirement
from m2mguard.caller import Caller
from m2mguard.challenge import Answer
from m2mguard.errors import (
    AuthError,
    ConfigurationError,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    KeysUnavailable,
    M2MGuardError,
    MissingToken,
)
from m2mguard.events import Event
from m2mguard.health import Health
from m2mguard.issuer import Issuer
from m2mguard.keys.caching import KeyCaching
from m2mguard.resource_server import ResourceServer

__all__ = [
    "Answer",
    "AuthError",
    "Caller",
    "ConfigurationError",
    "Event",
    "Health",
    "InsufficientScope",
    "InvalidRequest",
    "InvalidToken",
    "Issuer",
    "KeyCaching",
    "KeysUnavailable",
    "M2MGuardError",
    "MissingToken",
    "Requirement",
    "ResourceServer",
]
