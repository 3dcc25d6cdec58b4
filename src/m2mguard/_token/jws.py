"""The compact form and the signature: strict split, JWK to key, verification (RFC 7515, RFC 7517, RFC 7518, RFC 8725).

The only module that imports PyJWT, which loads every key but those of ML-DSA; `cryptography` checks the signatures, and every rule is here.
The token never chooses the algorithm: a key says which it can do, the issuer which are allowed, and the header must agree with both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

from m2mguard._token.base64url import base64url_decode, base64url_encode
from m2mguard._token.jwk import MAX_KEY_ID_CHARACTERS, describe, read_jwk
from m2mguard._token.key_strength import UnusableKey
from m2mguard._token.ml_dsa import PARAMETER_SETS, load_ml_dsa
from m2mguard._token.strict_json import NotStrictJson, parse_object
from m2mguard.errors import InvalidToken

MAX_TOKEN_CHARACTERS = 16_384 - len("Bearer ")  # 16 KiB of field value
_DOT = ord(".")


class _Family(NamedTuple):
    """Which keys an algorithm works with, and what `cryptography` must be told to verify it besides the signature and the message."""

    kty: str
    crv: str | None
    signature_bytes: int | None  # None: as long as the RSA modulus
    settings: tuple[object, ...] = ()  # made once, since making them costs microseconds; they hold no state


def _pss(digest: HashAlgorithm) -> tuple[object, ...]:
    return PSS(MGF1(digest), digest.digest_size), digest  # RFC 7518 section 3.5


_FAMILIES: Mapping[str, _Family] = {
    "RS256": _Family("RSA", None, None, (PKCS1v15(), SHA256())),
    "RS384": _Family("RSA", None, None, (PKCS1v15(), SHA384())),
    "RS512": _Family("RSA", None, None, (PKCS1v15(), SHA512())),
    "PS256": _Family("RSA", None, None, _pss(SHA256())),
    "PS384": _Family("RSA", None, None, _pss(SHA384())),
    "PS512": _Family("RSA", None, None, _pss(SHA512())),
    "ES256": _Family("EC", "P-256", 64, (ECDSA(SHA256()),)),
    "ES384": _Family("EC", "P-384", 96, (ECDSA(SHA384()),)),
    "ES512": _Family("EC", "P-521", 132, (ECDSA(SHA512()),)),
    "EdDSA": _Family("OKP", "Ed25519", 64),
    "Ed25519": _Family("OKP", "Ed25519", 64),  # RFC 9864
    **{name: _Family("AKP", None, sizes.signature_bytes) for name, sizes in PARAMETER_SETS.items()},  # RFC 9964
}
SUPPORTED_ALGORITHMS = frozenset(_FAMILIES)

_LOADERS: Mapping[str, Callable[[dict[str, str]], Any]] = {
    "RSA": RSAAlgorithm.from_jwk,
    "EC": ECAlgorithm.from_jwk,
    "OKP": OKPAlgorithm.from_jwk,
    "AKP": lambda jwk: load_ml_dsa(jwk["alg"], jwk["pub"]),
}


class Header(NamedTuple):
    """The members of a JOSE header that are read. Nothing else in it is looked at (RFC 8725 section 3.10).

    `kid` is None where the header names no key: it is a hint, and optional (RFC 7515 section 4.1.4).
    """

    alg: str
    kid: str | None
    typ: str | None


class ParsedToken(NamedTuple):
    """A token in its three parts; nothing in it is verified yet."""

    header_segment: bytes
    header: Header
    payload: bytes
    claims: dict[str, object]
    signing_input: bytes
    signature: bytes


class VerificationKey:
    """A public key with the algorithms it may verify. Immutable and safe to share between threads.

    Attributes:
        kid: the key id the issuer gave it, or None.
        thumbprint: its RFC 7638 SHA-256 thumbprint, base64url: the identity of its material, whatever its kid says.
        ids: what an operator may name it by: the key id and the thumbprint.
        algorithms: what it can verify by its type, curve and `alg`.
    """

    __slots__ = ("_families", "_identities", "_verify", "algorithms", "ids", "kid", "thumbprint")

    def __init__(self, *, kid: str | None, thumbprint: str, algorithms: frozenset[str], material: Any) -> None:
        self.kid: str | None = kid
        self.thumbprint: str = thumbprint
        self.ids: tuple[str | None, ...] = (kid, thumbprint)
        self.algorithms: frozenset[str] = algorithms
        self._verify: Callable[..., None] = material.verify
        modulus_bytes = (getattr(material, "key_size", 0) + 7) // 8
        self._families = {
            name: _FAMILIES[name]._replace(signature_bytes=_FAMILIES[name].signature_bytes or modulus_bytes)
            for name in algorithms
        }
        self._identities = {name: f"{thumbprint} {name}" for name in algorithms}

    def identity(self, alg: str) -> str:
        """Identify this key for one algorithm: equal for equal material and algorithm, whatever the kid.

        A cached verdict depends on it, so that the verdict ends when the issuer withdraws the key for that algorithm only.

        Raises:
            KeyError: an algorithm this key is not for.
        """
        return self._identities[alg]

    def verify(self, alg: str, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature is this key's over the message, by an algorithm this key is for. Pure CPU."""
        if alg not in self._families:
            return False
        family = self._families[alg]
        if len(signature) != family.signature_bytes:
            return False
        if family.kty == "EC":
            half = len(signature) // 2  # RFC 7518 section 3.4: r and s side by side
            signature = encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
        try:
            self._verify(signature, message, *family.settings)
        except InvalidSignature:
            return False
        return True


