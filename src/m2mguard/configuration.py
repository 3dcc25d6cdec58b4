"""The checks that settings share. Each refuses with a sentence that names the setting and says what to change. Pure."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from m2mguard.errors import ConfigurationError

_PLAIN_URL = re.compile(
    r"[\x21\x23-\x5b\x5d\x5f\x61-\x7a\x7e]+"
)  # printable ASCII without quotes, backslash, ^ ` { | }


def number(setting: str, value: object, *, least: float, most: float, unit: str = "seconds") -> float:
    """Check a finite number in a closed range."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigurationError(f"{setting} must be a finite number of {unit}.")
    if not least <= value <= most:
        raise ConfigurationError(f"{setting} must be from {least:g} to {most:g} {unit}; it is {value:g}.")
    return value


def whole_number(setting: str, value: object, *, least: int, most: int, unit: str) -> int:
    """Check an int in a closed range."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"{setting} must be a whole number of {unit}.")
    number(setting, value, least=least, most=most, unit=unit)
    return value


def strings(setting: str, value: object, *, what: str = "strings") -> tuple[str, ...]:
    """Check a collection of non-empty strings, keeping its order and dropping repeats."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise ConfigurationError(f"{setting} must be a list of {what}, not a single value: {setting}=[...].")
    members = tuple(value)
    if not all(isinstance(member, str) and member for member in members):
        raise ConfigurationError(f"{setting} must hold non-empty strings only.")
    return tuple(sorted(set(members))) if isinstance(value, set | frozenset) else tuple(dict.fromkeys(members))


def one_or_more(setting: str, value: object, *, what: str) -> tuple[str, ...]:
    """Check a string or a non-empty collection of strings, none of them empty or with white space around it."""
    members = strings(setting, (value,) if isinstance(value, str) else value, what=what)
    if not members:
        raise ConfigurationError(f"{setting} is empty; give at least one of the {what}.")
    if any(member != member.strip() for member in members):
        raise ConfigurationError(
            f"{setting}: a value has white space around it; remove it, since it is compared exactly."
        )
    return members


def endpoint_url(setting: str, value: object) -> SplitResult:
    """Check a URL that may be asked: https, or http on loopback; no credentials, query or fragment, no odd characters."""
    if not isinstance(value, str) or not _PLAIN_URL.fullmatch(value):
        raise ConfigurationError(
            f"{setting} must be a URL of plain ASCII characters, such as https://tenant.logto.app/oidc."
        )
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"{setting} is no valid URL; check its host and port.") from None
    if not value.startswith(("https://", "http://")) or not host or port == 0:
        raise ConfigurationError(f"{setting} must be an absolute https URL in lower-case scheme, with a host.")
    if "@" in parts.netloc:
        raise ConfigurationError(f"{setting} must not carry credentials; remove what stands before the '@'.")
    if "?" in value or "#" in value:
        raise ConfigurationError(f"{setting} must not have a query or a fragment.")
    if "//" in parts.path or any(segment in (".", "..") for segment in parts.path.split("/")):
        raise ConfigurationError(f"{setting} must not have empty, '.' or '..' segments in its path.")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(f"{setting} is http; use https. Plain http is accepted on loopback only.")
    return parts


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address literal means this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin_of(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of a URL, with the scheme's default port filled in (RFC 6454 section 4)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
