"""Seals what is in a store that others can write to: a MAC by a key that only operators and processes have (RFC 2104). Pure."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from m2mguard.errors import ConfigurationError

MIN_KEY_BYTES: Final = 32
MAC_CHARACTERS: Final = 64


class NotSealed(ValueError):
    """The bytes were not sealed by this key, for this purpose."""


def checked_key(key: object) -> bytes:
    """Check a secret key. Raises ConfigurationError."""
    if not isinstance(key, bytes) or len(key) < MIN_KEY_BYTES:
        raise ConfigurationError(
            f"key must be at least {MIN_KEY_BYTES} secret bytes, the same for all: secrets.token_bytes({MIN_KEY_BYTES})."
        )
    return key


def seal(key: bytes, purpose: str, content: bytes) -> bytes:
    """Put a MAC in front of content."""
    return _mac(key, purpose, content) + b"\n" + content


def unseal(key: bytes, purpose: str, sealed: object) -> bytes:
    """The content.

    Raises:
        NotSealed: another key, another purpose, or anything else.
    """
    if not isinstance(sealed, bytes) or sealed[MAC_CHARACTERS : MAC_CHARACTERS + 1] != b"\n":
        raise NotSealed
    content = sealed[MAC_CHARACTERS + 1 :]
    if not hmac.compare_digest(sealed[:MAC_CHARACTERS], _mac(key, purpose, content)):
        raise NotSealed
    return content


def _mac(key: bytes, purpose: str, content: bytes) -> bytes:
    message = f"m2mguard {purpose}\0".encode() + content
    return hmac.digest(key, message, hashlib.sha256).hex().encode("ascii")
