"""Removes the text that people copy together with a token, layer by layer, and notes what was removed. Pure; never raises."""

from __future__ import annotations

import codecs
import dataclasses
import json
import re
from urllib.parse import unquote

from m2mguard._cli.pasted.pasted_text import NoteCode, PastedNote, PastedText
from m2mguard._cli.pasted.token_segments import classify_word

MAX_PASTED_CHARACTERS = 65_536
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_UNUSUAL_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u3000]")
_AUTHORIZATION_FIELD = re.compile(
    r"""(?is)(?:proxy-|x-serverless-)?authorization["']?\s*[:=]\s*["']?"""
    r"""(?P<value>(?:bearer[ \t:]+)*(?:b?["'](?=\w))?[^"'\r\n]*(?:\r?\n[ \t]*[\w.-]+[ \t]*(?=["'\r\n,;]|\Z))*)"""
)
_IN_URL = re.compile(r"(?:^|[?&#\s])access_token=([^&#\s\"']+)")
_IN_JSON = re.compile(r"""["']access_?token["']\s*:\s*["']([^"']+)["']?""", re.IGNORECASE)
_PYTHON_BYTES = re.compile(r"""(?s)[bB](["'])(.*)\1""")
_PREFIX = re.compile(r"(?i)bearer[\s:]+")
_BASIC = re.compile(r"(?i)basic\s+[A-Za-z0-9+/_-]+={0,2}")
_EMPTY = frozenset(
    ("none", "null", "nil", "undefined", "nan", "true", "false", "[object object]", "bearer", "{}", "[]", '""', "''")
)
_VARIABLE = re.compile(
    r"\$\{\{?\s*(?P<a>[\w.:-]+)\s*\}\}?|\$(?P<b>\w+)|\$env:(?P<c>\w+)|%(?P<d>\w+)%|\{\{\s*(?P<e>[\w.-]+)\s*\}\}"
    r"|\$\((?P<f>[^)]*)\)|<(?P<g>[\w -]+)>"
    r"|(?:process\.env\.|os\.environ)[\w.\[\]\"']*|(?:YOUR|MY|PASTE|INSERT)[_A-Z-]*TOKEN[_A-Z-]*"
)
_ELLIPSIS = re.compile(r"\.\.\.+|…|\[truncated\]|<truncated>")
# A secret has digits, or mixes cases.
_NAME = re.compile(r"(?=.{1,40}\Z)(?:[A-Z_]+|[a-z_-]+)(?:[. ](?:[A-Z_]+|[a-z_-]+))*")
_LINE_CONTINUATION = re.compile(r"\\\r?\n")  # a shell's line continuation
_QUOTES = "\"'`\u2018\u2019\u201a\u201c\u201d\u201e\u2039\u203a\u00ab\u00bb"
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_.-])eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?![A-Za-z0-9_-]|\.[A-Za-z0-9_-]|\.\.|\u2026)"
)
_MAX_LAYERS = 8
_MAYBE_OPAQUE = ("opaque", "encrypted", "app_secret", "app_id")  # an issuer's opaque tokens may look like these


def read_pasted_text(text: str | bytes) -> PastedText:
    """Find the token in a pasted text, or classify the text.

    Args:
        text: the text, or the bytes of a file.

    Returns:
        The token and what was removed around it, or the kind of the text. Nothing is verified. No note repeats the text.
    """
    notes: list[NoteCode] = []
    word = _decode_bytes(text, notes) if isinstance(text, bytes) else text
    if len(word) > MAX_PASTED_CHARACTERS:
        return PastedText(kind="too_much")
    found = _remove_layers(word, notes)
    codes = dict.fromkeys(notes)
    return dataclasses.replace(found, notes=tuple(PastedNote(code=code) for code in codes))


def _decode_bytes(data: bytes, notes: list[NoteCode]) -> str:
    data = data[: 4 * MAX_PASTED_CHARACTERS]
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            notes.append("utf16")
            return data[len(mark) :].decode(encoding, "replace")
    if b"\x00" in data[:64]:
        notes.append("utf16")
        little_endian = data[1:64:2].count(0) > data[0:64:2].count(0)
        return data.decode("utf-16-le" if little_endian else "utf-16-be", "replace")
    if data.startswith(codecs.BOM_UTF8):
        notes.append("byte_order_mark")
        data = data[len(codecs.BOM_UTF8) :]
    return data.decode("utf-8", "replace")


def _remove_layers(text: str, notes: list[NoteCode]) -> PastedText:
    for _ in range(_MAX_LAYERS):
        text = _remove_invisible(text, notes).strip()
        found = _remove_layer(text, notes)
        if isinstance(found, PastedText):
            return found
        if found is None:
            break
        text = found
    return _classify_words(text, notes)


