"""Reads settings that come as text, such as environment variables. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from m2mguard._token.strict_json import parse_object
from m2mguard.errors import ConfigurationError

_TRUE = frozenset(("1", "true", "yes", "on"))
_FALSE = frozenset(("0", "false", "no", "off"))


def text(value: str) -> str:
    """Text without the white space around it."""
    return value.strip()


def words(value: str) -> list[str]:
    """A list, separated by commas or white space."""
    return [word for word in re.split(r"[,\s]+", value) if word]


def switch(value: str) -> bool:
    """True or false, in one of the usual spellings."""
    word = value.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("give true or false")
    return word in _TRUE


def json_object(value: str) -> dict[str, Any]:
    """One JSON object."""
    return parse_object(value.encode())


def read_setting(shown: str, reader: Callable[[str], Any], value: str) -> Any:
    """Read one setting.

    Args:
        shown: its name, for the message.
        reader: turns the text into a value.
        value: the text, which is never shown.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return reader(value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{shown}: {error}") from None
    except ValueError:
        wanted = {float: "a number", int: "a whole number", switch: "true or false"}.get(reader, "valid JSON")
        raise ConfigurationError(f"{shown} cannot be read; give {wanted}.") from None


def variables(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The variables that begin with the prefix, without it. An empty one counts as not set."""
    return {
        name.removeprefix(prefix): value for name, value in environ.items() if name.startswith(prefix) and value.strip()
    }
