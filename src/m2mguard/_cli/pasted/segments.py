"""What one word is that may be a token: by its parts, as far as they can be read. Nothing is verified. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping

from m2mguard._cli.context import REMOVED_BY_GOOGLE, is_cut_signature
from m2mguard._cli.pasted.pasted import Pasted

_SEGMENT = re.compile(r"[A-Za-z0-9_+/-]*={0,2}")
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
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
_MARKED_SECRETS = re.compile(
    r"[A-Za-z0-9_.~-]{3}[0-9]Q~[A-Za-z0-9_.~-]{31,37}"  # Entra
    r"|GOCSPX-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}|(?:sk|rk|gh[pousr]|glpat|xox[bp])[-_][A-Za-z0-9_-]{16,}"
)
_REFRESH_TOKENS = re.compile(
    r"1//[A-Za-z0-9_-]{20,}|[01]\.A[A-Za-z0-9_-]{3}[A-Za-z0-9_.-]{100,}|v1\.M[A-Za-z0-9_.-]{20,}"
)
_GOOGLE_OPAQUE = re.compile(r"ya29\.[A-Za-z0-9_.-]+")
_FEWEST_CHARACTERS = 16  # of something that could be a token


def read_word(word: str) -> Pasted:
    """Tell what one word without white space is."""
    if _REFRESH_TOKENS.fullmatch(word):
        return Pasted(kind="refresh_token")
    if _GOOGLE_OPAQUE.fullmatch(word):
        return Pasted(kind="opaque")
    if _MARKED_SECRETS.fullmatch(word):
        return Pasted(kind="app_secret")
    if _GUID.fullmatch(word) or _APP_IDS.fullmatch(word):
        return Pasted(kind="app_id")
    parts = word.split(".")
    if not all(_SEGMENT.fullmatch(part) for part in parts):
        return Pasted(kind="text")
    match len(parts):
        case 1:
            return _one(word)
        case 2:
            return _two(parts)
        case 3:
            return _three(word, parts)
        case 5:
            header = json_of(parts[0])
            return Pasted(kind="encrypted" if header is None or "enc" in header else "text", header=header)
        case _:
            return Pasted(kind="text")


def _one(word: str) -> Pasted:
    found = json_of(word)
    if found is not None:
        return (
            Pasted(kind="header_alone", header=found) if "alg" in found else Pasted(kind="claims_alone", claims=found)
        )
    if word.startswith("eyJ"):
        return Pasted(kind="cut_off", place="end")
    if _APP_SECRETS.fullmatch(word):
        return Pasted(kind="app_secret")
    return Pasted(kind="opaque" if len(word) >= _FEWEST_CHARACTERS else "text")


def _two(parts: list[str]) -> Pasted:
    header = json_of(parts[0])
    if header is not None and "alg" in header:
        return Pasted(kind="cut_off", place="end", header=header, claims=json_of(parts[1]))
    if parts[0].startswith("eyJ") and (header is None or json_of(parts[1]) is not None):
        return Pasted(kind="cut_off", place="end")
    likely = len(parts[1]) >= _FEWEST_CHARACTERS
    return Pasted(kind="cut_off" if likely else "text", place="start" if likely else "", claims=header)


def _three(word: str, parts: list[str]) -> Pasted:
    header, claims = json_of(parts[0]), json_of(parts[1])
    if header is None:
        return (
            Pasted(kind="text") if claims is None else Pasted(kind="cut_off", place="start", token=word, claims=claims)
        )
    if claims is None and parts[1].startswith("ey"):
        return Pasted(kind="cut_off", place="middle", token=word, header=header)
    if parts[2] == REMOVED_BY_GOOGLE:
        return Pasted(kind="token", token=word, header=header, claims=claims)
    cut = is_cut_signature(str(header.get("alg")), len(parts[2].rstrip("=")) * 6 // 8)
    return Pasted(
        kind="cut_off" if cut else "token", place="end" if cut else "", token=word, header=header, claims=claims
    )


def json_of(segment: str) -> Mapping[str, object] | None:
    """The JSON object that a base64url segment holds, read leniently; None where it holds none."""
    text = segment.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
