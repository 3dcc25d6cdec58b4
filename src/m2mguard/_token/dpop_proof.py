"""Checks one DPoP proof: every rule of RFC 9449 section 4.3 that needs no memory. Pure.

Whether a proof was used before, and whether its nonce is ours, is checked by the resource server.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from hashlib import sha256
from hmac import compare_digest
from typing import NamedTuple

from m2mguard._token.base64url import base64url_decode, base64url_encode
from m2mguard._token.jwk import PRIVATE_MEMBERS, read_jwk
from m2mguard._token.jws import ParsedToken, VerificationKey, load_key, parse_compact
from m2mguard._token.key_strength import UnusableKey
from m2mguard._token.strict_json import parse_object
from m2mguard._token.target_uri import RequestPath, TargetUri, is_target, target_uri
from m2mguard.errors import InvalidDpopProof, InvalidToken

PROOF_TYPE = "dpop+jwt"
MAX_PROOF_CHARACTERS = 8_192
MAX_ID_CHARACTERS = 512
_ID = re.compile(rf"[\x20-\x7e]{{1,{MAX_ID_CHARACTERS}}}")
_NONCE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,512}")  # RFC 9449 section 8.1
_COMPACT = re.compile(rb"[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+")

KnownKeys = MutableMapping[bytes, VerificationKey]
"""Keys of good proofs by header segment, which the proofs of one client have in common."""


class ProofRules(NamedTuple):
    """What a resource server accepts.

    Attributes:
        algorithms: the accepted `alg` values.
        origin: the API's own; its path does not count.
        prefix: what a proxy removes from the front of paths, or "".
        max_age_s: for how long a proof may be used.
        leeway_s: the difference of the clocks.
    """

    algorithms: frozenset[str]
    origin: TargetUri
    prefix: str
    max_age_s: float
    leeway_s: float


class ProvenRequest(NamedTuple):
    """The request that a proof must be for.

    Attributes:
        method: the HTTP method.
        path: the path.
        token_hash: the SHA-256 of the access token.
        thumbprint: the `jkt` that the token is bound to.
    """

    method: str
    path: RequestPath
    token_hash: bytes
    thumbprint: str


class GoodProof(NamedTuple):
    """What is left to be checked of a good proof.

    Attributes:
        token_id: the SHA-256 of its key and `jti`: equal for the same proof only.
        nonce: as it is in the proof, or None.
        issued_at: `iat`.
    """

    token_id: bytes
    nonce: str | None
    issued_at: float


def check_proof(proof: bytes, request: ProvenRequest, rules: ProofRules, known: KnownKeys) -> GoodProof:
    """Check a proof in all but its age, its nonce and whether it was used before.

    Args:
        proof: the value of the only DPoP field.
        request: what it must be for.
        rules: what is accepted.
        known: keys of proofs that were good before; the caller adds to it.

    Raises:
        InvalidDpopProof: it is no good proof for this request.
    """
    if len(proof) > MAX_PROOF_CHARACTERS:
        raise InvalidDpopProof("dpop_proof", problem="too_long")
    if not _COMPACT.fullmatch(proof):
        raise InvalidDpopProof("dpop_proof", problem="segments")
    try:
        parsed = parse_compact(proof)
    except InvalidToken as error:
        raise InvalidDpopProof("dpop_proof", problem=error.problem, claim=error.claim) from None
    _check_signature(parsed, request, rules, known)
    return _check_claims(parsed.claims, request, rules)


def check_age(proof: GoodProof, rules: ProofRules, now: float) -> None:
    """Check `iat` (RFC 9449 section 11.1).

    Raises:
        InvalidDpopProof: it was made too long ago, or in the future.
    """
    if now >= proof.issued_at + rules.max_age_s + rules.leeway_s:
        raise InvalidDpopProof("dpop_proof", problem="too_old", claim="iat")
    if proof.issued_at > now + rules.leeway_s:
        raise InvalidDpopProof("dpop_proof", problem="in_future", claim="iat")


def _check_signature(parsed: ParsedToken, request: ProvenRequest, rules: ProofRules, known: KnownKeys) -> None:
    alg = parsed.header.alg
    if parsed.header.typ != PROOF_TYPE:
        raise InvalidDpopProof("dpop_proof", problem="header", claim="typ")
    if alg not in rules.algorithms:
        accepted = tuple(sorted(rules.algorithms))
        raise InvalidDpopProof("dpop_proof", problem="not_accepted", claim="alg", expected=accepted)
    key = known.get(parsed.header_segment) or _key(parsed.header_segment)
    # Before the signature: only the key that the issuer has bound the token to is ever worked with.
    if not compare_digest(key.thumbprint, request.thumbprint):
        raise InvalidDpopProof("dpop_proof", problem="other_key", claim="jwk")
    if not key.verify(alg, parsed.signing_input, parsed.signature):
        raise InvalidDpopProof("dpop_proof", problem="signature")
    known[parsed.header_segment] = key


def _key(header_segment: bytes) -> VerificationKey:
    """The public key in a proof's header, read strictly: nothing private in it, by name, whatever its value."""
    jwk = parse_object(base64url_decode(header_segment)).get("jwk")
    if not isinstance(jwk, dict):
        raise InvalidDpopProof("dpop_proof", problem="header", claim="jwk")
    if any(name in jwk for name in PRIVATE_MEMBERS):
        raise InvalidDpopProof("dpop_proof", problem="private_key", claim="jwk")
    try:
        numbers, key = read_jwk(jwk).numbers, load_key(jwk)
    except UnusableKey:
        numbers, key = {}, None
    if key is None or any(jwk[name] != value for name, value in numbers.items()):  # in its one canonical spelling
        raise InvalidDpopProof("dpop_proof", problem="unusable_key", claim="jwk")
    return key


def _check_claims(claims: dict[str, object], request: ProvenRequest, rules: ProofRules) -> GoodProof:
    for name in ("jti", "htm", "htu", "iat", "ath"):
        if name not in claims:
            raise InvalidDpopProof("dpop_proof", problem="missing", claim=name)
    jti, htm, htu, iat, ath = (claims[name] for name in ("jti", "htm", "htu", "iat", "ath"))
    if type(iat) is not int and type(iat) is not float:  # RFC 7519 section 2: a bool is a number in Python only
        raise InvalidDpopProof("dpop_proof", problem="wrong_type", claim="iat")
    if not isinstance(jti, str) or not _ID.fullmatch(jti):
        raise InvalidDpopProof("dpop_proof", problem="wrong_type", claim="jti")
    if htm != request.method:
        raise InvalidDpopProof("dpop_proof", problem="wrong_value", claim="htm")
    target = target_uri(htu) if isinstance(htu, str) else None
    if target is None or not is_target(target, rules.origin, request.path, rules.prefix):
        raise InvalidDpopProof("dpop_proof", problem="wrong_value", claim="htu")
    if not isinstance(ath, str) or ath != base64url_encode(request.token_hash):
        raise InvalidDpopProof("dpop_proof", problem="wrong_value", claim="ath")
    nonce = claims.get("nonce")
    if "nonce" in claims and not (isinstance(nonce, str) and _NONCE.fullmatch(nonce)):
        raise InvalidDpopProof("dpop_proof", problem="wrong_type", claim="nonce")
    token_id = sha256(f"{request.thumbprint} {jti}".encode()).digest()
    return GoodProof(token_id, nonce if isinstance(nonce, str) else None, float(iat))
