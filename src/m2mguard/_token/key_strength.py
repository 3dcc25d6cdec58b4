"""Whether the numbers of a public key are sane: long enough, not too long, on their curve (RFC 8725 section 3.4, RFC 7518 section 6).

Pure arithmetic, which cryptography libraries leave to their callers. What they check themselves, such as NIST curve points, is not here.
"""

from __future__ import annotations

from m2mguard._token.base64url import base64url_decode, base64url_encode

RSA_BITS = range(2048, 8192 + 1)
MAX_RSA_EXPONENT_BITS = 64  # OpenSSL takes no larger one with a long modulus
COORDINATE_BYTES = {"P-256": 32, "P-384": 48, "P-521": 66}
_ED25519_PRIME = 2**255 - 19
_ED25519_D = -121665 * pow(121666, -1, _ED25519_PRIME) % _ED25519_PRIME


class UnusableKey(ValueError):
    """A key that cannot be used here. The message says why, in our own words, and holds nothing of a private key."""


def canonical_rsa(n: str, e: str) -> tuple[str, str]:
    """Check the strength of an RSA key, and spell its numbers as a thumbprint wants them: without leading zeros.

    Raises:
        UnusableKey: a modulus of another length than 2048 to 8192 bits or even, an exponent that is even, below 3 or
            longer than 64 bits.
        ValueError: not base64url.
    """
    modulus, exponent = (int.from_bytes(base64url_decode(number)) for number in (n, e))
    if modulus.bit_length() not in RSA_BITS:
        raise UnusableKey(f"its modulus has {modulus.bit_length()} bits, expected {RSA_BITS[0]} to {RSA_BITS[-1]}")
    if not modulus & 1:
        raise UnusableKey("its modulus is even, expected an odd number")
    if exponent.bit_length() > MAX_RSA_EXPONENT_BITS:
        raise UnusableKey(f"its exponent has {exponent.bit_length()} bits, expected at most {MAX_RSA_EXPONENT_BITS}")
    if exponent < 3 or not exponent & 1:
        raise UnusableKey(f"its exponent is {exponent}, expected an odd number from 3 on")
    return _spelt(modulus), _spelt(exponent)


def canonical_coordinate(name: str, text: str, size_bytes: int) -> str:
    """Write a coordinate of a NIST curve with the number of bytes that its curve has (RFC 7518 section 6.2.1.2).

    Some issuers omit leading zeros, others add one. Does not check whether the point is on the curve.

    Raises:
        UnusableKey: a number that needs more bytes.
        ValueError: not base64url.
    """
    number = base64url_decode(text).lstrip(b"\x00")
    if len(number) > size_bytes:
        raise UnusableKey(f"its {name} has {len(number)} bytes, expected {size_bytes}")
    return base64url_encode(number.rjust(size_bytes, b"\x00"))


def check_ed25519(x: str) -> None:
    """Check a point of edwards25519 (RFC 8032 section 5.1.3). OpenSSL takes one of small order, under which anybody can sign.

    Raises:
        UnusableKey: not 32 bytes, off the curve, or of small order.
        ValueError: not base64url.
    """
    point = base64url_decode(x)
    y = int.from_bytes(point, "little") & (2**255 - 1)  # without the sign of the other coordinate
    if len(point) != 32:
        raise UnusableKey(f"its x has {len(point)} bytes, expected 32 bytes")
    if y >= _ED25519_PRIME:
        raise UnusableKey("its x is beyond the field, expected a canonical point of 32 bytes")
    y_squared = y * y % _ED25519_PRIME
    x_squared = (y_squared - 1) * pow(_ED25519_D * y_squared + 1, -1, _ED25519_PRIME) % _ED25519_PRIME
    if pow(x_squared, (_ED25519_PRIME - 1) // 2, _ED25519_PRIME) not in (0, 1):
        raise UnusableKey("its x is off the curve")
    if x_squared * y * (y_squared + x_squared) % _ED25519_PRIME == 0:  # doubled three times, such a point vanishes
        raise UnusableKey("its x is of small order")


def _spelt(number: int) -> str:
    return base64url_encode(number.to_bytes((number.bit_length() + 7) // 8))
