"""The input of an explanation: the unverified token without its signature, the settings, the keys, the clock difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from m2mguard._cli.recognition import RecognisedToken
from m2mguard._server.requirement import Requirement
from m2mguard._server.settings import ServerSettings
from m2mguard._token.bearer import bearer_token
from m2mguard._token.jws import Header, parse_compact
from m2mguard._token.ml_dsa import PARAMETER_SETS
from m2mguard.errors import AuthError
from m2mguard.health import IssuerHealth
from m2mguard.issuer import Issuer

REMOVED_BY_GOOGLE = "SIGNATURE_REMOVED_BY_GOOGLE"  # Cloud Run replaces a signature that it has checked with this text

# RFC 7518 section 3.4, RFC 8037 section 3.1, RFC 9964
_SIGNATURE_BYTES = {
    "ES256": (64,),
    "ES384": (96,),
    "ES512": (132,),
    "EdDSA": (64,),
    "Ed25519": (64,),
    **{name: (one.signature_bytes,) for name, one in PARAMETER_SETS.items()},
}
_RSA_BYTES = (256, 384, 512)  # the length of the key


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedToken:
    """A parsed, unverified credential. It has no signature, so no output can show the signature.

    Attributes:
        credential: whether there is one bearer credential.
        segments: number of segments between dots.
        characters: length of the token.
        signature_bytes: length of the signature in bytes, or None if the token cannot be parsed.
        signature_removed: whether Cloud Run's text is in the place of the signature.
        header: the header, or None if the token cannot be parsed.
        claims: the claims, or None if the token cannot be parsed.
    """

    credential: bool = False
    segments: int = 0
    characters: int = 0
    signature_bytes: int | None = None
    signature_removed: bool = False
    header: Header | None = None
    claims: Mapping[str, object] | None = None

    def claim(self, name: str) -> object:
        """Return a claim, or None if it is missing."""
        return None if self.claims is None else self.claims.get(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the strings of a claim: one string, or those in a list."""
        value = self.claim(name)
        return tuple(one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainContext:
    """The input of an explanation.

    Attributes:
        token: the token.
        recognised: the product and kind of the token, or None if unknown.
        settings: the API's settings.
        issuer: the issuer that the token names, or None if the settings do not have it.
        keys: the state of the issuer's keys, or None without an issuer.
        keys_from: the origin of the keys, as text.
        requirement: the requirement of the route.
        now: time of the check, in seconds since the epoch.
        is_now: whether that is the current time; False with `--at`.
        certificate: with which the request comes, in DER form, or None.
        graph_nonce: whether the header has the nonce of Entra tokens for Microsoft's own APIs.
        clock_offset_s: how many seconds this machine's clock is ahead of the issuer's, or None if nothing was fetched.
    """

    token: UnverifiedToken
    recognised: RecognisedToken | None = None
    settings: ServerSettings
    issuer: Issuer | None = None
    keys: IssuerHealth | None = None
    keys_from: str = ""
    requirement: Requirement
    now: float
    is_now: bool = True
    certificate: bytes | None = None
    graph_nonce: bool = False
    clock_offset_s: float | None = None


def read_token(field_value: str) -> UnverifiedToken:
    """Parse the value of an Authorization field without verifying it."""
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
    """Return the possible lengths of a signature of this algorithm in bytes, the shortest first; () if unknown."""
    return _SIGNATURE_BYTES.get(alg, _RSA_BYTES if alg[:2] in ("RS", "PS") else ())


def is_cut_signature(alg: str, length: int) -> bool:
    """Whether a signature of this length in bytes is cut off; a length of another algorithm means a wrong alg, not a cut."""
    expected = expected_signature_bytes(alg)
    if expected is _RSA_BYTES and length > expected[0]:
        return length % 16 != 0  # no issuer has an RSA key whose length is not a multiple of 128 bits
    whole = {size for sizes in _SIGNATURE_BYTES.values() for size in sizes}
    return bool(expected) and length < expected[0] and length not in whole
