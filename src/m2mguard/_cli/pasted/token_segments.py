"""Classifies one word that may be a token, by its segments. Nothing is verified. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping

from m2mguard._cli.context import REMOVED_BY_GOOGLE, is_cut_signature
from m2mguard._cli.pasted.pasted_text import PastedText
from m2mguard._cli.recognition import GUID

_SEGMENT = re.compile(r"[A-Za-z0-9_+/-]*={0,2}")
_APP_IDS = re.compile(
    r"[a-z0-9]{21}"  # Logto
    r"|[a-z0-9]{25,26}"  # Cognito
    r"|0oa[A-Za-z0-9]{17}"  # Okta
    r"|[0-9]+-[a-z0-9]+\.apps\.googleusercontent\.com"
)
_APP_SECRETS = re.compile(
    r"[A-Za-z0-9]{32}"  # Logto
    r"|[a-z0-9]{50,52}"  # Cognito
    r"|[A-Za-z0-9_-]{64}"  # Auth0, Okta
)
_PREFIXED_SECRETS = re.compile(
    r"[A-Za-z0-9_.~-]{3}[0-9]Q~[A-Za-z0-9_.~-]{31,37}"  # Entra
    r"|GOCSPX-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}|(?:sk|rk|gh[pousr]|glpat|xox[bp])[-_][A-Za-z0-9_-]{16,}"
)
_REFRESH_TOKENS = re.compile(
    r"1//[A-Za-z0-9_-]{20,}|[01]\.A[A-Za-z0-9_-]{3}[A-Za-z0-9_.-]{100,}|v1\.M[A-Za-z0-9_.-]{20,}"
)
_GOOGLE_OPAQUE = re.compile(r"ya29\.[A-Za-z0-9_.-]+")
_MIN_CHARACTERS = 16  # of a possible token


def classify_word(word: str) -> PastedText:
    """Classify one word without white space."""
    if _REFRESH_TOKENS.fullmatch(word):
        return PastedText(kind="refresh_token")
    if _GOOGLE_OPAQUE.fullmatch(word):
        return PastedText(kind="opaque")
    if _PREFIXED_SECRETS.fullmatch(word):
        return PastedText(kind="app_secret")
    if GUID.fullmatch(word) or _APP_IDS.fullmatch(word):
        return PastedText(kind="app_id")
    parts = word.split(".")
    if not all(_SEGMENT.fullmatch(part) for part in parts):
        return PastedText(kind="text")
    match len(parts):
        case 1:
            return _classify_one_segment(word)
        case 2:
            return _classify_two_segments(parts)
        case 3:
            return _classify_three_segments(word, parts)
        case 5:
            header = decode_json_segment(parts[0])
            return PastedText(kind="encrypted" if header is None or "enc" in header else "text", header=header)
        case _:
            return PastedText(kind="text")


def _classify_one_segment(word: str) -> PastedText:
    found = decode_json_segment(word)
    if found is not None:
        return (
            PastedText(kind="header_alone", header=found)
            if "alg" in found
            else PastedText(kind="claims_alone", claims=found)
        )
    if word.startswith("eyJ"):
        return PastedText(kind="cut_off", place="end")
    if _APP_SECRETS.fullmatch(word):
        return PastedText(kind="app_secret")
    return PastedText(kind="opaque" if len(word) >= _MIN_CHARACTERS else "text")


def _classify_two_segments(parts: list[str]) -> PastedText:
    header = decode_json_segment(parts[0])
    if header is not None and "alg" in header:
        return PastedText(kind="cut_off", place="end", header=header, claims=decode_json_segment(parts[1]))
    if parts[0].startswith("eyJ") and (header is None or decode_json_segment(parts[1]) is not None):
        return PastedText(kind="cut_off", place="end")
    is_long = len(parts[1]) >= _MIN_CHARACTERS
    return PastedText(kind="cut_off" if is_long else "text", place="start" if is_long else "", claims=header)


def _classify_three_segments(word: str, parts: list[str]) -> PastedText:
    header, claims = decode_json_segment(parts[0]), decode_json_segment(parts[1])
    if header is None:
        return (
            PastedText(kind="text")
            if claims is None
            else PastedText(kind="cut_off", place="start", token=word, claims=claims)
        )
    if claims is None and parts[1].startswith("ey"):
        return PastedText(kind="cut_off", place="middle", token=word, header=header)
    if parts[2] == REMOVED_BY_GOOGLE:
        return PastedText(kind="token", token=word, header=header, claims=claims)
    cut = is_cut_signature(str(header.get("alg")), len(parts[2].rstrip("=")) * 6 // 8)
    return PastedText(
        kind="cut_off" if cut else "token", place="end" if cut else "", token=word, header=header, claims=claims
    )


def decode_json_segment(segment: str) -> Mapping[str, object] | None:
    """Decode a base64url segment that contains a JSON object, leniently; return None if it does not."""
    text = segment.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
