"""What is required of which path, for adapters that do not know an application's routes. Pure.

A public path is matched strictly (`m2mguard.paths`). Here the opposite is safe: a request that an entry may be about must meet that entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from m2mguard._server.requirement import Requirement
from m2mguard.errors import ConfigurationError
from m2mguard.paths import parse_entry, plain_path


class _Entry(NamedTuple):
    path: str
    methods: frozenset[str] | None
    requirement: Requirement

    @property
    def is_prefix(self) -> bool:
        return self.path.endswith("/")

    def is_about(self, sent: str) -> bool:
        """Tell whether a path, as it was sent, is certainly meant."""
        return sent != self.path and sent.startswith(self.path) if self.is_prefix else sent == self.path

    def may_be_about(self, path: str) -> bool:
        """Tell whether a router may take a path for one that is meant: some ignore case, or a slash at the end."""
        own, asked = self.path.rstrip("/").casefold(), path.rstrip("/").casefold()
        return asked == own or (self.is_prefix and asked.startswith(f"{own}/"))


class PathRequirements:
    """The requirements of paths. Immutable and safe to share between threads.

    Args:
        entries: entries as those of `PublicPaths`, such as "/admin/", "/orders" or "GET /reports/", to what a caller must meet there.

    Raises:
        ConfigurationError: an entry that is not a canonical path, or a value that is not a Requirement.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[str, Requirement]) -> None:
        if not isinstance(entries, Mapping):
            raise ConfigurationError(
                'paths must be a dict of paths to Requirements: paths={"/admin/": Requirement(...)}.'
            )
        found = []
        for name, requirement in entries.items():
            methods, path = parse_entry(name, "paths")
            if not isinstance(requirement, Requirement):
                raise ConfigurationError(
                    f'paths[{name!r}] must be a Requirement, such as Requirement(scopes=["admin"]).'
                )
            found.append(_Entry(path, methods, requirement))
        self._entries = tuple(found)

    def __bool__(self) -> bool:
        return bool(self._entries)

    @property
    def all(self) -> tuple[Requirement, ...]:
        """Every requirement."""
        return tuple(entry.requirement for entry in self._entries)

    def of(self, raw_path: bytes, method: str | None) -> tuple[Requirement, ...]:
        """What a request must meet: the requirements of the entry with the longest path. All of them, if none fits the method.

        Where it is not clear which entry that is, every entry that may be meant counts: for a path that is not canonical, all.

        Args:
            raw_path: the path as it was sent, without the query.
            method: as it was sent, or None if the request may run as another one.
        """
        path = plain_path(raw_path)
        if path is None:
            return self.all
        sent = raw_path.decode()
        possible = [entry for entry in self._entries if entry.may_be_about(path)]
        nearest = [entry for entry in possible if entry.path == sent and not entry.is_prefix]
        if possible and not nearest:
            longest = max(len(entry.path.rstrip("/")) for entry in possible)
            nearest = [entry for entry in possible if len(entry.path.rstrip("/")) == longest]
        if not all(entry.is_about(sent) for entry in nearest):
            return tuple(entry.requirement for entry in possible)
        fitting = [entry for entry in nearest if entry.methods is not None and method in entry.methods]
        fitting = fitting or [entry for entry in nearest if entry.methods is None]
        return tuple(entry.requirement for entry in fitting or nearest)
