"""How two identifiers that should be equal differ, where they differ by little: a slash, the scheme, capital letters, a port. Pure."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def small_difference(expected: Collection[str], got: Collection[str]) -> str | None:
    """Say how a value that was found differs from one that was expected, where it is nearly the same.

    Args:
        expected: what would have been accepted.
        got: what was found.

    Returns:
        One sentence without a full stop, or None where they have little in common.
    """
    pairs = [(one, other) for one in expected for other in got]
    for differ, sentence in _KINDS:
        if any(differ(one, other) for one, other in pairs):
            return sentence
    return None


def _by_slash(expected: str, got: str) -> bool:
    return expected != got and expected.rstrip("/") == got.rstrip("/")


def _by_white_space(expected: str, got: str) -> bool:
    return expected != got and expected.split() == got.split()


def _by_case(expected: str, got: str) -> bool:
    return expected != got and expected.casefold() == got.casefold()


def _by_scheme(expected: str, got: str) -> bool:
    one, other = expected.partition("://"), got.partition("://")
    return {one[0], other[0]} == {"http", "https"} and bool(one[2]) and one[2].rstrip("/") == other[2].rstrip("/")


def _by_missing_scheme(expected: str, got: str) -> bool:
    return any(
        one.partition("://")[2].rstrip("/") == other.rstrip("/") and "://" in one and "://" not in other and bool(other)
        for one, other in ((expected, got), (got, expected))
    )


def _by_port(expected: str, got: str) -> bool:
    try:
        one, other = urlsplit(expected), urlsplit(got)
        ports = [parts.port or _DEFAULT_PORTS.get(parts.scheme) for parts in (one, other)]
    except ValueError:
        return False
    same_place = bool(one.hostname) and (one.scheme, one.hostname) == (other.scheme, other.hostname)
    return (
        same_place
        and one.path.rstrip("/") == other.path.rstrip("/")
        and (ports[0] != ports[1] or one.port != other.port)
    )


_KINDS = (
    (_by_slash, "only a slash at the end differs"),
    (_by_white_space, "only white space differs"),
    (_by_case, "only capital letters differ"),
    (_by_scheme, "only http and https differ"),
    (_by_missing_scheme, "one of them begins with a scheme such as https://, and the other does not"),
    (_by_port, "only the port differs"),
)
