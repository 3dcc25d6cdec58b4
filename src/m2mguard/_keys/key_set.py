"""Bytes of a JWK Set in, an immutable KeySet out (RFC 7517 section 5). One bad key is skipped alone. Pure.

The JSON is parsed leniently: one malformed key must not invalidate the set.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from m2mguard._reasons.codes import KeySetProblem
from m2mguard._token.jwk import describe
from m2mguard._token.jws import VerificationKey, load_key
from m2mguard._token.key_strength import UnusableKey
from m2mguard._token.strict_json import without_byte_order_mark

MAX_KEYS_PER_KID = 4
_MAX_REASONS = 5  # are named for a set without a usable key: the message goes into logs
_MAX_DEPTH = 16  # deeper members are not part of any key
# Whole strings, and every bracket outside them.
_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{\]}]', re.DOTALL)
# No number means anything in a key, so each may be as odd as it likes; of two members of one name the last counts (RFC 7517 section 4).
_DECODER = json.JSONDecoder(parse_int=float, parse_float=float, parse_constant=float)


class UnusableKeySet(ValueError):
    """The answer is no key set, or holds no key that can verify anything. The message is in our own words.

    Attributes:
        problem: the code.
    """

    def __init__(self, message: str, *, problem: KeySetProblem) -> None:
        super().__init__(message)
        self.problem: KeySetProblem = problem


class KeySet:
    """The usable keys of one issuer at one moment. Immutable and safe to share between threads.

    Attributes:
        keys: every usable key, in the issuer's order.
        thumbprints: the identities of their material.
        identities: what remembered verdicts depend on: an entry for each key's material and each algorithm it is for, as
            `VerificationKey.identity` gives them.
        skipped: for each key passed over, its position and why.
    """

    __slots__ = ("_ambiguous", "_by_kid", "_only", "_without_kid", "identities", "keys", "skipped", "thumbprints")

    def __init__(self, keys: Iterable[VerificationKey], *, skipped: Iterable[str] = ()) -> None:
        self.keys: tuple[VerificationKey, ...] = tuple(keys)
        self.skipped: tuple[str, ...] = tuple(skipped)
        self.thumbprints: frozenset[str] = frozenset(key.thumbprint for key in self.keys)
        self.identities: frozenset[str] = frozenset(key.identity(alg) for key in self.keys for alg in key.algorithms)
        by_kid: dict[str | None, tuple[VerificationKey, ...]] = {}
        by_alg: dict[str, dict[str, VerificationKey]] = {}  # one of each material
        for key in self.keys:
            by_kid[key.kid] = (*by_kid.get(key.kid, ()), key)
            for alg in key.algorithms:
                by_alg.setdefault(alg, {}).setdefault(key.thumbprint, key)
        self._without_kid: tuple[VerificationKey, ...] = by_kid.pop(None, ())
        self._by_kid: Mapping[str | None, tuple[VerificationKey, ...]] = MappingProxyType(by_kid)
        self._only = {alg: tuple(fitting.values()) for alg, fitting in by_alg.items() if len(fitting) == 1}
        self._ambiguous = frozenset(alg for alg, fitting in by_alg.items() if len(fitting) > 1)

    def candidates(self, kid: str | None, alg: str) -> tuple[VerificationKey, ...]:
        """The keys that may have signed a token, at most `MAX_KEYS_PER_KID`. A key id is a hint (RFC 7515 section 4.1.4).

        Args:
            kid: the token's key id, or None. With one: all keys of that id, whatever they are for (RFC 7517 section 4.5 lets keys of
                different types share an id); where no key has it, the keys without any id that can verify `alg`. Without one: the
                only key of the set that can verify `alg`; none where several differ in their material.
            alg: the token's algorithm. Where a key id has too many keys, those that can verify it come first.
        """
        if kid is None:
            if alg in self._only:
                return self._only[alg]
            return ()
        if kid in self._by_kid:
            named = self._by_kid[kid]
            if len(named) <= MAX_KEYS_PER_KID:
                return named
            return tuple(sorted(named, key=lambda key: alg not in key.algorithms)[:MAX_KEYS_PER_KID])
        return tuple(key for key in self._without_kid if alg in key.algorithms)[:MAX_KEYS_PER_KID]

    def is_ambiguous(self, alg: str) -> bool:
        """Tell whether several keys of different material can verify `alg`, so that a token without a key id is for none of them."""
        return alg in self._ambiguous

    def __contains__(self, kid: str) -> bool:
        return kid in self._by_kid


def parse_key_set(body: bytes, *, max_keys: int) -> KeySet:
    """Read a JWK Set document.

    Args:
        body: the document as it was received.
        max_keys: more members than this refuse the whole set.

    Raises:
        UnusableKeySet: no JSON object in UTF-8, no `keys` list, too many members, or no usable key in it.
    """
    return key_set_from_members(read_document(body), max_keys=max_keys)


def read_document(body: bytes) -> dict[str, object]:
    """Read the JSON object of a JWK Set document, however odd its members are.

    Raises:
        UnusableKeySet: no JSON object in UTF-8.
    """
    try:
        document = _DECODER.decode(_pruned(without_byte_order_mark(body).decode("utf-8")))
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise UnusableKeySet("the key set is not a JSON object in UTF-8", problem="key_set_not_json")
    return document


def key_set_from_members(document: Mapping[str, object], *, max_keys: int) -> KeySet:
    """Read a JWK Set that is already parsed JSON. Raises as `parse_key_set`."""
    members = document.get("keys")
    if not isinstance(members, list | tuple):
        raise UnusableKeySet("the key set has no list of keys", problem="key_set_no_list")
    if len(members) > max_keys:
        raise UnusableKeySet(f"the key set has more than {max_keys} keys", problem="key_set_too_many_keys")
    keys: list[VerificationKey] = []
    skipped: list[str] = []
    known: set[tuple[str | None, str, frozenset[str]]] = set()
    for position, jwk in enumerate(members):
        try:
            key = _key(jwk)
        except UnusableKey as reason:
            skipped.append(f"key {position}: {reason}")
            continue
        if (key.kid, key.thumbprint, key.algorithms) not in known:
            known.add((key.kid, key.thumbprint, key.algorithms))
            keys.append(key)
    if not keys:
        told = "; ".join(("the key set has no usable key", *skipped[:_MAX_REASONS]))
        raise UnusableKeySet(told, problem="key_set_no_usable_key")
    return KeySet(keys, skipped=skipped)


def _key(jwk: object) -> VerificationKey:
    if not isinstance(jwk, Mapping):
        raise UnusableKey(f"it is {describe(jwk)}, expected an object")
    return load_key(jwk)


def _pruned(text: str) -> str:
    """Put null in place of whatever is nested so deeply that a JSON parser would give up on the whole."""
    kept: list[str] = []
    depth = resume = 0
    for part in _STRUCTURE.finditer(text):
        if part[0] in "[{":
            depth += 1
            if depth == _MAX_DEPTH + 1:
                kept.append(text[resume : part.start()])
        elif part[0] in "]}":
            if depth == _MAX_DEPTH + 1:
                kept.append("null")
                resume = part.end()
            depth -= 1
    return "".join((*kept, text[resume:])) if depth <= _MAX_DEPTH else ""
