"""What `manage.py check` says about the `M2MGUARD` setting, in the words of the ConfigurationError. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core import checks

from m2mguard.django._settings import MIDDLEWARE_KEYS, SETTING, read_setting
from m2mguard.errors import ConfigurationError


def setting_is_valid(**_: Any) -> list[checks.CheckMessage]:
    """E001: a setting that is missing, contradictory or dangerous: an http issuer, no audience, an unknown key."""
    try:
        read_setting(getattr(settings, SETTING, None))
    except ConfigurationError as error:
        return [checks.Error(f"{SETTING}: {error}", id="m2mguard.E001")]
    return []


def middleware_keys_have_effect(**_: Any) -> list[checks.CheckMessage]:
    """W001: keys for a middleware that is not there, so that nothing is protected by them."""
    setting = getattr(settings, SETTING, None)
    middleware = "m2mguard.django.M2MGuardMiddleware"
    named = sorted(MIDDLEWARE_KEYS.intersection(setting)) if isinstance(setting, Mapping) else []
    if not named or any(entry.endswith("M2MGuardMiddleware") for entry in settings.MIDDLEWARE):
        return []
    return [
        checks.Warning(
            f"{SETTING}: {', '.join(named)} has no effect without the middleware.",
            hint=f"Put {middleware} first into MIDDLEWARE, or take the keys out.",
            id="m2mguard.W001",
        )
    ]


def ready_for_deployment(**_: Any) -> list[checks.CheckMessage]:
    """W002: an issuer on loopback."""
    try:
        configuration = read_setting(getattr(settings, SETTING, None))
    except ConfigurationError:
        return []  # E001 tells
    return [
        checks.Warning(
            f"{SETTING}: tokens of {issuer.issuer} are accepted, which is plain http on loopback.",
            hint="Anyone with an account on this machine could pose as the issuer. Give the real issuer's https URL.",
            id="m2mguard.W002",
        )
        for issuer in configuration.server.health().issuers
        if issuer.issuer.startswith("http:")
    ]
