"""Formatting helpers: escaped values, timestamps, durations, lists. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from datetime import UTC, datetime

MAX_SHOWN_CHARACTERS = 200
_UNITS = ((2 * 86_400, 86_400, "day"), (2 * 3_600, 3_600, "hour"), (120, 60, "minute"), (0, 1, "second"))


def format_value(value: object) -> str:
    """Spell a value as one short line of printable ASCII, whatever is in it: a terminal obeys what it is sent."""
    text = json.dumps(value).replace("\x7f", "\\u007f")
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}... ({len(text):,} characters)"


def format_shell_word(value: str) -> str:
    """Spell a value so that it can be pasted after an option: printable ASCII, quoted for a shell where it needs that."""
    return shlex.quote(format_value(value)[1:-1])


def format_values(values: Iterable[object], *, none: str = "none") -> str:
    """Spell several values, quoted, in their order."""
    return ", ".join(format_value(value) for value in values) or none


def join_names(values: Iterable[str]) -> str:
    """Spell several names of our own or of a standard, sorted."""
    return ", ".join(sorted(values))


def format_time(seconds: float) -> str:
    """Spell a time in seconds since the epoch, in UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return format_value(seconds)


def format_duration(seconds: float) -> str:
    """Spell a length of time in its largest fitting unit, rounded down."""
    whole = int(seconds)
    _, size, unit = next(entry for entry in _UNITS if whole >= entry[0])
    count = whole // size
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def read_number(value: object) -> float | None:
    """The value, where it is a JSON number."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


listed = format_values
"""The same function under the name that `m2mguard._routes` uses."""
