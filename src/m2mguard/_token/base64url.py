"""Base64url without padding, in its one canonical spelling (RFC 7515 section 2). Pure."""

from __future__ import annotations

import binascii

_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/!!!")  # characters of the other alphabet become invalid ones
_PADDING = {0: b"", 2: b"==", 3: b"="}
_LAST_CHARACTERS = {2: frozenset(b"AQgw"), 3: frozenset(b"AEIMQUYcgkosw048")}  # those that leave no bits over


def base64url_decode(segment: str | bytes) -> bytes:
    """Decode, refusing every spelling but the canonical one.

    Raises:
        ValueError: padding, white space, foreign characters, an impossible length, or bits left over.
    """
    raw = segment.encode("ascii") if isinstance(segment, str) else segment
    remainder = len(raw) % 4
    if remainder == 1 or (remainder and raw[-1] not in _LAST_CHARACTERS[remainder]):
        raise ValueError("not canonical base64url")
    return binascii.a2b_base64(raw.translate(_TO_BASE64) + _PADDING[remainder], strict_mode=True)


def base64url_encode(data: bytes) -> str:
    """Encode, canonically."""
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_").decode("ascii")
