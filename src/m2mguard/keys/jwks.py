"""Bytes of a JWK Set in, an immutable KeySet out (RFC 7517 section 5). One bad key is skipped alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from m2mguard.token.jose import UnusableKey, VerificationKey, load_key
from m2mguard.token.strict_json import parse_object

MAX_KEYS_PER_KID = 4


class UnusableKeySet(ValueError):
    """The answer is no key set, or holds no key that can verify anything. The message is in our own words."""


class KeySet:
    """The usable keys of one issuer at one moment. Immutable and safe to share between threads.

    Attributes:
        keys: every usable key, in the issuer's order.
        thumbprints: their identities.
        skipped: for each key passed over, its position and why.
    """

    __slots__ = ("_by_kid", "keys", "skipped", "thumbprints")

    def __init__(self, keys: Iterable[VerificationKey], *, skipped: Iterable[str] = ()) -> None:
        self.keys: tuple[VerificationKey, ...] = tuple(keys)
        self.skipped: tuple[str, ...] = tuple(skipped)
        self.thumbprints: frozenset[str] = frozenset(key.thumbprint for key in self.keys)
        by_kid: dict[str, tuple[VerificationKey, ...]] = {}
        for key in self.keys:
            if key.kid is not None:
                by_kid[key.kid] = (*by_kid.get(key.kid, ()), key)[:MAX_KEYS_PER_KID]
        self._by_kid: Mapping[str, tuple[VerificationKey, ...]] = MappingProxyType(by_kid)

    def candidates(self, kid: str) -> tuple[VerificationKey, ...]:
        """The keys of that id: none, one, or a few (RFC 7517 section 4.5 lets keys of different types share an id)."""
        return self._by_kid.get(kid, ())

    def __contains__(self, kid: str) -> bool:
        return kid in self._by_kid


def parse_key_set(body: bytes, *, max_keys: int) -> KeySet:
    """Read a JWK Set document.

    Args:
        body: the document as it was received.
        max_keys: more members than this refuse the whole set.

    Raises:
        UnusableKeySet: not strict JSON, no `keys` list, too many members, or no usable key in it.
    """
    try:
        return key_set(parse_object(body), max_keys=max_keys)
    except UnusableKeySet:
        raise
    except ValueError as error:
        raise UnusableKeySet(f"the key set is {error}") from None


def key_set(document: Mapping[str, object], *, max_keys: int) -> KeySet:
    """Read a JWK Set that is already parsed JSON. Raises as `parse_key_set`."""
    members = document.get("keys")
    if not isinstance(members, list | tuple):
        raise UnusableKeySet("the key set has no list of keys")
    if len(members) > max_keys:
        raise UnusableKeySet(f"the key set has more than {max_keys} keys")
    keys: list[VerificationKey] = []
    skipped: list[str] = []
    for position, jwk in enumerate(members):
        try:
            key = _key(jwk)
        except UnusableKey as reason:
            skipped.append(f"key {position}: {reason}")
            continue
        if key.thumbprint not in {known.thumbprint for known in keys if known.kid == key.kid}:
            keys.append(key)
    if not keys:
        raise UnusableKeySet("the key set has no usable key")
    return KeySet(keys, skipped=skipped)


def _key(jwk: object) -> VerificationKey:
    if not isinstance(jwk, Mapping):
        raise UnusableKey("it is not an object")
    key = load_key(jwk)
    if key.kid is None:
        raise UnusableKey("it has no kid, and tokens name their key by kid")
    return key
