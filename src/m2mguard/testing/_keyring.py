"""Logto's signing keys and their rotation: at most one Next, one Current, one Previous, and what is published.

Knows keys and the published set; nothing of tokens or HTTP.
"""

import threading
from collections.abc import Mapping

from m2mguard.testing._signing import SigningKey


class KeyRing:
    """The keys of one issuer. Every method is safe to call from any thread while the issuer is serving.

    Args:
        key: the first Current key.
    """

    def __init__(self, *, key: SigningKey) -> None:
        self._lock = threading.Lock()
        self._current = key
        self._next: SigningKey | None = None
        self._previous: SigningKey | None = None
        self._withdrawn: frozenset[SigningKey] = frozenset()
        self._extra: tuple[tuple[int | None, dict[str, object]], ...] = ()

    @property
    def current_key(self) -> SigningKey:
        """The key that signs new tokens."""
        return self._current

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        """The Current, Next and Previous keys that there are, withdrawn or not, in that order."""
        with self._lock:
            return self._held()

    @property
    def jwks(self) -> dict[str, list[dict[str, object]]]:
        """The published JWK Set (RFC 7517 §5): Current, Next, Previous as Logto orders them, and `publish`'s extras."""
        with self._lock:
            published = [key.public_jwk for key in self._held() if key not in self._withdrawn]
            for position, jwk in self._extra:
                published.insert(len(published) if position is None else position, dict(jwk))
        return {"keys": published}

    def rotate(self, algorithm: str | None = None, *, grace: bool = False, key: SigningKey | None = None) -> SigningKey:
        """Rotate as Logto does and return the new key.

        Args:
            algorithm: the new key's; default the current key's.
            grace: False (Logto's default): the new key signs at once, the old one becomes Previous and the one before
                that is withdrawn. True: the new key is only published, as Next, until `promote`.
            key: the new key itself, instead of one made here.
        """
        new = key or SigningKey.generate(algorithm or self._current.algorithm)
        with self._lock:
            if grace:
                self._next = new
            else:
                self._current, self._next, self._previous = new, None, self._current
        return new

    def promote(self) -> SigningKey:
        """Make Next the Current key, which becomes Previous: the end of a grace period.

        Raises:
            ValueError: there is no Next key.
        """
        with self._lock:
            if self._next is None:
                raise ValueError("there is no next key: rotate(grace=True) publishes one")
            self._current, self._next, self._previous = self._next, None, self._current
            return self._current

    def withdraw(self, kid: str | None = None) -> None:
        """Publish a key no longer. A withdrawn Current key still signs.

        Args:
            kid: which one; default the current key.

        Raises:
            ValueError: no published key has this `kid`.
        """
        with self._lock:
            wanted = self._current.kid if kid is None else kid
            held = {key for key in self._held() if key.kid == wanted} - self._withdrawn
            kept = tuple(extra for extra in self._extra if extra[1].get("kid") != wanted)
            if not held and kept == self._extra:
                raise ValueError("no published key has this kid")
            self._withdrawn |= held
            self._extra = kept

    def publish(self, jwk: Mapping[str, object], *, position: int | None = None) -> None:
        """Add any JWK, however odd, to the published set.

        Args:
            jwk: its members, served as they are.
            position: where among the published keys, 0 being first; default last.
        """
        with self._lock:
            self._extra += ((position, dict(jwk)),)

    def replace_material(self) -> SigningKey:
        """Give the current `kid` a new key pair and return it; the old one is gone without a trace."""
        new = SigningKey.generate(self._current.algorithm, kid=self._current.kid)
        with self._lock:
            self._current = new
        return new

    def _held(self) -> tuple[SigningKey, ...]:
        return tuple(key for key in (self._current, self._next, self._previous) if key is not None)
