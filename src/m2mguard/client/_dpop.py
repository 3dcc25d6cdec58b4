"""DPoP at the calling side: the key, a proof for each request, and the nonces that servers ask for (RFC 9449)."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cachetools import LRUCache

from m2mguard._token.base64url import base64url_encode
from m2mguard._token.key_strength import UnusableKey
from m2mguard._token.strict_json import NotStrictJson, parse_object
from m2mguard._validation import origin_of
from m2mguard.errors import ConfigurationError
from m2mguard.net._flight import new_lock

if TYPE_CHECKING:
    from m2mguard._authentication.signer import Signer
    from m2mguard._token.signing import PrivateKey

_MAX_NONCES = 100
_NONCE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,512}")  # RFC 9449 section 8.1
_ASKS = re.compile(r'(?:^|[\s,])error\s*=\s*"?use_dpop_nonce"?(?:[\s,]|$)')


@dataclass(frozen=True, slots=True)
class DpopKey:
    """The key that an application's tokens are bound to: `TokenSource(..., dpop=DpopKey())`. The repr leaves it out.

    A key is read or made once, when this object is built: a token stays bound to it. With a new key for each process, which is the
    default, nothing needs to be stored, and each process gets tokens of its own.

    Args:
        key: the path of a PEM file, its content as bytes, or a private key of `cryptography`: EC on P-256, P-384 or P-521, Ed25519, or RSA
            of at least 2048 bits. Default None: a new key on P-256, which never leaves the process.
        algorithm: the `alg` of proofs; default ES256, ES384, ES512, EdDSA or RS256, by the key. RSA keys can also do PS256 and others.
        password: of an encrypted PEM. Default none.

    Raises:
        ConfigurationError: no such key; the message never holds it.
    """

    key: str | os.PathLike[str] | bytes | PrivateKey | None = field(default=None, repr=False)
    algorithm: str | None = None
    password: str | bytes | None = field(default=None, repr=False)
    _signer: Signer = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        from m2mguard._authentication.signer import load_proof_signer

        try:
            signer = load_proof_signer(self.key, self.password, algorithm=self.algorithm)
        except UnusableKey as error:
            raise ConfigurationError(f"DpopKey: {error}.") from None
        object.__setattr__(self, "_signer", signer)

    def proof(self, method: str, url: str, *, now_s: float, token: str | None = None, nonce: str | None = None) -> str:
        """A new proof for one request (RFC 9449 section 4.2).

        Args:
            method: of the request.
            url: of the request; user information, query and fragment are left out.
            now_s: seconds since the epoch.
            token: the access token that is sent; None in a request for one.
            nonce: the server's, if it has given one.
        """
        claims: dict[str, object] = {
            "jti": secrets.token_urlsafe(24),
            "htm": method,
            "htu": _target(url),
            "iat": int(now_s),
        }
        if token is not None:
            claims["ath"] = base64url_encode(hashlib.sha256(token.encode()).digest())
        if nonce is not None:
            claims["nonce"] = nonce
        return self._signer.sign(claims)


class DpopSender:
    """Makes the proofs of one application, with the nonce that each origin has asked for last. Safe to share between threads.

    Args:
        key: signs.
        clock: gives seconds since the epoch.
    """

    def __init__(self, key: DpopKey, clock: Callable[[], float]) -> None:
        self._key = key
        self._now = clock
        self._nonces: LRUCache[object, str] = LRUCache(_MAX_NONCES)
        self._lock = new_lock()

    def proof(self, method: str, url: str, token: str | None = None) -> str:
        """A new proof for one request. Pure CPU."""
        with self._lock:
            nonce = self._nonces.get(origin_of(url))
        return self._key.proof(method, url, now_s=self._now(), token=token, nonce=nonce)

    def note_nonce(self, url: str, nonce: str | None) -> bool:
        """Remember the nonce of an answer from this URL. False if there is none that fits into a proof."""
        if nonce is None or not _NONCE.fullmatch(nonce):
            return False
        with self._lock:
            self._nonces[origin_of(url)] = nonce
        return True

    def after_fork(self) -> None:
        """Replace the lock, which a thread of the parent may hold."""
        self._lock = new_lock()


def api_asks_for_nonce(challenge: str | None) -> bool:
    """Tell whether a 401 asks for a nonce (RFC 9449 section 9)."""
    return challenge is not None and _ASKS.search(challenge) is not None


def issuer_asks_for_nonce(status: int, body: bytes) -> bool:
    """Tell whether a token endpoint's answer asks for a nonce (RFC 9449 section 8)."""
    if status not in (400, 401):
        return False
    try:
        answer: Mapping[str, object] = parse_object(body)
    except NotStrictJson:
        return False
    return answer.get("error") == "use_dpop_nonce"


def _target(url: str) -> str:
    scheme, _, rest = url.partition("://")
    authority, slash, path = re.split("[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash or '/'}{path}"
