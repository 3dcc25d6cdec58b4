"""What an explanation draws on: the token as it reads, unverified and without its signature; the settings; the keys; the clocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from m2mguard._cli.recognition import Recognised
from m2mguard._server.requirement import Requirement
from m2mguard._server.settings import ServerSettings
from m2mguard._token.bearer import bearer_token
from m2mguard._token.jws import Header, parse_compact
from m2mguard.errors import AuthError
from m2mguard.health import IssuerHealth
from m2mguard.issuer import Issuer

REMOVED_BY_GOOGLE = "SIGNATURE_REMOVED_BY_GOOGLE"  # what Cloud Run puts in the place of a signature that it has checked

_SIGNATURE_BYTES = {
    "ES256": (64,),
    "ES384": (96,),
    "ES512": (132,),
    "EdDSA": (64,),
    "Ed25519": (64,),
}  # RFC 7518 section 3.4
_RSA_BYTES = (256, 384, 512)  # as long as the key


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedToken:
    """A credential as it reads. The signature is left out on purpose: nothing made from this can show it.

    Attributes:
        credential: whether there is one bearer credential.
        segments: how many parts its dots make.
        characters: how long it is.
        signature_bytes: how long its signature is, or None where the token cannot be taken apart.
        signature_removed: whether Cloud Run's text is in the place of the signature.
        header: what is read of the header, or None where the token cannot be taken apart.
        claims: the claims, or None likewise.
    """

    credential: bool = False
    segments: int = 0
    characters: int = 0
    signature_bytes: int | None = None
    signature_removed: bool = False
    header: Header | None = None
    claims: Mapping[str, object] | None = None

    def claim(self, name: str) -> object:
        """A claim, or None."""
        return None if self.claims is None else self.claims.get(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """The strings that a claim holds, alone or in a list."""
        value = self.claim(name)
        return tuple(one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainContext:
    """All that an explanation draws on.

    Attributes:
        token: the token.
        recognised: whose token it seems to be, or None.
        settings: the API's settings.
        issuer: the one that the token names, if the settings have it.
        keys: the state of its keys now.
        keys_from: where they came from.
        requirement: what the route asks of the caller.
        now: when the token was checked, in seconds since the epoch.
        is_now: whether that is the present; False with `--at`.
        graph_nonce: whether the header has Entra's nonce of tokens for Microsoft's own APIs.
        clock_offset_s: how many seconds this machine's clock is ahead of the issuer's, or None where nothing was fetched.
    """

    token: UnverifiedToken
    recognised: Recognised | None = None
    settings: ServerSettings
    issuer: Issuer | None = None
    keys: IssuerHealth | None = None
    keys_from: str = ""
    requirement: Requirement
    now: float
    is_now: bool = True
    graph_nonce: bool = False
    clock_offset_s: float | None = None


def read_token(field_value: str) -> UnverifiedToken:
    """Read an Authorization field's value as far as the library can."""
    try:
        text = bearer_token([field_value]).decode("ascii")
    except AuthError:
        return UnverifiedToken()
    segments = text.count(".") + 1
    removed = text.endswith(f".{REMOVED_BY_GOOGLE}")
    try:
        compact = parse_compact(text)
    except AuthError:
        return UnverifiedToken(credential=True, segments=segments, characters=len(text), signature_removed=removed)
    return UnverifiedToken(
        credential=True,
        segments=segments,
        characters=len(text),
        signature_bytes=len(compact.signature),
        signature_removed=removed,
        header=compact.header,
        claims=compact.claims,
    )


def expected_signature_bytes(alg: str) -> tuple[int, ...]:
    """How long a signature of this algorithm may be, the shortest first; () where it is not known."""
    return _SIGNATURE_BYTES.get(alg, _RSA_BYTES if alg[:2] in ("RS", "PS") else ())


def is_cut_signature(alg: str, length: int) -> bool:
    """Whether a signature of so many bytes lacks its end. A whole one of another algorithm is not cut: there the alg is wrong."""
    expected = expected_signature_bytes(alg)
    if expected is _RSA_BYTES and length > expected[0]:
        return length % 16 != 0  # no issuer has an RSA key whose length is not a multiple of 128 bits
    whole = {size for sizes in _SIGNATURE_BYTES.values() for size in sizes}
    return bool(expected) and length < expected[0] and length not in whole
