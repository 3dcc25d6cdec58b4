"""What the contract's application has in every framework: its methods, the tenant in its path, and its own failure."""

import re
from typing import Any

from m2mguard.testing.contract import ApplicationFailure

ALL_METHODS = ["GET", "HEAD", "POST", "OPTIONS"]


def tenant_of(path: str) -> str | None:
    """The tenant of a whole path, for adapters that have no routes."""
    found = re.fullmatch(r"/tenants/([^/]+)/caller", path)
    return found and found[1]


def failure(*_request: Any) -> Any:
    raise ApplicationFailure("the application's own")
