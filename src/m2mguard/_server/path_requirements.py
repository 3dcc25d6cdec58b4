"""What is required of which path, for adapters that do not know an application's routes. Pure.

A public path is matched strictly (`m2mguard.paths`). Here the opposite is safe: a request that an entry may be about must meet that entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from m2mguard._server.requirement import Requirement
from m2mguard.errors import ConfigurationError
from m2mguard.paths import parse_entry, plain_path


class _Path(NamedTuple):
    """The entries of one path: each its methods, None for every method, and what it requires."""

    path: str
    entries: list[tuple[frozenset[str] | None, Requirement]]

    @property
    def is_prefix(self) -> bool:
        return self.path.endswith("/")

    @property
    def length(self) -> int:
        return len(self.path.rstrip("/"))

    def is_about(self, sent: str) -> bool:
        """Tell whether a path, as it was sent, is certainly meant."""
        return sent != self.path and sent.startswith(self.path) if self.is_prefix else sent == self.path

    def may_be_about(self, path: str) -> bool:
        """Tell whether a router may take a path for one that is meant: some ignore case, or a slash at the end."""
        own, asked = self.path.rstrip("/").casefold(), path.rstrip("/").casefold()
        return asked == own or (self.is_prefix and asked.startswith(f"{own}/"))

    def of(self, method: str | None) -> list[Requirement]:
        """The requirements that count for a method; all of them, if it is not known."""
        named = [required for methods, required in self.entries if methods is not None and method in methods]
        others = [required for methods, required in self.entries if methods is None]
        return [required for _, required in self.entries] if method is None else named or others


class PathRequirements:
    """The requirements of paths. Immutable and safe to share between threads.

    Args:
        entries: entries as those of `PublicPaths`, such as "/admin/", "/orders" or "GET /reports/", to what a caller must meet there.

    Raises:
        ConfigurationError: an entry that is not a canonical path, a value that is not a Requirement, or entries for some methods of a
            path, and none for the others.
    """

    __slots__ = ("_paths",)

    def __init__(self, entries: Mapping[str, Requirement]) -> None:
        if not isinstance(entries, Mapping):
            raise ConfigurationError(
                'paths must be a dict of paths to Requirements: paths={"/admin/": Requirement(...)}.'
            )
        found: dict[str, _Path] = {}
        for name, requirement in entries.items():
            if isinstance(name, str) and name.rpartition(" ")[2] == "/":
                raise ConfigurationError("paths: '/' is every path: say in `requires` what every request must meet.")
            methods, path = parse_entry(name, "paths")
            if not isinstance(requirement, Requirement):
                raise ConfigurationError(
                    f'paths[{name!r}] must be a Requirement, such as Requirement(scopes=["admin"]).'
                )
            found.setdefault(path, _Path(path, [])).entries.append((methods, requirement))
        self._paths = tuple(found.values())
        for one in self._paths:
            if all(methods is not None for methods, _ in one.entries):
                raise ConfigurationError(
                    f"paths: say what other methods require at {one.path}, in an entry without methods: "
                    f"{{{one.path!r}: Requirement(...)}}. Requirement() asks for a valid token."
                )

    def __bool__(self) -> bool:
        return bool(self._paths)

    @property
    def all(self) -> list[Requirement]:
        """Every requirement."""
        return [required for one in self._paths for _, required in one.entries]

    def of(self, raw_path: bytes, method: str | None) -> list[Requirement]:
        """What a request must meet: what the longest path requires that it is about.

        Where it is not clear which path that is, every one that may be meant counts; for a path that is not canonical, all.

        Args:
            raw_path: the path as it was sent, without the query.
            method: as it was sent, or None if the request may run as another one.
        """
        return [required for one in self._about(raw_path) for required in one.of(method)]

    def _about(self, raw_path: bytes) -> list[_Path]:
        path = plain_path(raw_path)
        if path is None:
            return list(self._paths)
        sent = raw_path.decode()
        possible = [one for one in self._paths if one.may_be_about(path)]
        exact = [one for one in possible if one.path == sent and not one.is_prefix]
        longest = max((one.length for one in possible), default=0)
        nearest = exact or [one for one in possible if one.length == longest]
        return nearest if all(one.is_about(sent) for one in nearest) else possible
