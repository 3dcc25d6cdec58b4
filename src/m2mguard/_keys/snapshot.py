"""The keys of one good fetch, and until when they are fresh and servable. And what a token says about its key. Data only."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from m2mguard._keys.key_caching import KeyCaching
from m2mguard._keys.key_set import KeySet

LEAST_MAX_AGE_S = 60
OLDER_S = 60.0  # a key set may lag behind the issuer's first signature by this much
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")  # RFC 7638 with SHA-256


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """What a token that is not verified yet says about its key. Never changed.

    Attributes:
        kid: the key id that its header names, or None.
        alg: the algorithm that its header names.
        issued_at: its `iat` in seconds since the epoch, or None where it has none that can be read.
        is_known: whether tokens of its issuer and App ID were verified before.
        rejected: what was tried before: identities of keys whose signature it does not carry, thumbprints of those for another algorithm.
    """

    kid: str | None
    alg: str
    issued_at: float | None = None
    is_known: bool = False
    rejected: frozenset[str] = frozenset()

    def is_answered_by(self, keys: KeySet) -> bool:
        """Tell whether a key set has a key for this token that was not tried yet.

        Without a key id several keys may fit. Then no other answer is to be expected: the token is refused.
        """
        if self.kid is None and keys.is_ambiguous(self.alg):
            return True
        candidates = keys.candidates(self.kid, self.alg)
        if not self.rejected:
            return bool(candidates)
        return any(self.alg in key.algorithms and key.identity(self.alg) not in self.rejected for key in candidates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The keys of one good fetch, and until when they are fresh and servable. Never changed, only replaced.

    Attributes:
        keys: the keys.
        fetched_at: when the fetch began, not when it ended: the answer may be as old as that.
        refresh_at: from then on traffic refreshes them in the background.
        expires_at: from then on a request waits for a refresh.
        stale_until: from then on they are not used.
        published_at: the moment of the answer in seconds since the epoch, by our clock or the issuer's, whichever is earlier.
    """

    keys: KeySet
    fetched_at: float
    refresh_at: float
    expires_at: float
    stale_until: float
    published_at: float

    @classmethod
    def from_fetch(
        cls,
        keys: KeySet,
        caching: KeyCaching,
        *,
        fetched_at: float,
        published_at: float,
        max_age: int | None,
        jitter: float,
    ) -> Snapshot:
        """Compute until when the keys of a fetch are fresh and servable.

        Args:
            keys: the keys of a good answer.
            caching: the numbers.
            fetched_at: when the fetch began.
            published_at: as the attribute.
            max_age: the issuer's `Cache-Control: max-age`, in seconds, or None. It may shorten the ttl, to no less than 60 s.
            jitter: 0 to 1: the position inside the ±10 % window around the time of refresh ahead.
        """
        ttl = caching.ttl if max_age is None else min(caching.ttl, max(LEAST_MAX_AGE_S, max_age))
        ahead = min(1.0, caching.refresh_ahead * (0.9 + 0.2 * jitter))
        return cls(
            keys=keys,
            fetched_at=fetched_at,
            refresh_at=fetched_at + ttl * ahead,
            expires_at=fetched_at + ttl,
            stale_until=fetched_at + max(caching.stale_for, ttl),
            published_at=published_at,
        )

    @classmethod
    def static(cls, keys: KeySet) -> Snapshot:
        """Keys that are always fresh."""
        forever = math.inf
        return cls(
            keys=keys,
            fetched_at=-forever,
            refresh_at=forever,
            expires_at=forever,
            stale_until=forever,
            published_at=-forever,
        )

    def is_newer_than(self, request: KeyRequest) -> bool:
        """Tell whether these keys were published so long after a token was issued that its key would be among them."""
        return request.issued_at is not None and request.issued_at < self.published_at - OLDER_S

    def looks_like_ours(self, request: KeyRequest) -> bool:
        """Tell whether a token is of a known application and names a key as this issuer names its keys.

        An issuer all of whose key ids are thumbprints (RFC 7638) gives no other key id, so that one is invented. A signature that is
        not our key's is a stranger's work more often than an issuer's.
        """
        if not request.is_known or request.rejected:
            return False
        by_thumbprint = all(key.kid == key.thumbprint for key in self.keys.keys)
        return not by_thumbprint or (request.kid is not None and _THUMBPRINT.fullmatch(request.kid) is not None)


def servable(snapshot: Snapshot, now: float) -> bool:
    """Tell whether a snapshot may still be used at all."""
    return now < snapshot.stale_until
