"""Reads the applications, APIs and organizations of the tenant from a TOML file and from options. No I/O except that file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from m2mguard._cli.toml_files import check_members, read_toml
from m2mguard._validation import did_you_mean
from m2mguard.errors import ConfigurationError
from m2mguard.testing._minting import SHOPPING_API
from m2mguard.testing._tenant import Application, Membership, Resource
from m2mguard.testing._tenant_options import (
    example_applications,
    example_resources,
    read_applications,
    read_resource,
    read_resources,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSettings:
    """The registered APIs and applications.

    Attributes:
        apis: the API resources, by API identifier.
        apps: the applications, by App ID.
    """

    apis: Mapping[str, Resource]
    apps: Mapping[str, Application]

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes of all APIs, each once."""
        return tuple(dict.fromkeys(scope for api in self.apis.values() for scope in api.scopes))


def read_tenant(file: str | None, apis: Iterable[str] = (), apps: Iterable[str] = ()) -> TenantSettings:
    """Read the file, and add the options. Where neither names an API, or an application, there is the example.

    Args:
        file: the TOML file, or None.
        apis: "IDENTIFIER" or "IDENTIFIER=SCOPE,SCOPE".
        apps: "APP_ID" or "APP_ID=SCOPE,SCOPE"; the application has these scopes at each API that has them, or all scopes without a list.

    Raises:
        ConfigurationError: the file or an option is invalid; the message says what is expected.
    """
    document = {} if file is None else read_toml(file, f"--config {file}")
    check_members(document, "the file", ("apis", "apps"))
    resources = {name: _read_api(name, value) for name, value in _read_tables(document, "apis").items()}
    resources = resources | read_resources(apis) or example_resources()
    applications = {name: _read_app(name, value, resources) for name, value in _read_tables(document, "apps").items()}
    applications = applications | read_applications(apps, resources) or example_applications(resources)
    return TenantSettings(apis=MappingProxyType(resources), apps=MappingProxyType(applications))


def _read_tables(document: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    tables = document.get(name, {})
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise ConfigurationError(f'{name} must be tables, such as [{name}."NAME"].')
    return tables


def _read_api(identifier: str, table: Mapping[str, Any]) -> Resource:
    place = f'[apis."{identifier}"]'
    check_members(table, place, ("scopes",))
    return read_resource(place, identifier, _read_strings(table, "scopes", place))


def _read_app(app_id: str, table: Mapping[str, Any], apis: Mapping[str, Resource]) -> Application:
    place = f"[apps.{app_id}]"
    check_members(table, place, ("secret", "name", "grants", "organizations"))
    grants = _read_grants(table.get("grants", {}), f"[apps.{app_id}.grants]", apis)
    organizations = {}
    for name, one in _read_tables(table, "organizations").items():
        where = f"[apps.{app_id}.organizations.{name}]"
        check_members(one, where, ("permissions", "grants"))
        organizations[name] = Membership(
            permissions=_read_strings(one, "permissions", where),
            scopes=_read_grants(one.get("grants", {}), where, apis),
        )
    secret, shown = (
        table.get(name, default) for name, default in (("secret", f"secret-of-{app_id}"), ("name", app_id))
    )
    if not isinstance(secret, str) or not secret or not isinstance(shown, str):
        raise ConfigurationError(f"{place}: secret and name must be non-empty strings.")
    return Application(secret=secret, name=shown, scopes=grants, organizations=organizations)


def _read_grants(value: object, place: str, apis: Mapping[str, Resource]) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise ConfigurationError(f'{place}: grants map APIs to scopes: "{SHOPPING_API}" = ["read:orders"].')
    for api in value:
        if api not in apis:
            raise ConfigurationError(f"{place}: there is no API {api!r} in this file. {did_you_mean(api, apis)}")
        unknown = [scope for scope in _read_strings(value, api, place) if scope not in apis[api].scopes]
        if unknown:
            raise ConfigurationError(
                f"{place}: {api} has no scope {unknown[0]!r}. {did_you_mean(unknown[0], apis[api].scopes)}"
            )
    return {api: _read_strings(value, api, place) for api in value}


def _read_strings(table: Mapping[str, Any], name: str, place: str) -> tuple[str, ...]:
    value = table.get(name, ())
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) and one for one in value):
        raise ConfigurationError(f'{place}: {name} must be a list of strings, such as ["read:orders"].')
    return tuple(value)
