"""What a token is bound to: its `cnf` claim (RFC 7800 section 3.1). Pure; whether the sender proves it is checked for each request."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Final

from m2mguard._token.token_profile import Claims
from m2mguard.errors import InvalidToken

CERTIFICATE: Final = "x5t#S256"
"""The member that names a client certificate: base64url of the SHA-256 of its DER form (RFC 8705 section 3.1)."""
PUBLIC_KEY: Final = "jkt"
"""The member that names the key of DPoP proofs: its RFC 7638 thumbprint with SHA-256 (RFC 9449 section 6.1)."""

_KNOWN = frozenset((CERTIFICATE, PUBLIC_KEY))
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")  # 32 bytes; the last character has two unused bits


def check_confirmation(claims: Claims) -> None:
    """Check that a `cnf` names a certificate, a key for DPoP, or both. Of any other kind of key nobody here could check a proof.

    Raises:
        InvalidToken: `claim`, with the problem `bound`.
    """
    confirmation = claims["cnf"]
    if not isinstance(confirmation, dict) or not confirmation or not confirmation.keys() <= _KNOWN:
        raise bound_token()
    if not all(isinstance(one, str) and _THUMBPRINT.fullmatch(one) for one in confirmation.values()):
        raise bound_token()


def thumbprint_of(certificate: bytes) -> str:
    """The thumbprint of a certificate in DER form, as `x5t#S256` has it."""
    return urlsafe_b64encode(sha256(certificate).digest()).rstrip(b"=").decode()


def bound_token() -> InvalidToken:
    """The refusal of a token whose binding cannot be checked here."""
    return InvalidToken("claim", problem="bound", claim="cnf")
