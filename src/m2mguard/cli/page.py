"""What a command prints: lines, and rows with a mark. Collected first, so that a reader who leaves early changes no verdict.

Works without colours; they are added for a terminal only, and never where NO_COLOR asks for none.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TextIO

_NAME_COLUMNS = 14
_OFF = "\x1b[0m"


class Mark(enum.Enum):
    """How a step ended, and its colour: red, green, yellow or grey."""

    PASSED = ("ok", "\x1b[32m")
    REFUSED = ("NO", "\x1b[31m")
    UNKNOWN = ("??", "\x1b[33m")
    NOT_REACHED = ("--", "\x1b[90m")


class Page:
    """Lines of text, in colour or plain."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        self._lines: list[str] = []

    def line(self, text: str = "") -> None:
        """Add a line."""
        self._lines.append(text)

    def row(self, mark: Mark, name: str, text: str) -> None:
        """Add a line that begins with a mark and a name."""
        word, colour = mark.value
        shown = f"{colour}{word}{_OFF}" if self._colour else word
        self._lines.append(f"{shown}  {name:<{_NAME_COLUMNS}}  {text}")

    @property
    def text(self) -> str:
        """Everything, ready to be written."""
        return "".join(f"{line}\n" for line in self._lines)


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether colours help: on a terminal that knows them, unless NO_COLOR (no-color.org) is set."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