def _remove_invisible(text: str, notes: list[NoteCode]) -> str:
    if text.startswith("\ufeff"):
        notes.append("byte_order_mark")
        text = text[1:]
    shown = _UNUSUAL_SPACES.sub(" ", _INVISIBLE.sub("", text))
    if shown != text:
        notes.append("invisible_characters")
    return shown


def _remove_layer(text: str, notes: list[NoteCode]) -> PastedText | str | None:
    """Return the kind of the whole text, or the text without one layer, or None if no layer is left."""
    if not text or text.lower() in _EMPTY:
        return PastedText(kind="empty_value")
    if "-----BEGIN " in text:
        return PastedText(kind="pem")
    if text[0] in '{["' and (read := _extract_from_json(text, notes)) is not None:
        return read
    variable = _VARIABLE.fullmatch(_PREFIX.sub("", text, count=1))
    if variable is not None:
        names = (name for name in variable.groupdict().values() if name and _NAME.fullmatch(name))
        return PastedText(kind="variable", place=next(names, ""))
    if _BASIC.fullmatch(text):
        return PastedText(kind="basic_credentials")
    bytes_literal = _PYTHON_BYTES.fullmatch(text)
    if bytes_literal is not None:
        notes.append("python_bytes")
        return bytes_literal[2]
    prefix = _PREFIX.match(text)
    if prefix is not None:
        notes.append("doubled_prefix" if "prefix" in notes else "prefix")
        return text[prefix.end() :]
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        notes.append("quotes")
        return text.strip(_QUOTES)
    return _extract_from_request(text, notes)


def _extract_from_request(text: str, notes: list[NoteCode]) -> PastedText | str | None:
    field = _AUTHORIZATION_FIELD.search(text)
    if field is not None and field["value"].strip():
        notes.append("header_line")
        return field["value"]
    in_url = _IN_URL.search(text)
    if in_url is not None:
        notes.append("url")
        return unquote(in_url[1])
    in_json = _IN_JSON.search(text)
    if in_json is not None:
        notes.append("json_answer")
        return in_json[1]
    if "%" in text and (decoded := unquote(text)) != text:
        notes.append("percent_encoding")
        return decoded
    if text[-1] in ",;":
        notes.append("punctuation")
        return text[:-1]
    return None


def _extract_from_json(text: str, notes: list[NoteCode]) -> PastedText | str | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(found, str):
        notes.append("quotes")
        return found
    return _extract_from_object(found, notes) if isinstance(found, dict) else None


def _extract_from_object(found: dict[str, object], notes: list[NoteCode]) -> PastedText | str | None:
    for name, value in found.items():
        if name.lower() == "authorization" and isinstance(value, str):
            notes.append("header_line")
            return value
    for name in ("access_token", "accessToken", "token"):
        if name in found:
            value = found[name]
            notes.append("json_answer")
            return value if isinstance(value, str) else None if value else PastedText(kind="empty_value")
    if "keys" in found or "kty" in found:
        return PastedText(kind="key_set")
    if "id_token" in found or "refresh_token" in found:
        return PastedText(kind="no_access_token")
    if "error" in found:
        return PastedText(kind="error_answer")
    if "alg" in found and "iss" not in found:
        return PastedText(kind="header_alone", header=found)
    return PastedText(kind="claims_alone", claims=found) if {"iss", "sub", "exp"} & found.keys() else None


def _classify_words(text: str, notes: list[NoteCode]) -> PastedText:
    """Classify a text without layers: one word, one word broken into lines, or a token with other text around it."""
    whole = [found for found in map(classify_word, dict.fromkeys(_TOKEN.findall(text))) if found.kind == "token"]
    if len(whole) > 1:
        return PastedText(kind="several_tokens")
    words = _LINE_CONTINUATION.sub(r"\n", text).split()
    if not whole and _ELLIPSIS.search(text):
        return PastedText(kind="cut_off", place=_find_missing_part(text))
    joined = classify_word("".join(words))
    if joined.kind == "token" or (not whole and joined.kind in ("cut_off", "encrypted")):
        if len(words) > 1:
            notes.append("line_breaks")
        return joined
    if whole:
        notes.append("surroundings")
        return whole[0]
    if len(words) > 1:
        return PastedText(kind="text")
    return dataclasses.replace(joined, word=words[0]) if joined.kind in _MAYBE_OPAQUE else joined


def _find_missing_part(text: str) -> str:
    if _ELLIPSIS.match(text):
        return "start"
    return "end" if _ELLIPSIS.fullmatch(text[-3:]) or text.endswith(("…", "[truncated]", "<truncated>")) else "middle"
