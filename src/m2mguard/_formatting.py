"""Formatting helpers: escaped values, timestamps, durations, lists. Pure."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterable
from datetime import UTC, datetime

MAX_SHOWN_CHARACTERS = 200
_UNITS = ((2 * 86_400, 86_400, "day"), (2 * 3_600, 3_600, "hour"), (120, 60, "minute"), (0, 1, "second"))


def format_value(value: object) -> str:
    """Format any value as one short line of printable ASCII, so that it contains no terminal control characters."""
    text = json.dumps(value).replace("\x7f", "\\u007f")
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}... ({len(text):,} characters)"


def format_shell_word(value: str) -> str:
    """Format a value to paste after an option: printable ASCII, quoted for a shell if necessary."""
    return shlex.quote(format_value(value)[1:-1])


def format_values(values: Iterable[object], *, none: str = "none") -> str:
    """Format several values in their order, as `format_value` does; `none` if there are none."""
    return ", ".join(format_value(value) for value in values) or none


def join_names(values: Iterable[str]) -> str:
    """Join names, sorted. Only for trusted names: they are not escaped."""
    return ", ".join(sorted(values))


def format_time(seconds: float) -> str:
    """Format a time in seconds since the epoch, in UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return format_value(seconds)


def format_duration(seconds: float) -> str:
    """Format a duration in seconds in its largest fitting unit, rounded down."""
    whole = int(seconds)
    _, size, unit = next(entry for entry in _UNITS if whole >= entry[0])
    count = whole // size
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def round_up_seconds(seconds: float) -> int:
    """Round a wait up to whole seconds, at least 1, as `Retry-After` says it."""
    return max(1, math.ceil(seconds))


def read_number(value: object) -> float | None:
    """Return the value if it is a JSON number, else None."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
