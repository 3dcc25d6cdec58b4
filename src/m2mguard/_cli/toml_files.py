"""Reads TOML files that a user wrote for a command, and finds members that are misspelt. No I/O except that file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from m2mguard._validation import did_you_mean
from m2mguard.errors import ConfigurationError


def read_toml(name: str, place: str) -> dict[str, Any]:
    """Read a file.

    Args:
        name: its path.
        place: what messages call it, such as "--config dev.toml".

    Raises:
        ConfigurationError: it cannot be read, or is not TOML.
    """
    try:
        with Path(name).open("rb") as file:
            return tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{place}: this is not TOML: {error}.") from None
    except OSError as error:
        raise ConfigurationError(f"{place}: the file cannot be read: {error.strerror}.") from None


def check_members(table: Mapping[str, Any], place: str, known: tuple[str, ...]) -> None:
    """Check that a table has no other members than these.

    Raises:
        ConfigurationError: it has one; the message names it and the nearest of these.
    """
    for name in table:
        if name not in known:
            raise ConfigurationError(f"{place}: {name} is unknown. {did_you_mean(name, known)}")
