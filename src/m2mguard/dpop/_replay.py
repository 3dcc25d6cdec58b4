"""What remembers used proofs, so that each is good for one request only (RFC 9449 section 11.1)."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

from m2mguard._validation import whole_number
from m2mguard.net._flight import after_fork_in_child, new_lock

_SHORTENED_BYTES = 16  # of a SHA-256: as hard to hit by chance, and half the memory


class UsedProof(NamedTuple):
    """A proof that is being used.

    Attributes:
        token_id: 32 bytes, equal for equal proofs only: a hash of the key and of `jti`.
        application: the issuer and the App ID of the token that it came with: whose share of the memory it takes.
        expires_at: from when on it is too old anyway, in seconds since the epoch.
        now: seconds since the epoch.
    """

    token_id: bytes
    application: tuple[str, str]
    expires_at: float
    now: float


class ReplayStoreFull(Exception):
    """There is no room to remember another proof: whether it is used twice cannot be told. Answered with 503."""


class ReplayStoreUnavailable(Exception):
    """Whether a proof is used twice cannot be told. Answered with 503. The text is logged: it says why, and holds no secret."""


class ReplayStore(Protocol):
    """Remembers used proofs. Safe to share between threads and event loops.

    `first_use` is asked by sync callers and may block; `afirst_use` by async ones, and must not. Whatever they raise is answered with 503;
    of other errors than ours only the type is logged.
    """

    def first_use(self, proof: UsedProof) -> bool:
        """Remember a proof until it is too old. False if it was used before: exactly one of several calls at once gets True."""
        ...

    async def afirst_use(self, proof: UsedProof) -> bool:
        """As `first_use`, without blocking."""
        ...


class MemoryReplayStore:
    """Remembers used proofs in this process: about 130 bytes each, for about `Dpop.max_age` and twice the leeway.

    Where several processes serve one API, each knows only its own; `ValkeyReplayStore` is for them. Never blocks: its lock is held for
    microseconds. A process that is forked starts with what its parent knew.

    Args:
        max_proofs: how many are remembered, 1 to 10,000,000, default 500,000.
        max_proofs_per_application: how many of one application, 1 to `max_proofs`, default 50,000, so that one caller cannot take all
            room: with the default times, some 450 requests a second in each process.

    Raises:
        ConfigurationError: an invalid number.
    """

    def __init__(self, *, max_proofs: int = 500_000, max_proofs_per_application: int = 50_000) -> None:
        self._most = whole_number("max_proofs", max_proofs, least=1, most=10_000_000, unit="proofs")
        self._share = whole_number(
            "max_proofs_per_application", max_proofs_per_application, least=1, most=max_proofs, unit="proofs"
        )
        self._used: dict[tuple[str, str], set[bytes]] = {}
        self._expiring: dict[int, list[tuple[tuple[str, str], bytes]]] = {}
        self._count = 0
        self._forgotten_until = -math.inf
        self._lock = new_lock()
        after_fork_in_child(self._after_fork)

    def first_use(self, proof: UsedProof) -> bool:
        """As `ReplayStore.first_use`. Never blocks.

        Raises:
            ReplayStoreFull: the application's share is used up, or all room is.
        """
        token_id, second = proof.token_id[:_SHORTENED_BYTES], math.ceil(proof.expires_at)
        with self._lock:
            self._forget(proof.now)
            # A clock that is set back makes old proofs young again. What was used among them is forgotten, so none is accepted.
            if second <= self._forgotten_until:
                return False
            used = self._used.get(proof.application, ())
            if token_id in used:
                return False
            if len(used) >= self._share or self._count >= self._most:
                raise ReplayStoreFull
            self._used.setdefault(proof.application, set()).add(token_id)
            self._expiring.setdefault(second, []).append((proof.application, token_id))
            self._count += 1
            return True

    async def afirst_use(self, proof: UsedProof) -> bool:
        """As `first_use`, which does not block either."""
        return self.first_use(proof)

    def _forget(self, now: float) -> None:
        """Drop the proofs that are too old by now. There are about as many keys as a proof has seconds to live."""
        for second in [one for one in self._expiring if one <= now]:
            for application, token_id in self._expiring.pop(second):
                used = self._used[application]
                used.discard(token_id)
                self._count -= 1
                if not used:
                    del self._used[application]
            self._forgotten_until = max(self._forgotten_until, second)

    def _after_fork(self) -> None:
        self._lock = new_lock()  # the parent's may be held by a thread that the child does not have

    def __len__(self) -> int:
        return self._count
