"""DPoP (RFC 9449): tokens that are worth nothing without their sender's private key. The settings, and what remembers used proofs.

The proofs themselves are checked by the `ResourceServer`, and made by `m2mguard.client.DpopKey`.
"""

from m2mguard.dpop._replay import MemoryReplayStore, ReplayStore, ReplayStoreFull, ReplayStoreUnavailable, UsedProof
from m2mguard.dpop._settings import Dpop
from m2mguard.dpop._valkey_replay import ValkeyReplayStore

__all__ = [
    "Dpop",
    "MemoryReplayStore",
    "ReplayStore",
    "ReplayStoreFull",
    "ReplayStoreUnavailable",
    "UsedProof",
    "ValkeyReplayStore",
]


def __dir__() -> list[str]:
    return sorted(__all__)