def parse_compact(token: str | bytes, known_headers: Mapping[bytes, Header] = MappingProxyType({})) -> ParsedToken:
    """Take a token apart, strictly and unverified: three segments, a header that can be acted on, claims that are one JSON object.

    Headers read before may be given by their segment, since the tokens of one key begin alike; none may leave that mapping meanwhile.

    Raises:
        InvalidToken: `malformed`, for a token that is too long, not a compact JWS, or not canonical in any part
            (RFC 7515 section 5.2, RFC 8725 section 3.7); `unknown_key` where the key id is too long for any key.
    """
    if not isinstance(token, (str, bytes)) or len(token) > MAX_TOKEN_CHARACTERS:
        raise InvalidToken("malformed", problem="too_long")
    raw = token if isinstance(token, bytes) else token.encode("ascii", "replace")  # "?" is no base64url
    signing_input, _, signature_segment = raw.rpartition(b".")
    header_segment, _, payload_segment = signing_input.partition(b".")
    if not (header_segment and payload_segment and signature_segment) or _DOT in payload_segment:
        raise InvalidToken("malformed", problem="segments")
    try:
        payload = base64url_decode(payload_segment)
        return ParsedToken(
            header_segment,
            known_headers[header_segment] if header_segment in known_headers else _parse_header(header_segment),
            payload,
            parse_object(payload),
            signing_input,
            base64url_decode(signature_segment),
        )
    except NotStrictJson as error:
        raise InvalidToken("malformed", f"a part of the token is not strict JSON: {error}", problem="json") from None
    except ValueError:
        raise InvalidToken("malformed", problem="base64url") from None


def _parse_header(segment: bytes) -> Header:
    members = parse_object(base64url_decode(segment))
    if "crit" in members or members.get("b64", True) is not True:  # RFC 7797 section 3: true is the default
        claim = "crit" if "crit" in members else "b64"
        raise InvalidToken("malformed", problem="header", claim=claim)
    alg, kid, typ = members.get("alg"), members.get("kid"), members.get("typ")
    if not isinstance(alg, str):
        raise InvalidToken("malformed", problem="header", claim="alg")
    if not isinstance(typ, str) and (typ is not None or "typ" in members):
        raise InvalidToken("malformed", problem="header", claim="typ")
    if not isinstance(kid, str) and (kid is not None or "kid" in members):
        raise InvalidToken("malformed", problem="header", claim="kid")
    if kid is not None and len(kid) > MAX_KEY_ID_CHARACTERS:
        raise InvalidToken("unknown_key", problem="kid_too_long", claim="kid")
    return Header(alg, kid, typ)


def load_key(jwk: Mapping[str, object]) -> VerificationKey:
    """Turn one JWK into a key, or say why it cannot be one (RFC 7517 section 4, RFC 7518 section 6).

    Raises:
        UnusableKey: another type or curve, private or symmetric members, not for signatures, weak or broken numbers.
    """
    kty, kid, alg, numbers = read_jwk(jwk)
    algorithms = _algorithms_of(kty, alg, numbers.get("crv"))
    try:
        material = _LOADERS[kty]({"kty": kty, **numbers})
    except (InvalidKeyError, ValueError):
        raise UnusableKey("its numbers do not make a public key of its type and curve") from None
    return VerificationKey(kid=kid, thumbprint=_thumbprint(kty, numbers), algorithms=algorithms, material=material)


def _algorithms_of(kty: str, alg: str | None, crv: str | None) -> frozenset[str]:
    fitting = frozenset(name for name, family in _FAMILIES.items() if (family.kty, family.crv) == (kty, crv))
    if alg is None:
        return fitting
    if alg not in fitting:
        raise UnusableKey(f"its alg is {describe(alg)}, expected {' or '.join(sorted(fitting))}")
    return frozenset((alg,))


def _thumbprint(kty: str, numbers: Mapping[str, str]) -> str:
    """RFC 7638 section 3, with SHA-256."""
    canonical = json.dumps({"kty": kty, **numbers}, separators=(",", ":"), sort_keys=True)
    return base64url_encode(hashlib.sha256(canonical.encode("ascii")).digest())
