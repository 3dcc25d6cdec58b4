"""Takes off, one after the other, what people copy along with a token, and says what was taken off. Pure; never raises."""

from __future__ import annotations

import codecs
import dataclasses
import json
import re
from urllib.parse import unquote

from m2mguard.cli.pasted.pasted import NoteCode, Pasted, PastedNote
from m2mguard.cli.pasted.segments import read_word

MAX_CHARACTERS = 65_536
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_UNUSUAL_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u3000]")
_FIELD = re.compile(
    r"""(?is)(?:proxy-|x-serverless-)?authorization["']?\s*[:=]\s*["']?(?P<value>[^"'\r\n]*(?:\r?\n[ \t]+[^"'\r\n]+)*)"""
)
_IN_URL = re.compile(r"(?:^|[?&#\s])access_token=([^&#\s\"']+)")
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
_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_MOST_ROUNDS = 8


def read_pasted(text: str | bytes) -> Pasted:
    """Tell what was pasted.

    Args:
        text: the text, or the bytes of a file.

    Returns:
        The token with what was taken off it, or what the text is instead. Nothing is verified, and nothing of the text is in any sentence.
    """
    notes: list[NoteCode] = []
    word = _decoded(text, notes) if isinstance(text, bytes) else text
    if len(word) > MAX_CHARACTERS:
        return Pasted(kind="too_much")
    found = _read(word, notes)
    codes = dict.fromkeys(notes)
    return dataclasses.replace(found, notes=tuple(PastedNote(code=code) for code in codes))


def _decoded(data: bytes, notes: list[NoteCode]) -> str:
    data = data[: 4 * MAX_CHARACTERS]
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            notes.append("utf16")
            return data[len(mark) :].decode(encoding, "replace")
    if b"\x00" in data[:64]:
        notes.append("utf16")
        return data.decode("utf-16-le" if data[1:2] == b"\x00" else "utf-16-be", "replace")
    if data.startswith(codecs.BOM_UTF8):
        notes.append("byte_order_mark")
        data = data[len(codecs.BOM_UTF8) :]
    return data.decode("utf-8", "replace")


def _read(text: str, notes: list[NoteCode]) -> Pasted:
    for _ in range(_MOST_ROUNDS):
        text = _visible(text, notes).strip()
        found = _whole(text, notes)
        if isinstance(found, Pasted):
            return found
        if found is None:
            break
        text = found
    return _words(text, notes)


def _visible(text: str, notes: list[NoteCode]) -> str:
    if text.startswith("\ufeff"):
        notes.append("byte_order_mark")
        text = text[1:]
    shown = _UNUSUAL_SPACES.sub(" ", _INVISIBLE.sub("", text))
    if shown != text:
        notes.append("invisible_characters")
    return shown


def _whole(text: str, notes: list[NoteCode]) -> Pasted | str | None:
    """What the text is as a whole, or the text with one layer taken off, or None where there is no layer left."""
    if not text or text.lower() in _EMPTY:
        return Pasted(kind="empty_value")
    if "-----BEGIN " in text:
        return Pasted(kind="pem")
    if text[0] in '{["' and (read := _json(text, notes)) is not None:
        return read
    variable = _VARIABLE.fullmatch(_PREFIX.sub("", text, count=1))
    if variable is not None:
        return Pasted(kind="variable", place=next((name for name in variable.groupdict().values() if name), ""))
    if _BASIC.fullmatch(text):
        return Pasted(kind="basic_credentials")
    bytes_literal = _PYTHON_BYTES.fullmatch(text)
    if bytes_literal is not None:
        notes.append("python_bytes")
        return bytes_literal[2]
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        notes.append("quotes")
        return text.strip(_QUOTES)
    return _from_a_request(text, notes)


def _from_a_request(text: str, notes: list[NoteCode]) -> Pasted | str | None:
    field = _FIELD.search(text)
    if field is not None and field["value"].strip():
        notes.append("header_line")
        return field["value"]
    in_url = _IN_URL.search(text)
    if in_url is not None:
        notes.append("url")
        return unquote(in_url[1])
    prefix = _PREFIX.match(text)
    if prefix is not None:
        if "prefix" in notes:
            notes.append("doubled_prefix")
        notes.append("prefix")
        return text[prefix.end() :]
    if "%" in text and (decoded := unquote(text)) != text:
        notes.append("percent_encoding")
        return decoded
    if text[-1] in ",;":
        notes.append("punctuation")
        return text[:-1]
    return None


def _json(text: str, notes: list[NoteCode]) -> Pasted | str | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        token = re.search(r'"access_token"\s*:\s*"([^"]*)', text)
        if token is None:
            return None
        notes.append("json_answer")
        return token[1]
    if isinstance(found, str):
        notes.append("quotes")
        return found
    if not isinstance(found, dict):
        return Pasted(kind="text")
    token = next(
        (found[name] for name in ("access_token", "accessToken", "token") if isinstance(found.get(name), str)), None
    )
    if token is not None:
        notes.append("json_answer")
        return str(token)
    if "keys" in found or "kty" in found:
        return Pasted(kind="key_set")
    if "id_token" in found or "refresh_token" in found:
        return Pasted(kind="no_access_token")
    if "error" in found:
        return Pasted(kind="error_answer")
    if "alg" in found and "iss" not in found:
        return Pasted(kind="header_alone", header=found)
    return Pasted(kind="claims_alone" if {"iss", "sub", "exp"} & found.keys() else "text")


def _words(text: str, notes: list[NoteCode]) -> Pasted:
    if _ELLIPSIS.search(text):
        return Pasted(kind="cut_off", place=_missing_place(text))
    words = text.split()
    if len(words) <= 1:
        return read_word(text)
    tokens = set(_TOKEN.findall(text))
    if len(tokens) > 1 and all(len(one) > _shortest(tokens) for one in tokens):
        return Pasted(kind="several_tokens")
    joined = read_word("".join(words))
    if joined.kind in ("token", "cut_off", "encrypted"):
        notes.append("line_breaks")
        return joined
    return Pasted(kind="text")


def _shortest(tokens: set[str]) -> int:
    return min(len(one) for one in tokens) // 2


def _missing_place(text: str) -> str:
    if _ELLIPSIS.match(text):
        return "start"
    return "end" if _ELLIPSIS.fullmatch(text[-3:]) or text.endswith(("…", "[truncated]", "<truncated>")) else "middle"
