"""Recognises the product that issued a token, and the kind of token, by `iss` and the claims. Nothing is verified. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from m2mguard._cli.recognition.issuer_kinds import GUID, LOGTO_APP_ID, match_issuer
from m2mguard._cli.recognition.recognised_token import IssuerKind, RecognisedToken, TokenKind, Vocabulary
from m2mguard._cli.recognition.token_kinds import classify_token
from m2mguard._cli.recognition.vocabularies import PRODUCT_NAMES, VOCABULARIES
from m2mguard._token.token_profile import media_type
from m2mguard.errors import ConfigurationError
from m2mguard.presets._named import issuer_named

__all__ = ["GUID", "LOGTO_APP_ID", "IssuerKind", "RecognisedToken", "TokenKind", "Vocabulary", "recognise_token"]

# People paste a preset into a shell, and an attacker may have chosen `iss`.
_SHELL_WORD = re.compile(r"[A-Za-z0-9_:/.,-]+")


def recognise_token(header: Mapping[str, object], claims: Mapping[str, object]) -> RecognisedToken | None:
    """Recognise the product and kind of a token; None if the product is unknown.

    Args:
        header: the token's header, or {}.
        claims: the token's claims; `iss` alone is enough for the product, but not for the kind of token.
    """
    typ_value = header.get("typ")
    typ = media_type(typ_value) if isinstance(typ_value, str) else ""
    match = match_issuer(claims, typ)
    if match is None:
        return None
    return RecognisedToken(
        issuer_kind=match.kind,
        name=PRODUCT_NAMES[match.kind],
        version=match.version,
        confidence=match.confidence,
        token_kind=classify_token(match.kind, claims, typ),
        preset=match.preset if match.preset is not None and _is_usable_preset(match.preset) else None,
        vocabulary=VOCABULARIES[match.kind],
    )


def _is_usable_preset(preset: str) -> bool:
    """Whether `--preset` accepts it, and a shell reads it as one word."""
    try:
        issuer_named(preset)
    except ConfigurationError:
        return False
    return _SHELL_WORD.fullmatch(preset) is not None
