"""Django's entry for `INSTALLED_APPS`: it brings the system checks and `manage.py m2mguard_health`."""

from django.apps import AppConfig
from django.core.checks import Tags, register

from m2mguard.django import _checks as checks
from m2mguard.django import _settings as configuration

__all__ = ["M2MGuardConfig"]


class M2MGuardConfig(AppConfig):
    """`INSTALLED_APPS = ["m2mguard.django"]`."""

    name = "m2mguard.django"
    label = "m2mguard"

    def ready(self) -> None:
        """Register the checks, and build the configuration. Raises ConfigurationError for a setting that is invalid."""
        configuration.build_at_start()
        register(checks.setting_is_valid, Tags.security)
        register(checks.middleware_keys_have_effect, Tags.security)
        register(checks.ready_for_deployment, Tags.security, deploy=True)


def __dir__() -> list[str]:
    return sorted(__all__)
