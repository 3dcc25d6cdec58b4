"""Presets by name, for settings that are text: `entra:TENANT`, `keycloak:https://sso.example.com,shop`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from m2mguard._validation import did_you_mean
from m2mguard.errors import ConfigurationError
from m2mguard.issuer import Issuer
from m2mguard.presets._hosted import auth0, cognito, entra, google_service_accounts, okta
from m2mguard.presets._self_hosted import hydra, keycloak, zitadel
from m2mguard.presets._workloads import aws_outbound, github_actions, kubernetes


class _Preset(NamedTuple):
    """How a preset is written, how many arguments it takes, and what makes the issuer."""

    usage: str
    least: int
    most: int | None
    make: Callable[..., Issuer]


def _auth0(domain: str, profile: str = "auth0") -> Issuer:
    return auth0(domain, profile=profile)  # type: ignore[arg-type] # which checks it


def _entra(tenant_id: str, version: str = "2") -> Issuer:
    return entra(tenant_id, version=int(version) if version.isascii() and version.isdigit() else 0)  # type: ignore[arg-type]


def _okta(domain: str, authorization_server: str = "default") -> Issuer:
    return okta(domain, authorization_server=authorization_server)


_PRESETS: Mapping[str, _Preset] = {
    "logto": _Preset("logto:ENDPOINT", 1, 1, Issuer.logto),
    "auth0": _Preset("auth0:DOMAIN or auth0:DOMAIN,rfc9068", 1, 2, _auth0),
    "entra": _Preset("entra:TENANT or entra:TENANT,VERSION", 1, 2, _entra),
    "okta": _Preset("okta:DOMAIN or okta:DOMAIN,AUTHORIZATION_SERVER", 1, 2, _okta),
    "cognito": _Preset("cognito:USER_POOL_ID", 1, 1, cognito),
    "google_service_accounts": _Preset(
        "google_service_accounts:UNIQUE_ID,UNIQUE_ID,…", 1, None, lambda *ids: google_service_accounts(ids)
    ),
    "keycloak": _Preset("keycloak:ENDPOINT,REALM", 2, 2, keycloak),
    "zitadel": _Preset("zitadel:URL,SERVICE_USER,…", 2, None, lambda url, *users: zitadel(url, service_users=users)),
    "hydra": _Preset("hydra:URL", 1, 1, hydra),
    "kubernetes": _Preset("kubernetes:ISSUER", 1, 1, kubernetes),
    "github_actions": _Preset(
        "github_actions:REPOSITORY_ID,REPOSITORY_ID,…", 1, None, lambda *ids: github_actions(repository_ids=ids)
    ),
    "aws_outbound": _Preset(
        "aws_outbound:ISSUER,ROLE_ARN,…", 2, None, lambda url, *roles: aws_outbound(url, role_arns=roles)
    ),
}


def issuer_named(text: str) -> Issuer:
    """Make the issuer of a preset that is given by its name and its arguments.

    Args:
        text: the name, a colon, and the arguments with commas between, such as "entra:TENANT".

    Raises:
        ConfigurationError: no such preset, too few or too many arguments, or an argument that the preset refuses.
    """
    name, _, rest = text.strip().partition(":")
    preset = _PRESETS.get(name)
    if preset is None:
        raise ConfigurationError(f"there is no preset {name!r}. {did_you_mean(name, _PRESETS)}")
    arguments = [argument.strip() for argument in rest.split(",")] if rest.strip() else []
    if len(arguments) < preset.least or (preset.most is not None and len(arguments) > preset.most):
        raise ConfigurationError(f"the preset {name} is written {preset.usage}.")
    return preset.make(*arguments)
