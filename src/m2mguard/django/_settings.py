"""The `M2MGUARD` setting, read when Django starts, or else at its first use, and again after `override_settings`.

Django's settings belong to the process, so what is built from them does, too: the one place here that keeps something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver

from m2mguard._server.adapter_arguments import check_certificate
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard.certificates import CertificateReader
from m2mguard.errors import ConfigurationError
from m2mguard.exemptions import Exemptions

SETTING: Final = "M2MGUARD"
MIDDLEWARE_KEYS: Final = frozenset(("PUBLIC", "PREFLIGHT", "REQUIRES", "CERTIFICATE"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DjangoSettings:
    """What the setting says: the server, what the middleware asks for and exempts, and how a client's certificate is read."""

    server: ResourceServer
    requires: Requirement | None
    exemptions: Exemptions
    certificate: CertificateReader | None


_PLACEHOLDER: Final = "https://placeholder.invalid"
_current: Final[dict[str, DjangoSettings]] = {}


def resource_server() -> ResourceServer:
    """The site's ResourceServer. Every thread gets the same one, until the setting is overridden.

    Raises:
        ConfigurationError: the setting is missing or invalid.
    """
    return current().server


def current() -> DjangoSettings:
    """The site's configuration. Raises as `resource_server`."""
    found = _current.get(SETTING)
    if found is None:  # threads that meet here each build one, which fetches nothing; the first setdefault wins
        found = _current.setdefault(SETTING, read_setting(getattr(settings, SETTING, None)))
    return found


def build_at_start() -> None:
    """Build the configuration before the first request, and stop a server whose setting is invalid.

    A setting that is missing, or lacks the issuer or the audience, is no error here, so that commands such as `collectstatic` run
    in a build image, where the environment is empty. The middleware stops the server in that case; the checks report it.

    Raises:
        ConfigurationError: an unknown name, an invalid value, a contradiction.
    """
    setting = getattr(settings, SETTING, None)
    if setting is None:
        return
    if _completed(setting) == setting:
        current()
    else:
        read_setting(_completed(setting))


def _completed(setting: Any) -> Any:
    """The setting with placeholders for an issuer and an audience that are missing."""
    if not isinstance(setting, Mapping) or "SERVER" in setting:
        return setting
    completed = dict(setting)
    if not any(completed.get(name) for name in ("ISSUER", "LOGTO_ENDPOINT", "PRESET")):
        completed["LOGTO_ENDPOINT" if "LOGTO_ENDPOINT" in completed else "ISSUER"] = _PLACEHOLDER
    completed["AUDIENCE"] = completed.get("AUDIENCE") or _PLACEHOLDER
    return completed


def read_setting(setting: Any) -> DjangoSettings:
    """Build what a value of the setting says; it may hold a ready `SERVER`. Fetches nothing. Raises as `resource_server`."""
    if not isinstance(setting, Mapping):
        raise ConfigurationError(f'give {SETTING} = {{"ISSUER": ..., "AUDIENCE": ...}} in the settings.')
    server = setting.get("SERVER")
    requires = setting.get("REQUIRES")
    rest = {name: value for name, value in setting.items() if name not in MIDDLEWARE_KEYS | {"SERVER"}}
    if server is None:
        server = ResourceServer.from_settings(rest, others=MIDDLEWARE_KEYS | {"SERVER"})
    elif rest or not isinstance(server, ResourceServer):
        raise ConfigurationError("SERVER must be a ResourceServer, and takes the place of every other setting for it.")
    if requires is not None and not isinstance(requires, Requirement):
        raise ConfigurationError('REQUIRES must be a Requirement, such as Requirement(scopes=["read:orders"]).')
    if requires is not None:
        server.check_requirement(requires)
    certificate = setting.get("CERTIFICATE")
    check_certificate(certificate)
    exemptions = Exemptions(public=setting.get("PUBLIC", ()), preflight=setting.get("PREFLIGHT", "protect"))
    return DjangoSettings(server=server, requires=requires, exemptions=exemptions, certificate=certificate)


@receiver(setting_changed)
def _forget(*, setting: str, **_: object) -> None:
    if setting == SETTING:
        _current.clear()
