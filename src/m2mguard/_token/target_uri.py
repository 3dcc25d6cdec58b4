"""Compares the URI in a DPoP proof (`htu`) with that of a request, after the normalisation of RFC 3986 section 6.2. Pure.

The origin comes from the settings and never from a Host field; the path comes from the request.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

_URI = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,4096}")  # RFC 3986 section 2, and a bound of our own
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_BROKEN_ENCODING = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS = {"https": 443, "http": 80}


class TargetUri(NamedTuple):
    """A URI without query and fragment, normalized: equal ones name the same resource."""

    scheme: str
    host: str
    port: int | None
    path: str


class RequestPath(NamedTuple):
    """The path of a request, as far as the server tells.

    Attributes:
        sent: as it was sent, percent-encoded and without the query; None where the server tells only the decoded one.
        decoded: percent-decoded.
    """

    sent: str | None
    decoded: bytes


def target_uri(uri: str) -> TargetUri | None:
    """Normalize a URI: case, percent-encoding, dot segments, default port, empty path. None for anything but http and https.

    A query and a fragment are passed over (RFC 9449 section 4.3).
    """
    if not _URI.fullmatch(uri):
        return None
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    path = _normal_encoding(parts.path)
    if parts.scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc or path is None or port == 0:
        return None
    return TargetUri(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], _without_dot_segments(path) or "/")


def is_target(htu: TargetUri, origin: TargetUri, path: RequestPath, prefix: str = "") -> bool:
    """Tell whether a proof's URI is that of the request.

    Args:
        htu: of the proof.
        origin: of this API; its path does not count.
        path: of the request.
        prefix: what a proxy has taken off the front of the path, or "".
    """
    if htu[:3] != origin[:3]:
        return False
    if path.sent is None:  # the application cannot tell spellings apart either
        decoded = prefix.encode() + path.decoded
        return unquote_to_bytes(htu.path) == decoded and not _has_dot_segments(decoded.decode("latin-1"))
    sent = _normal_encoding(prefix + (path.sent or "/"))
    # A client resolves dot segments before it sends a request. One that arrives with them is routed who knows where.
    return sent is not None and not _has_dot_segments(sent) and sent == htu.path


def _normal_encoding(path: str) -> str | None:
    """RFC 3986 sections 6.2.2.1 and 6.2.2.2: hexadecimal digits in upper case, and nothing encoded that need not be."""
    if "%" not in path:
        return path
    if _BROKEN_ENCODING.search(path):
        return None
    return _ENCODED.sub(_normal_octet, path)


def _normal_octet(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if character in _UNRESERVED else found[0].upper()


def _has_dot_segments(path: str) -> bool:
    return "/." in path and not {".", ".."}.isdisjoint(path.split("/"))


def _without_dot_segments(path: str) -> str:
    """RFC 3986 section 5.2.4, for a path that is absolute or empty."""
    if not _has_dot_segments(path):
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
