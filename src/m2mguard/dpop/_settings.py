"""The settings of DPoP at a resource server, and its nonces."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from m2mguard._token.base64url import base64url_encode
from m2mguard._token.jws import SUPPORTED_ALGORITHMS
from m2mguard._token.ml_dsa import PARAMETER_SETS
from m2mguard._validation import number, one_or_more
from m2mguard.dpop._replay import MemoryReplayStore, ReplayStore
from m2mguard.errors import ConfigurationError

ALGORITHMS: Final = ("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "PS256", "RS256")
_POSSIBLE = (
    SUPPORTED_ALGORITHMS - PARAMETER_SETS.keys()
)  # a proof by ML-DSA is larger than what servers take for a field
_MIN_KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Dpop:
    """How a `ResourceServer` checks DPoP (RFC 9449): `ResourceServer(..., resource_url="https://shopping.example", dpop=Dpop())`.

    A token that is bound to a key (`cnf.jkt`) is then accepted with the scheme `DPoP` and a proof of its key, made for this request. The
    URI in a proof is compared with the origin of `resource_url` and the path of the request, never with a Host field.

    Args:
        required: refuse tokens that are not bound, too; the metadata says so. Default False: bearer tokens are accepted beside.
        algorithms: of proofs, default ES256, ES384, ES512, EdDSA, Ed25519, PS256 and RS256.
        max_age: for how many seconds a proof may be used, 1 to 600, default 60; the server's leeway comes on top.
        nonce: ask for a nonce of this server in each proof (RFC 9449 section 9), so that none can be made in advance. Default False.
        nonce_key: at least 32 secret bytes, the same in each process that serves this API, for then all know each other's nonces. Default
            None: random ones, for this process and those that are forked from it. The repr leaves it out.
        nonce_lifetime: after how many seconds there is a new nonce, 10 to 86,400, default 300; the one before is accepted as long.
        stripped_prefix: what a proxy removes from the front of the path before a request gets here, such as "/shop". Default "": nothing.
            A prefix that the server tells (`root_path`, `SCRIPT_NAME`) counts as part of the path and is not named here.
        replay_store: remembers used proofs. Default None: a `MemoryReplayStore()`. `M2MGUARD_DPOP_REPLAY_STORE` is the URL of a
            `ValkeyReplayStore`.

    Raises:
        ConfigurationError: an invalid value.
    """

    required: bool = False
    algorithms: Collection[str] = ALGORITHMS
    max_age: float = 60
    nonce: bool = False
    nonce_key: bytes | None = field(default=None, repr=False)
    nonce_lifetime: float = 300
    stripped_prefix: str = ""
    replay_store: ReplayStore | None = None
    _nonces: Nonces | None = field(init=False, repr=False, compare=False)
    _store: ReplayStore = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for setting in ("required", "nonce"):
            if not isinstance(getattr(self, setting), bool):
                raise ConfigurationError(f"{setting} must be True or False.")
        names = one_or_more("algorithms", self.algorithms, what="algorithms of proofs")
        wrong = sorted(set(names) - _POSSIBLE)
        if wrong:
            raise ConfigurationError(
                f"algorithms: {', '.join(wrong)} cannot sign a proof. There are: {', '.join(sorted(_POSSIBLE))}."
            )
        object.__setattr__(self, "algorithms", names)
        number("max_age", self.max_age, least=1, most=600)
        number("nonce_lifetime", self.nonce_lifetime, least=10, most=86_400)
        self._check_nonce_key()
        self._check_prefix()
        store = MemoryReplayStore() if self.replay_store is None else self.replay_store
        if not all(callable(getattr(store, name, None)) for name in ("first_use", "afirst_use")):
            raise ConfigurationError(
                "replay_store must have the methods of m2mguard.dpop.ReplayStore: first_use and afirst_use."
            )
        object.__setattr__(self, "_store", store)
        key = secrets.token_bytes(_MIN_KEY_BYTES) if self.nonce_key is None else self.nonce_key
        object.__setattr__(self, "_nonces", Nonces(key, self.nonce_lifetime) if self.nonce else None)

    def _check_nonce_key(self) -> None:
        if self.nonce_key is None:
            return
        if not isinstance(self.nonce_key, bytes) or len(self.nonce_key) < _MIN_KEY_BYTES:
            raise ConfigurationError(
                f"nonce_key must be at least {_MIN_KEY_BYTES} secret bytes: secrets.token_bytes({_MIN_KEY_BYTES})."
            )
        if not self.nonce:
            raise ConfigurationError("nonce_key has no effect without nonce=True.")

    def _check_prefix(self) -> None:
        prefix = self.stripped_prefix
        if prefix == "":
            return
        if (
            not isinstance(prefix, str)
            or not prefix.startswith("/")
            or prefix.endswith("/")
            or "%" in prefix
            or "//" in prefix
        ):
            raise ConfigurationError(
                'stripped_prefix must be a path such as "/shop": with a slash in front and none at the end.'
            )


class Nonces:
    """Nonces that nobody needs to remember: a time slot and its HMAC. Immutable and safe to share between threads.

    Args:
        key: the secret key.
        lifetime_s: the length of a time slot. A nonce is good in its own slot and in the next.
    """

    __slots__ = ("_key", "_lifetime_s")

    def __init__(self, key: bytes, lifetime_s: float) -> None:
        self._key = key
        self._lifetime_s = lifetime_s

    def current(self, now: float) -> str:
        """The nonce to give out now."""
        return self._of(int(now // self._lifetime_s))

    def is_good(self, nonce: str, now: float) -> bool:
        """Tell whether it is one of ours, of this slot or the last. The next one's is for processes whose clocks go ahead."""
        slot = int(now // self._lifetime_s)
        return any(hmac.compare_digest(nonce.encode(), self._of(one).encode()) for one in (slot, slot - 1, slot + 1))

    def _of(self, slot: int) -> str:
        return base64url_encode(hmac.digest(self._key, f"m2mguard DPoP nonce {slot}".encode(), hashlib.sha256)[:18])


def in_use(settings: Dpop) -> tuple[Nonces | None, ReplayStore]:
    """The nonces, if they are asked for, and the store."""
    return settings._nonces, settings._store  # noqa: SLF001 - of this module
