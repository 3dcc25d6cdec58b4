"""A local issuer for tests and demonstrations. Nothing that runs in production imports this.

Only names: each is imported from its module at its first use, so that an unused pytest plugin costs next to nothing.
"""

import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from m2mguard.testing import faults
    from m2mguard.testing._fault_control import Gate
    from m2mguard.testing._local_issuer import LocalIssuer
    from m2mguard.testing._minting import REMOVED, SHOPPING_API
    from m2mguard.testing._request_log import RequestRecord
    from m2mguard.testing._signing import ALGORITHMS, SigningKey, base64url, compact, sign_with_secret, thumbprint
    from m2mguard.testing._tenant import MANAGEMENT_API, Application, Membership, Resource
    from m2mguard.testing._throwaway_ca import ThrowawayCA
    from m2mguard.testing.faults import Fault

__all__ = [
    "ALGORITHMS",
    "MANAGEMENT_API",
    "REMOVED",
    "SHOPPING_API",
    "Application",
    "Fault",
    "Gate",
    "LocalIssuer",
    "Membership",
    "RequestRecord",
    "Resource",
    "SigningKey",
    "ThrowawayCA",
    "base64url",
    "compact",
    "faults",
    "sign_with_secret",
    "thumbprint",
]

_MODULES: Final = MappingProxyType(
    {
        "faults": ("Fault",),
        "_local_issuer": ("LocalIssuer",),
        "_minting": ("REMOVED", "SHOPPING_API"),
        "_tenant": ("MANAGEMENT_API", "Application", "Membership", "Resource"),
        "_request_log": ("RequestRecord",),
        "_signing": ("ALGORITHMS", "SigningKey", "base64url", "compact", "sign_with_secret", "thumbprint"),
        "_fault_control": ("Gate",),
        "_throwaway_ca": ("ThrowawayCA",),
    }
)


if not TYPE_CHECKING:  # a type checker would then take every name for one of ours

    def __getattr__(name: str) -> object:
        if name == "faults":
            return importlib.import_module("m2mguard.testing.faults")
        for module, names in _MODULES.items():
            if name in names:
                return getattr(importlib.import_module(f"m2mguard.testing.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted(__all__)
