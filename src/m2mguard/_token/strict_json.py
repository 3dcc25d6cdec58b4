"""JSON objects read strictly: UTF-8 only, no duplicate members, no NaN or infinity, no giant numbers, bounded depth.

For token segments and issuer metadata alike (RFC 8259, RFC 7493, RFC 8725 section 3.7). Pure.
"""

from __future__ import annotations

import json
import math
from codecs import BOM_UTF8
from typing import Any

MAX_DEPTH = 32
MAX_INTEGER_DIGITS = 40
_WHITE_SPACE = " \t\n\r"  # RFC 8259 section 2
_OPENING_BRACKET = ord("[")


class NotStrictJson(ValueError):
    """The bytes are not one strict JSON object. The message never quotes them."""


def parse_object(data: bytes) -> dict[str, object]:
    """Read one JSON object.

    Raises:
        NotStrictJson: for anything else, a lone surrogate and a nesting deeper than 32 included.
    """
    try:
        text = data.decode("utf-8").strip(_WHITE_SPACE)
        value, end = _DECODER.raw_decode(text)
        if end != len(text):
            value = None
        if "\\" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate cannot be encoded
    except NotStrictJson:
        raise
    except (ValueError, RecursionError):
        value = None  # refused below: these errors hold the text, and must not become the context of ours
    if not isinstance(value, dict):
        raise NotStrictJson("not a JSON object in UTF-8")
    if (data.rfind(b"{") > 0 or _OPENING_BRACKET in data) and _depth(value) > MAX_DEPTH:
        raise NotStrictJson("nested too deeply")
    return value


def without_byte_order_mark(document: bytes) -> bytes:
    """Remove the byte order mark that some issuers write before a document (RFC 8259 section 8.1). Not for segments of a token."""
    return document.removeprefix(BOM_UTF8)


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrictJson("a member occurs twice")
    return members


def _refuse_constant(name: str) -> object:
    raise NotStrictJson(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise NotStrictJson("a number is out of range")
    return number


def _bounded(digits: str) -> int:
    if len(digits) > MAX_INTEGER_DIGITS:
        raise NotStrictJson("a number is out of range")
    return int(digits)


def _depth(value: dict[str, Any] | list[Any]) -> int:
    """The nesting of a parsed value, found without recursion."""
    depth, level = 0, [value]
    while level:
        depth += 1
        inside = (one.values() if isinstance(one, dict) else one for one in level)
        level = [member for members in inside for member in members if isinstance(member, dict | list)]
    return depth


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_members, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_bounded
)
