"""The test kit: a local issuer, servers and callers for tests, and an audit of routes. Nothing that runs in production imports this.

Only names: each is imported from its module at its first use, so that an unused pytest plugin costs next to nothing.
"""

import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from m2mguard.testing import faults
    from m2mguard.testing._calling_as import calling_as, fake_caller
    from m2mguard.testing._factories import CallerFactory, HeadersFactory, TokenFactory
    from m2mguard.testing._fake_token_source import FakeTokenSource
    from m2mguard.testing._fault_control import Gate
    from m2mguard.testing._local_issuer import LocalIssuer
    from m2mguard.testing._minting import REMOVED, SHOPPING_API, MintOptions
    from m2mguard.testing._movable_clock import MovableClock
    from m2mguard.testing._request_log import RequestRecord
    from m2mguard.testing._route_audit import assert_all_routes_protected
    from m2mguard.testing._signing import ALGORITHMS, SigningKey, base64url, compact, sign_with_secret, thumbprint
    from m2mguard.testing._tenant import MANAGEMENT_API, Application, Membership, Resource
    from m2mguard.testing._test_server import TestServer, trusting
    from m2mguard.testing._throwaway_ca import ThrowawayCA
    from m2mguard.testing._unittest import M2MTestMixin
    from m2mguard.testing.faults import Fault

__all__ = [
    "ALGORITHMS",
    "MANAGEMENT_API",
    "REMOVED",
    "SHOPPING_API",
    "Application",
    "CallerFactory",
    "FakeTokenSource",
    "Fault",
    "Gate",
    "HeadersFactory",
    "LocalIssuer",
    "M2MTestMixin",
    "Membership",
    "MintOptions",
    "MovableClock",
    "RequestRecord",
    "Resource",
    "SigningKey",
    "TestServer",
    "ThrowawayCA",
    "TokenFactory",
    "assert_all_routes_protected",
    "base64url",
    "calling_as",
    "compact",
    "fake_caller",
    "faults",
    "sign_with_secret",
    "thumbprint",
    "trusting",
]

_MODULES: Final = MappingProxyType(
    {
        "faults": ("Fault",),
        "_local_issuer": ("LocalIssuer",),
        "_minting": ("REMOVED", "SHOPPING_API", "MintOptions"),
        "_tenant": ("MANAGEMENT_API", "Application", "Membership", "Resource"),
        "_request_log": ("RequestRecord",),
        "_signing": ("ALGORITHMS", "SigningKey", "base64url", "compact", "sign_with_secret", "thumbprint"),
        "_fault_control": ("Gate",),
        "_movable_clock": ("MovableClock",),
        "_test_server": ("TestServer", "trusting"),
        "_calling_as": ("calling_as", "fake_caller"),
        "_route_audit": ("assert_all_routes_protected",),
        "_factories": ("CallerFactory", "HeadersFactory", "TokenFactory"),
        "_fake_token_source": ("FakeTokenSource",),
        "_unittest": ("M2MTestMixin",),
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
