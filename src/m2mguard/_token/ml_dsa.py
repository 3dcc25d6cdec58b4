"""ML-DSA: its parameter sets, and public keys from their bytes (FIPS 204, RFC 9964). Pure.

Signatures are those of pure ML-DSA with an empty context, as RFC 9964 section 4 has them: HashML-DSA and any other context do not verify.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mldsa import (
    MLDSA44PrivateKey,
    MLDSA44PublicKey,
    MLDSA65PrivateKey,
    MLDSA65PublicKey,
    MLDSA87PrivateKey,
    MLDSA87PublicKey,
)

from m2mguard._token.base64url import base64url_decode
from m2mguard._token.key_strength import UnusableKey

MlDsaPrivateKey = MLDSA44PrivateKey | MLDSA65PrivateKey | MLDSA87PrivateKey
MlDsaPublicKey = MLDSA44PublicKey | MLDSA65PublicKey | MLDSA87PublicKey
NEEDED = "a cryptography that is built with ML-DSA (OpenSSL 3.5 or newer)"
_SEED_BYTES = 32  # the beginning of a public key; a vector of ten-bit numbers follows


class ParameterSet(NamedTuple):
    """The classes of its keys, and its exact sizes (FIPS 204 table 2)."""

    public_key: type[MlDsaPublicKey]
    private_key: type[MlDsaPrivateKey]
    public_key_bytes: int
    signature_bytes: int


PARAMETER_SETS: Mapping[str, ParameterSet] = {
    "ML-DSA-44": ParameterSet(MLDSA44PublicKey, MLDSA44PrivateKey, 1312, 2420),
    "ML-DSA-65": ParameterSet(MLDSA65PublicKey, MLDSA65PrivateKey, 1952, 3309),
    "ML-DSA-87": ParameterSet(MLDSA87PublicKey, MLDSA87PrivateKey, 2592, 4627),
}


def check_ml_dsa(alg: str, pub: str) -> None:
    """Check a public key of a known parameter set. Any bytes of the right number are one, and under a vector of zeros anybody can sign.

    Raises:
        UnusableKey: another size than that of its parameter set, a vector of zeros, or a build of cryptography without ML-DSA.
        ValueError: not base64url.
    """
    key, expected = base64url_decode(pub), PARAMETER_SETS[alg].public_key_bytes
    if len(key) != expected:
        raise UnusableKey(f"its pub has {len(key)} bytes, expected {expected} for {alg}")
    if not any(key[_SEED_BYTES:]):
        raise UnusableKey("its pub has a vector of zeros")
    if not is_available():
        raise UnusableKey(f"its alg is {alg}, which needs {NEEDED}")


def load_ml_dsa(alg: str, pub: str) -> MlDsaPublicKey:
    """Make a key of bytes that are checked."""
    return PARAMETER_SETS[alg].public_key.from_public_bytes(base64url_decode(pub))


def is_available() -> bool:
    """Whether this build of cryptography has ML-DSA. One without it was built with OpenSSL 3.4 or older."""
    try:
        MLDSA44PublicKey.from_public_bytes(bytes(PARAMETER_SETS["ML-DSA-44"].public_key_bytes))
    except UnsupportedAlgorithm:
        return False
    return True
