"""A block list that is named by text, as in a variable or an option."""

from __future__ import annotations

from typing import Any

from m2mguard.blocklist._file import FileBlocklist
from m2mguard.blocklist._valkey_list import ValkeyBlocklist
from m2mguard.blocklist._watched import Blocklist
from m2mguard.errors import ConfigurationError


def blocklist_named(name: str, *, key: bytes | None = None, **settings: Any) -> Blocklist:
    """The list in a file, or at the URL of a Valkey server.

    Args:
        name: the path or the URL.
        key: the secret key, for a Valkey server.
        settings: further arguments of the list.

    Raises:
        ConfigurationError: an invalid value, or a key that is missing, or one for a file.
    """
    if "://" not in name:
        if key is not None:
            raise ConfigurationError("a block list in a file has no key: anyone who can write the file can change it.")
        return FileBlocklist(name, **settings)
    if key is None:
        raise ConfigurationError(
            "a block list in Valkey needs its key, at least 32 secret bytes: key=..., or M2MGUARD_BLOCKLIST_KEY in base64url."
        )
    return ValkeyBlocklist(name, key=key, **settings)
