"""Reads files that hold keys, certificates and assertions. Waits for no pipe, and never quotes content that was given as a path."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from m2mguard._formatting import format_value

FilePath = str | os.PathLike[str]
MAX_BYTES: Final = 1_048_576
_LONGEST_RELATIVE: Final = 40


class UnreadableFile(Exception):
    """The file cannot be read. The message says which file and why."""


def read_credential_file(path: FilePath, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The content of a regular file.

    Raises:
        UnreadableFile: there is none, it is of another kind, such as a pipe, or it is longer.
    """
    try:
        with open(os.fspath(path), "rb", opener=_open_at_once) as file:
            is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(max_bytes + 1) if is_regular else b""
    except (OSError, TypeError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__
        raise UnreadableFile(f"{_named(path)} cannot be read: {why}") from None
    if not is_regular:
        raise UnreadableFile(f"{_named(path)} is no regular file, and is not waited for")
    if len(content) > max_bytes:
        raise UnreadableFile(f"{_named(path)} is longer than {max_bytes} bytes")
    return content


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # else a pipe is waited for until somebody writes


def _named(path: object) -> str:
    """The file in a message. A key or a token that was given instead of a path is long, and does not begin with a slash."""
    text = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else type(path).__name__
    if Path(text).is_absolute() or len(text) < _LONGEST_RELATIVE:
        return f"the file {format_value(text)}"  # in quotes, since a path may hold blanks
    return f"the file whose path was given as {len(text)} characters (a path, and not the content?)"
