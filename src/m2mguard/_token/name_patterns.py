"""Patterns for names such as App IDs, and the scopes that settings grant by them. Pure.

A pattern is exact text in which `*` may stand for one whole segment. Nothing else has a meaning: no `**`, no part of a segment, no regular
expression.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from m2mguard._validation import scope_names
from m2mguard.errors import ConfigurationError

_SEPARATOR = re.compile("[:/]")
_ONE_SEGMENT = "[^:/]+"


def name_pattern(setting: str, text: str) -> re.Pattern[str]:
    """Compile a pattern, for `fullmatch`. The segments of a name are what is between its ":" and "/".

    Raises:
        ConfigurationError: a `*` beside other characters of its segment, or no segment but `*`.
    """
    segments = _SEPARATOR.split(text)
    if any("*" in segment and segment != "*" for segment in segments):
        raise ConfigurationError(
            f"{setting}: in {text!r} a '*' is not a whole segment; it stands for everything between two ':' or '/'."
        )
    if all(segment in ("*", "") for segment in segments):
        raise ConfigurationError(f"{setting}: {text!r} would match any name; write out at least one segment.")
    return re.compile("".join(_ONE_SEGMENT if part == "*" else re.escape(part) for part in re.split("([:/])", text)))


class Grants:
    """The scopes that settings grant, by the App ID. Immutable and safe to share between threads.

    Args:
        grants: pattern to scopes.

    Raises:
        ConfigurationError: no mapping, an empty one, an invalid pattern, or scopes that are none.
    """

    __slots__ = ("_exact", "_patterns", "scopes_by_pattern")

    def __init__(self, grants: Mapping[str, Collection[str]]) -> None:
        if not isinstance(grants, Mapping) or not grants:
            raise ConfigurationError(
                "grants must be a non-empty dict of App IDs to lists of scopes: {'system:serviceaccount:shop:orders': ['read:orders']}."
            )
        by_pattern: dict[str, frozenset[str]] = {}
        for name, scopes in grants.items():
            if not isinstance(name, str) or not name or name != name.strip():
                raise ConfigurationError("grants must have App IDs as names: non-empty, without white space around.")
            by_pattern[name] = frozenset(scope_names(f"grants[{name!r}]", scopes))
            if not by_pattern[name]:
                raise ConfigurationError(f"grants[{name!r}] is empty; give at least one scope, or leave it out.")
        self.scopes_by_pattern = by_pattern
        patterns = [(name, name_pattern("grants", name)) for name in by_pattern]
        self._patterns = [(pattern, by_pattern[name]) for name, pattern in patterns if "*" in name]
        self._exact = {name: by_pattern[name] for name in by_pattern if "*" not in name}

    def scopes_of(self, app_id: str) -> frozenset[str]:
        """The scopes of all patterns that match the whole App ID; none where no pattern does."""
        exact = self._exact.get(app_id, frozenset())
        return exact.union(*(scopes for pattern, scopes in self._patterns if pattern.fullmatch(app_id)))
