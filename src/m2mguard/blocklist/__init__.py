"""Block lists: applications, tokens, keys and organizations that an API refuses at once, although their tokens are good.

`ResourceServer(..., blocklist=FileBlocklist("/etc/m2mguard/blocked.json"))`. The list is read by a thread, never by a request.
"""

from m2mguard.blocklist._block import Block
from m2mguard.blocklist._file import FileBlocklist
from m2mguard.blocklist._valkey_list import ValkeyBlocklist
from m2mguard.blocklist._watched import Blocklist

__all__ = ["Block", "Blocklist", "FileBlocklist", "ValkeyBlocklist"]


def __dir__() -> list[str]:
    return sorted(__all__)
