"""What a command prints: lines, paragraphs, and rows with a status. Buffered, so that a closed pipe cannot change the exit status.

On a terminal, long lines are wrapped with indentation, and marks and headings have colours unless NO_COLOR asks for none. In a pipe or a
file each line is whole and plain.
"""

from __future__ import annotations

import enum
import shutil
import textwrap
from collections.abc import Mapping
from typing import TextIO

_NAME_COLUMNS = 14
_TEXT_COLUMN = 2 + 2 + _NAME_COLUMNS + 2
_LEAST_WIDTH = 50
_OFF = "\x1b[0m"


class Status(enum.Enum):
    """How a step ended, and its colour: red, green, yellow or grey."""

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
        width: the columns of the terminal, or None to leave lines whole.
    """

    def __init__(self, *, colour: bool, width: int | None = None) -> None:
        self._colour = colour
        self._width = None if width is None else max(width, _LEAST_WIDTH)
        self._lines: list[str] = []

    def line(self, text: str = "") -> None:
        """Add a line as it is."""
        self._lines.append(text)

    def row(self, status: Status, name: str, text: str) -> None:
        """Add a row that begins with a mark and a name."""
        word, colour = status.value
        first, *more = self._wrapped(text, indent=_TEXT_COLUMN)
        self._lines.append(f"{self._painted(word, colour)}  {name:<{_NAME_COLUMNS}}  {first}")
        self._lines += [f"{'':<{_TEXT_COLUMN}}{line}" for line in more]

    def paragraph(self, text: str, *, bullet: str = "", emphasis: Status | None = None) -> None:
        """Add text that may be wrapped; the lines after the first begin below the text behind the bullet."""
        colour = "" if emphasis is None else emphasis.value[1]
        first, *more = self._wrapped(text, indent=len(bullet))
        self._lines.append(f"{self._painted(bullet, colour)}{first}")
        self._lines += [f"{'':<{len(bullet)}}{line}" for line in more]

    @property
    def text(self) -> str:
        """Everything, ready to be written."""
        return "".join(f"{line}\n" for line in self._lines)

    def _painted(self, word: str, colour: str) -> str:
        return f"{colour}{word}{_OFF}" if self._colour and colour and word.strip() else word

    def _wrapped(self, text: str, *, indent: int) -> list[str]:
        if self._width is None:
            return [text]
        room = self._width - indent
        return textwrap.wrap(text, room, break_on_hyphens=False, break_long_words=False) or [""]


def output_for(stream: TextIO, environ: Mapping[str, str]) -> Output:
    """Make the output for a stream: colours on a terminal that has them, unless NO_COLOR (no-color.org) is set; lines of its width."""
    is_terminal = stream.isatty()
    colour = is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return Output(colour=colour, width=shutil.get_terminal_size().columns if is_terminal else None)
