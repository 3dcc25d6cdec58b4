"""What a command prints: lines, paragraphs, and rows with a status. It is buffered, so a closed pipe cannot change the exit status.

On a terminal, long lines are wrapped and indented, and marks and bullets have colours unless NO_COLOR is set. In a pipe or a
file, lines are neither wrapped nor coloured.
"""

from __future__ import annotations

import enum
import shutil
import textwrap
from collections.abc import Mapping
from typing import TextIO

_NAME_COLUMNS = 14
_TEXT_COLUMN = 2 + 2 + _NAME_COLUMNS + 2
_MIN_WIDTH = 50
_OFF = "\x1b[0m"


class Status(enum.Enum):
    """The result of a step: its two-character mark and its colour (red, green, yellow or grey)."""

    PASSED = ("ok", "\x1b[32m")
    REFUSED = ("NO", "\x1b[1;31m")
    UNKNOWN = ("??", "\x1b[33m")
    NOT_REACHED = ("--", "\x1b[90m")
    WARNING = ("!!", "\x1b[1;33m")
    NONE = ("  ", "")


class Output:
    """Lines of text, in colour or plain.

    Args:
        colour: whether to use colours.
        width: columns of the terminal (at least 50 are used), or None for no wrapping.
    """

    def __init__(self, *, colour: bool, width: int | None = None) -> None:
        self._colour = colour
        self._width = None if width is None else max(width, _MIN_WIDTH)
        self._lines: list[str] = []

    def line(self, text: str = "") -> None:
        """Add a line without wrapping it."""
        self._lines.append(text)

    def row(self, status: Status, name: str, text: str) -> None:
        """Add a row that starts with a mark and a name."""
        word, colour = status.value
        first, *more = self._wrap_text(text, indent=_TEXT_COLUMN)
        self._lines.append(f"{self._colour_text(word, colour)}  {name:<{_NAME_COLUMNS}}  {first}")
        self._lines += [f"{'':<{_TEXT_COLUMN}}{line}" for line in more]

    def paragraph(self, text: str, *, bullet: str = "", emphasis: Status | None = None) -> None:
        """Add text that may be wrapped; later lines are indented to the text after the bullet."""
        colour = "" if emphasis is None else emphasis.value[1]
        first, *more = self._wrap_text(text, indent=len(bullet))
        self._lines.append(f"{self._colour_text(bullet, colour)}{first}")
        self._lines += [f"{'':<{len(bullet)}}{line}" for line in more]

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(f"{line}\n" for line in self._lines)

    def _colour_text(self, word: str, colour: str) -> str:
        return f"{colour}{word}{_OFF}" if self._colour and colour and word.strip() else word

    def _wrap_text(self, text: str, *, indent: int) -> list[str]:
        if self._width is None:
            return [text]
        return textwrap.wrap(text, self._width - indent, break_on_hyphens=False, break_long_words=False) or [""]


def create_output(stream: TextIO, environ: Mapping[str, str]) -> Output:
    """Create the output for a stream; on a terminal: wrapped to its width, and coloured unless NO_COLOR (no-color.org) is set."""
    is_terminal = stream.isatty()
    colour = is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return Output(colour=colour, width=shutil.get_terminal_size().columns if is_terminal else None)
