"""Does a guard let some or all requests of a route pass without a token, since their path is public? Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from m2mguard._routes.guarding import ObservedRoute

# A parameter of any framework: `{name}`, `{name:path}`, `<name>`, `<path:name>`, `<int(min=1):name>`.
_PARAMETER = re.compile(r"(\{[^}]*\}|<[^>]*>)")
_ONE_SEGMENT = re.compile(
    r"\{\w+(?::(?:str|int|float|uuid))?\}|<(?:(?:str|string|int|float|slug|uuid)(?:\([^)]*\))?:)?\w+>"
)
_ANYTHING, _SEGMENT = ".*", "[^/]*"


def is_public(seen: ObservedRoute, path: str, method: str) -> bool:
    """Whether every request of the route passes the guard without a token, whatever is in the place of its parameters."""
    public = seen.guard.public
    if method == "OPTIONS" and seen.guard.preflights:
        return True  # those that a browser sends before it asks another origin
    if public is None:
        return False
    below = _PARAMETER.sub("x", path).removeprefix(seen.root) or "/"
    return public.match(below, method=method or None)


def public_below(seen: ObservedRoute, path: str, methods: Collection[str]) -> list[str]:
    """The public paths that are this route with something in the place of its parameters, or for some of its methods.

    Args:
        seen: the guard.
        path: of the route, with its parameters in braces or angle brackets.
        methods: of the route, or none for any.
    """
    public = seen.guard.public
    if public is None:
        return []
    parts = [_part(one) for one in _PARAMETER.split(path.removeprefix(seen.root) or "/") if one]
    return [
        entry
        for entry in public.entries
        if _can_be(parts, entry)
        and (
            not methods
            or any(public.match(f"{entry}x" if entry.endswith("/") else entry, method=one) for one in methods)
        )
    ]


def _part(text: str) -> str:
    """A literal part of a path as it is, or what stands for a parameter."""
    if not _PARAMETER.fullmatch(text):
        return text
    return _SEGMENT if _ONE_SEGMENT.fullmatch(text) else _ANYTHING


def _can_be(parts: Sequence[str], entry: str) -> bool:
    """Whether some path of these parts is what an entry opens: the same path, or, where the entry ends in "/", one below it."""
    if not parts:
        return not entry
    first, rest = parts[0], parts[1:]
    if first not in (_ANYTHING, _SEGMENT):
        if entry.startswith(first):
            return _can_be(rest, entry[len(first) :]) or (entry == first and first.endswith("/") and bool(rest))
        return entry.endswith("/") and first.startswith(entry)
    ends = len(entry) if first == _ANYTHING or "/" not in entry else entry.index("/")
    if entry.endswith("/") and ends == len(entry):
        return True  # the parameter begins above the entry's end, and may go on below it
    return any(_can_be(rest, entry[index:]) for index in range(ends + 1))
