"""Reads what `m2mguard forward-auth` requires, and of which path, from a TOML file. No I/O except that file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from m2mguard._cli.toml_files import check_members, read_toml
from m2mguard._server.requirement import Requirement
from m2mguard.errors import ConfigurationError

_REQUIREMENT = ("scopes", "any_scope", "app_ids", "issuers", "organization", "max_age", "acr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The arguments of `ForwardAuth` that a file gives.

    Attributes:
        requires: what every request must meet, or None.
        public: the paths that need no token.
        paths: what some paths require besides.
    """

    requires: Requirement | None = None
    public: tuple[str, ...] = ()
    paths: Mapping[str, Requirement] = field(default_factory=dict)


def read_rules(name: str) -> Rules:
    """Read the file.

    Raises:
        ConfigurationError: it cannot be read, or a value is invalid; the message says what is expected.
    """
    document = read_toml(name, name)
    check_members(document, name, ("public", "requires", "paths"))
    public, paths = document.get("public", []), document.get("paths", {})
    if not isinstance(public, list):
        raise ConfigurationError(f'{name}: public must be a list of paths, such as ["/healthz"].')
    if not isinstance(paths, dict):
        raise ConfigurationError(f'{name}: paths must be tables, such as [paths."/admin/"].')
    return Rules(
        requires=_requirement(document["requires"], f"{name}, [requires]") if "requires" in document else None,
        public=tuple(public),
        paths={path: _requirement(table, f'{name}, [paths."{path}"]') for path, table in paths.items()},
    )


def _requirement(table: Any, place: str) -> Requirement:
    if not isinstance(table, dict):
        raise ConfigurationError(f'{place} must be a table with members such as scopes = ["read:orders"].')
    check_members(table, place, _REQUIREMENT)
    try:
        return Requirement(**table)
    except ConfigurationError as error:
        raise ConfigurationError(f"{place}: {error}") from None
