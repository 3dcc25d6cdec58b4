"""The TOML file and the flags that say which applications, APIs and organizations there are. Data only; no I/O but one read."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from m2mguard._validation import did_you_mean
from m2mguard.errors import ConfigurationError
from m2mguard.testing._tenant import Application, Membership, Resource

DEFAULT_API = "https://shopping.api"


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSettings:
    """What an operator would have registered.

    Attributes:
        apis: the API resources, by API identifier.
        apps: the applications, by App ID.
    """

    apis: Mapping[str, Resource]
    apps: Mapping[str, Application]


def read_tenant(file: str | None, apis: Iterable[str] = (), apps: Iterable[str] = ()) -> TenantSettings:
    """Read the file, and add what flags say.

    Args:
        file: the TOML file, or None.
        apis: "IDENTIFIER" or "IDENTIFIER=SCOPE,SCOPE".
        apps: "APP_ID" or "APP_ID=SCOPE,SCOPE"; such an application has these scopes of every API, without a list all of them.

    Raises:
        ConfigurationError: what is wrong in the file or a flag, and what is expected.
    """
    told = {} if file is None else _toml(file)
    _known(told, "the file", ("apis", "apps"))
    resources = {name: _api(name, value) for name, value in _tables(told, "apis").items()}
    for text in apis:
        name, _, scopes = text.partition("=")
        resources[name] = _api(name, {"scopes": _words(scopes)})
    if not resources:
        resources[DEFAULT_API] = Resource(scopes=("read:orders", "write:orders"))
    applications = {name: _app(name, value, resources) for name, value in _tables(told, "apps").items()}
    for text in apps:
        name, given, scopes = text.partition("=")
        granted = _words(scopes)
        applications[name] = _application(
            name, {api: tuple(granted if given else one.scopes) for api, one in resources.items()}
        )
    if not applications:
        applications["app-orders"] = _application(
            "app-orders", {api: tuple(one.scopes) for api, one in resources.items()}
        )
    return TenantSettings(apis=MappingProxyType(resources), apps=MappingProxyType(applications))


def _application(app_id: str, scopes: Mapping[str, tuple[str, ...]]) -> Application:
    return Application(secret=f"secret-of-{app_id}", name=app_id, scopes=scopes)


def _toml(name: str) -> dict[str, Any]:
    try:
        with Path(name).open("rb") as file:
            return tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"--config {name}: this is not TOML: {error}.") from None
    except OSError as error:
        raise ConfigurationError(f"--config {name}: the file cannot be read: {error.strerror}.") from None


def _tables(told: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    tables = told.get(name, {})
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise ConfigurationError(f'{name} must be tables, such as [{name}."NAME"].')
    return tables


def _api(identifier: str, table: Mapping[str, Any]) -> Resource:
    place = f'[apis."{identifier}"]'
    if not urlsplit(identifier).scheme:
        raise ConfigurationError(f"{place}: an API identifier is an absolute URI, such as {DEFAULT_API}.")
    _known(table, place, ("scopes",))
    return Resource(scopes=_strings(table, "scopes", place))


def _app(app_id: str, table: Mapping[str, Any], apis: Mapping[str, Resource]) -> Application:
    place = f"[apps.{app_id}]"
    _known(table, place, ("secret", "name", "grants", "organizations"))
    grants = _grants(table.get("grants", {}), f"[apps.{app_id}.grants]", apis)
    organizations = {}
    for name, one in _tables(table, "organizations").items():
        where = f"[apps.{app_id}.organizations.{name}]"
        _known(one, where, ("permissions", "grants"))
        organizations[name] = Membership(
            permissions=_strings(one, "permissions", where), scopes=_grants(one.get("grants", {}), where, apis)
        )
    secret, shown = (
        table.get(name, default) for name, default in (("secret", f"secret-of-{app_id}"), ("name", app_id))
    )
    if not isinstance(secret, str) or not secret or not isinstance(shown, str):
        raise ConfigurationError(f"{place}: secret and name must be non-empty strings.")
    return Application(secret=secret, name=shown, scopes=grants, organizations=organizations)


def _grants(value: object, place: str, apis: Mapping[str, Resource]) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise ConfigurationError(f'{place}: grants map APIs to scopes: "{DEFAULT_API}" = ["read:orders"].')
    for api, scopes in value.items():
        if api not in apis:
            raise ConfigurationError(f"{place}: there is no API {api!r} in this file. {did_you_mean(api, apis)}")
        unknown = [scope for scope in _strings(value, api, place) if scope not in apis[api].scopes]
        if unknown:
            raise ConfigurationError(
                f"{place}: {api} has no scope {unknown[0]!r}. {did_you_mean(unknown[0], apis[api].scopes)}"
            )
        del scopes
    return {api: _strings(value, api, place) for api in value}


def _strings(table: Mapping[str, Any], name: str, place: str) -> tuple[str, ...]:
    value = table.get(name, ())
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) and one for one in value):
        raise ConfigurationError(f'{place}: {name} must be a list of strings, such as ["read:orders"].')
    return tuple(value)


def _known(table: Mapping[str, Any], place: str, names: tuple[str, ...]) -> None:
    for name in table:
        if name not in names:
            raise ConfigurationError(f"{place}: {name} is unknown. {did_you_mean(name, names)}")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)
