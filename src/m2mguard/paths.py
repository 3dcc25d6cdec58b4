"""`PublicPaths`: matches a path and a method against the entries of `public=`. Pure: no Host, query or forwarded header is read.

Only canonical paths can be public: whatever a router, a proxy or a file system might read differently stays protected. What else depends
on a path (the metadata's own, `paths` of forward-auth) finds here which paths are canonical, too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from m2mguard.errors import ConfigurationError

__all__ = ["WEBSOCKET", "PublicPaths"]

WEBSOCKET: Final = "WEBSOCKET"
"""The method by which an entry names the handshakes of WebSockets."""

# Segments (RFC 3986 section 3.3) of unreserved characters, harmless sub-delimiters, spaces, and what is not ASCII. Not among
# them: an empty segment, "." and "..", a dot or space at the end, a space at the start, `%`, `;`, `\`, and control characters.
_CHARS = r"A-Za-z0-9_~!$&'()+,=:@\-"  # and the dot, except at the end
_BEYOND_ASCII = r"\x80-\U0010ffff"
_CANONICAL = re.compile(rf"(?:/(?! )[. {_CHARS}{_BEYOND_ASCII}]*[{_CHARS}{_BEYOND_ASCII}])+/?")
# The same as it is sent: what must be percent-encoded is, and so may be a sub-delimiter. An encoded letter, digit, dot, slash,
# backslash, percent sign, semicolon or control character is no plain encoding.
_SENT = re.compile(rf"(?:[./{_CHARS}]|%(?:2[01467-9BC]|3[AD]|40|[89A-F][0-9A-F]))*".encode(), re.IGNORECASE)
# Read as a slash or backslash by a code page that has no better character for them.
_LOOKS_LIKE_A_SLASH = re.compile(r"[\xa5\u2044\u20a9\u2215\u2216\u29f5\u29f8\u29f9]")
_MAX_BEYOND_ASCII = 1024  # characters of a path that is normalized, which takes longer than in proportion to the length

_ENTRY = re.compile(rf"(?:(?P<methods>[A-Z-]+(?:,[A-Z-]+)*) )?(?P<path>(?:/[.{_CHARS}]*[{_CHARS}])+/?)")
_LITERAL = re.compile(r"[^$()+]*")  # these signal that a pattern was intended

Methods = frozenset[str] | None  # None: every method
_NO_METHOD: Final[frozenset[str]] = frozenset()


class PublicPaths:
    """The paths that need no token.

    Immutable and safe to share between threads.

    Args:
        entries: literal paths of ASCII characters below the application's root. One that ends in "/" is a prefix of whole segments
            and opens all paths below it: "/docs/" opens "/docs/a", but not "/docs", "/docs-internal" or "/docs/", which some
            routers take for "/docs". ("/docs/" is public if "/docs" is an entry, too.) Any other is one exact path. An entry
            opens every method, or only those that it names: "GET /reports/", "GET,POST /hook". GET includes HEAD; "WEBSOCKET"
            is the handshake of a WebSocket.

    Raises:
        ConfigurationError: an entry that is not a canonical path, or "/", which would open everything.
    """

    __slots__ = ("_exact", "_prefixes")

    def __init__(self, entries: Iterable[str]) -> None:
        if isinstance(entries, str | bytes | Mapping) or not isinstance(entries, Iterable):
            raise ConfigurationError(
                'public is a string, or no list at all; give a list of paths: public=["/healthz"].'
            )
        named: dict[str, Methods] = {}
        for methods, path in map(parse_entry, entries):
            before = named.get(path, _NO_METHOD)
            named[path] = None if before is None or methods is None else before | methods
        self._exact = {path: methods for path, methods in named.items() if not path.endswith("/")}
        self._prefixes = {path: methods for path, methods in named.items() if path.endswith("/")}

    @property
    def entries(self) -> tuple[str, ...]:
        """The paths, without their methods."""
        return (*self._exact, *self._prefixes)

    def __bool__(self) -> bool:
        return bool(self._exact or self._prefixes)

    def match(
        self, path: str | bytes, *, method: str | None = None, root_path: str = "", raw_path: bytes | None = None
    ) -> bool:
        """Tell whether a request is public.

        Args:
            path: the percent-decoded path as the router will see it: text (ASGI `path`), or bytes that are read as UTF-8 (WSGI
                `PATH_INFO`, encoded as Latin-1). Text beyond ASCII is public only together with `raw_path`, since nothing else
                tells how it was decoded.
            method: of the request, as sent, or `WEBSOCKET`. None fits only the entries that open every method; give it for a
                request that may run as another method.
            root_path: where the application is mounted; taken off the path as whole segments.
            raw_path: the path as it was sent, where the server tells; a query is passed over. It must be the plain
                percent-encoding of the path.
        """
        if isinstance(path, bytes):
            try:
                path = path.decode()
            except UnicodeDecodeError:
                return False
        elif raw_path is None and not path.isascii():
            return False
        sent = None if raw_path is None else raw_path.partition(b"?")[0]
        routed = below_root(root_path, path)
        if routed is None or not self._opens(routed, method, sent):
            return False
        return _is_canonical(routed) and (sent is None or _SENT.fullmatch(sent) is not None)

    def _opens(self, path: str, method: str | None, sent: bytes | None) -> bool:
        """Tell whether an entry opens this path. What the entry names must have been sent without percent-encoding."""
        start, encoded, _ = (sent or b"").partition(b"%")
        if not encoded and self._opens_exactly(path, method):
            return True
        return any(
            path.startswith(prefix)
            and _fits(methods, method)
            and (not encoded or prefix.encode() in start)
            and (path != prefix or self._opens_exactly(prefix[:-1], method))
            for prefix, methods in self._prefixes.items()
        )

    def _opens_exactly(self, path: str, method: str | None) -> bool:
        return _fits(self._exact.get(path, _NO_METHOD), method)


def unambiguous_path(path: str, root_path: str, raw_path: bytes | None) -> str | None:
    """The path below `root_path`, or None where a router may see another one. Arguments as for `PublicPaths.match`."""
    return None if raw_path is not None and b"%" in raw_path else below_root(root_path, path)


def plain_path(raw_path: bytes) -> str | None:
    """The decoded path of a request, or None if it is not canonical or not sent in its plain percent-encoding.

    Args:
        raw_path: the path as it was sent, without the query.
    """
    try:
        path = unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        return None
    return path if raw_path == b"/" or (_is_canonical(path) and _SENT.fullmatch(raw_path)) else None


def below_root(root_path: str, path: str) -> str | None:
    """The path below `root_path`, taken off as whole segments; None where a router may see another one."""
    if root_path and path.startswith(root_path) and path[len(root_path) : len(root_path) + 1] in ("", "/"):
        return path[len(root_path) :]
    if root_path and root_path in path:  # Litestar strips the first occurrence of root_path anywhere in the path
        return None
    return path


def _is_canonical(path: str) -> bool:
    if not _CANONICAL.fullmatch(path):
        return False
    if path.isascii():
        return True
    if len(path) > _MAX_BEYOND_ASCII:
        return False
    # The compatibility form (NFKC) shows which characters are read as ASCII ones: a full-width slash, dot leaders, other spaces.
    form = unicodedata.normalize("NFKC", path)
    return (
        _CANONICAL.fullmatch(form) is not None
        and form.count("/") == path.count("/")
        and not _LOOKS_LIKE_A_SLASH.search(form)
        and not any(character > "\x7f" and unicodedata.category(character)[0] in "CZ" for character in form)
        and "\ufffd" not in form  # a server's replacement for bytes that are no UTF-8
    )


def _fits(methods: Methods, method: str | None) -> bool:
    return methods is None or method in methods


def parse_entry(entry: object, setting: str = "public") -> tuple[Methods, str]:
    """Read an entry of `public`, or of another setting with such entries: its methods, None for every method, and its path.

    Raises:
        ConfigurationError: as `PublicPaths`.
    """
    if not isinstance(entry, str):
        raise ConfigurationError(f"{setting}: every entry must be a string that starts with '/'.")
    found = _ENTRY.fullmatch(entry)
    if entry.rpartition(" ")[2] == "/":
        raise ConfigurationError(
            f"{setting}: '/' would open every path. Name the paths that need no token, such as '/healthz'."
        )
    if found is None or not _LITERAL.fullmatch(entry):
        raise ConfigurationError(
            f"{setting}: {entry!r} would never match. Give a plain path of ASCII characters that starts with '/', without empty, '.' "
            "or '..' segments, percent-encoding or wildcards such as '{id}' or '*', and with a '/' at the end to mean all paths "
            "below it. For some methods only, name them before the path: 'GET /reports/', 'GET,POST /hook'."
        )
    if found["methods"] is None:
        return None, found["path"]
    methods = frozenset(found["methods"].split(","))
    return methods | {"HEAD"} if "GET" in methods else methods, found["path"]


def __dir__() -> list[str]:
    return sorted(__all__)
