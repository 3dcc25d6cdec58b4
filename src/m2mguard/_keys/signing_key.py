"""Finds the key of an issuer that has signed something: among the keys at hand, else after a fetch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from m2mguard._keys.snapshot import KeyRequest
from m2mguard._token.jws import Header, ParsedToken, VerificationKey
from m2mguard._token.token_profile import Claims
from m2mguard.errors import InvalidToken

if TYPE_CHECKING:
    from m2mguard._keys.key_set import KeySet
    from m2mguard._keys.key_source import KeySource
    from m2mguard.net._flight import Resumable

Candidates = tuple[VerificationKey, ...]


def key_request(header: Header, claims: Claims, *, is_known: bool = True, tried: Candidates = ()) -> KeyRequest:
    """What a token says about its key.

    Args:
        header: its header.
        claims: its claims.
        is_known: whether it is taken for a known application's.
        tried: keys that did not sign it.
    """
    issued_at, alg = claims.get("iat"), header.alg
    return KeyRequest(
        kid=header.kid,
        alg=alg,
        issued_at=issued_at if isinstance(issued_at, int | float) else None,
        is_known=is_known,
        rejected=frozenset(key.identity(alg) if alg in key.algorithms else key.thumbprint for key in tried),
    )


def signing_key(parsed: ParsedToken, candidates: Candidates) -> VerificationKey | None:
    """The key whose signature the token carries. A key decides which algorithm it verifies, not the token (RFC 8725 section 3.1)."""
    alg = parsed.header.alg
    for key in candidates:
        if alg in key.algorithms and key.verify(alg, parsed.signing_input, parsed.signature):
            return key
    return None


def find_signing_key(
    source: KeySource,
    parsed: ParsedToken,
    request: Callable[[Candidates], KeyRequest],
    *,
    since: float,
    fresh: KeySet | None = None,
) -> Resumable[VerificationKey]:
    """Resumable work that ends with the key that has signed a token, after asking the issuer where that is needed.

    Args:
        source: the issuer's keys.
        parsed: the token.
        request: what it says about its key, given the keys that were tried already.
        since: as for `KeySource.key_set_for`.
        fresh: fresh keys, none of which has signed it. Default None: the keys are not fresh.

    Raises:
        InvalidToken: `unknown_key`, `algorithm` or `signature`: no key of the issuer has signed it.
        KeysUnavailable: the issuer cannot be asked, and we cannot tell.
    """
    header = parsed.header
    keys, asks = fresh, source.fresh_keys(since) is None
    if keys is None:
        keys = yield from source.key_set_for(request(()), since)
        key = signing_key(parsed, keys.candidates(header.kid, header.alg))
        if key is not None:
            return key
    tried = keys.candidates(header.kid, header.alg)
    try:
        keys = yield from source.key_set_for(request(tried), since, again=asks)
    except InvalidToken:
        raise _refusal(header, tried, keys) from None
    candidates = keys.candidates(header.kid, header.alg)
    key = signing_key(parsed, candidates)
    if key is None:
        raise _refusal(header, candidates, keys)
    return key


def _refusal(header: Header, candidates: Candidates, keys: KeySet) -> InvalidToken:
    """Why no key of an issuer has signed a token."""
    if any(header.alg in key.algorithms for key in candidates):
        return InvalidToken("signature")
    if candidates:
        accepted = tuple(sorted(frozenset[str]().union(*(key.algorithms for key in candidates))))
        return InvalidToken("algorithm", problem="not_for_key", claim="alg", expected=accepted)
    if header.kid is None and keys.is_ambiguous(header.alg):
        return InvalidToken("unknown_key", problem="no_kid", claim="kid")
    return InvalidToken("unknown_key", claim="kid")
