"""Whose token is this, and of which kind? Read from `iss` and the claims' shape; nothing is verified. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from m2mguard._cli.recognition.issuers import issuer_kind
from m2mguard._cli.recognition.recognised import IssuerKind, Recognised, TokenKind, Vocabulary
from m2mguard._cli.recognition.token_kinds import token_kind
from m2mguard._cli.recognition.vocabularies import NAMES, VOCABULARIES
from m2mguard._token.claims import media_type
from m2mguard.errors import ConfigurationError
from m2mguard.presets._named import issuer_named

__all__ = ["IssuerKind", "Recognised", "TokenKind", "Vocabulary", "recognise"]

_SAFE = re.compile(r"[A-Za-z0-9_:/.,-]+")  # people paste a preset into a shell, and `iss` is whatever a stranger wrote


def recognise(header: Mapping[str, object], claims: Mapping[str, object]) -> Recognised | None:
    """Tell whose token something seems to be; None where its issuer is not known.

    Args:
        header: the token's header, or {}.
        claims: its claims; `iss` alone tells the product, and not the kind of token.
    """
    said = header.get("typ")
    typ = media_type(said) if isinstance(said, str) else ""
    named = issuer_kind(claims, typ)
    if named is None:
        return None
    return Recognised(
        issuer_kind=named.kind,
        name=NAMES[named.kind],
        version=named.version,
        confidence=named.confidence,
        token_kind=token_kind(named.kind, claims, typ),
        preset=named.preset if named.preset is not None and _is_usable(named.preset) else None,
        vocabulary=VOCABULARIES[named.kind],
    )


def _is_usable(preset: str) -> bool:
    """Whether `--preset` takes it, and a shell reads it as one plain word."""
    try:
        issuer_named(preset)
    except ConfigurationError:
        return False
    return _SAFE.fullmatch(preset) is not None
