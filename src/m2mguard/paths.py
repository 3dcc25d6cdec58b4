"""Which request paths are public. Pure: looks at a path and never at a Host, a query or a forwarded header.

Only plain canonical paths can be public: whatever a router, a proxy or a file system might read differently stays protected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from m2mguard.errors import ConfigurationError

# Segments of unreserved characters and harmless sub-delimiters (RFC 3986 section 3.3) that do not end in a dot: no empty segment,
# no "." or "..", no percent, no semicolon, no backslash, no control character, nothing outside ASCII.
_SEGMENT = r"[A-Za-z0-9._~!$&'()+,=:@-]*[A-Za-z0-9_~!$&'()+,=:@-]"
_CANONICAL = re.compile(rf"(?:/{_SEGMENT})+/?|/")
_LITERAL = re.compile(r"[^$()+]*")  # whoever writes these means a pattern


class PublicPaths:
    """The paths that need no token.

    Immutable and safe to share between threads.

    Args:
        entries: literal paths below the application's root. One that ends in "/" is a prefix of whole segments ("/docs/" opens
            "/docs/a" but neither "/docs" nor "/docs-internal"); any other is one exact path.

    Raises:
        ConfigurationError: an entry that is not a plain canonical path, or "/", which would open everything.
    """

    __slots__ = ("_exact", "_prefixes")

    def __init__(self, entries: Iterable[str]) -> None:
        if isinstance(entries, str | bytes | Mapping) or not isinstance(entries, Iterable):
            raise ConfigurationError(
                'public is a string, or no list at all; give a list of paths: public=["/healthz"].'
            )
        checked = [_checked(entry) for entry in entries]
        self._exact = frozenset(entry for entry in checked if not entry.endswith("/"))
        self._prefixes = tuple(entry for entry in checked if entry.endswith("/"))

    def __bool__(self) -> bool:
        return bool(self._exact or self._prefixes)

    def match(self, path: str, *, root_path: str = "", raw_path: bytes | None = None) -> bool:
        """Tell whether a request path is public.

        Args:
            path: the decoded path as the server gives it (ASGI `path`; WSGI `SCRIPT_NAME` + `PATH_INFO`).
            root_path: where the application is mounted; taken off the path as whole segments.
            raw_path: the path as it was sent, where the server tells; one that was percent-encoded is never public.
        """
        routed = unambiguous_path(path, root_path, raw_path)
        if routed is None or (routed not in self._exact and not routed.startswith(self._prefixes)):
            return False
        return _CANONICAL.fullmatch(routed) is not None


def unambiguous_path(path: str, root_path: str, raw_path: bytes | None) -> str | None:
    """The path below `root_path`, or None where a router may see another one. Arguments as for `PublicPaths.match`."""
    if raw_path is not None and b"%" in raw_path:
        return None
    if root_path and path.startswith(root_path) and path[len(root_path) : len(root_path) + 1] in ("", "/"):
        return path[len(root_path) :]
    if root_path and root_path in path:  # Litestar routes what stands behind it, wherever it stands
        return None
    return path


def _checked(entry: object) -> str:
    if not isinstance(entry, str):
        raise ConfigurationError("public: every entry must be a string that starts with '/'.")
    if entry == "/":
        raise ConfigurationError(
            "public: '/' would open every path. Name the paths that need no token, such as '/healthz'."
        )
    if not _CANONICAL.fullmatch(entry) or not _LITERAL.fullmatch(entry):
        raise ConfigurationError(
            f"public: {entry!r} would never match. Give a plain path that starts with '/', without empty, '.' or '..' segments, "
            "percent-encoding or wildcards such as '{id}' or '*', and with a '/' at the end to open everything below it."
        )
    return entry
