"""The checks that settings share. Each refuses with a sentence that names the setting and says what to change. Pure."""

from __future__ import annotations

import difflib
import inspect
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import SplitResult, urlsplit

from m2mguard.errors import ConfigurationError

_URL_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # RFC 3986 section 2
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 section 3.3
OriginParts = tuple[str, str | None, int | None]
"""Scheme, host and port of a URL."""
_HOST_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_SURROGATE = re.compile("[\ud800-\udfff]")


def number(setting: str, value: object, *, least: float, most: float, unit: str = "seconds") -> float:
    """Check a finite number in a closed range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigurationError(f"{setting} must be a number of {unit}, from {least:,.9g} to {most:,.9g}.")
    if not least <= value <= most:  # also rejects NaN
        raise ConfigurationError(f"{setting} must be from {least:,.9g} to {most:,.9g} {unit}.")
    return value


def whole_number(setting: str, value: object, *, least: int, most: int, unit: str) -> int:
    """Check an int in a closed range."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"{setting} must be a whole number of {unit}.")
    number(setting, value, least=least, most=most, unit=unit)
    return value


def text(setting: str, value: object) -> str:
    """Check a non-empty string that UTF-8 can write, without white space around it."""
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{setting} must be a non-empty string.")
    if value != value.strip():
        raise ConfigurationError(f"{setting} has white space around it, such as the line break of a file.")
    if _SURROGATE.search(value):
        raise ConfigurationError(f"{setting} is no text in UTF-8; check the encoding of the file or the environment.")
    return value


def strings(setting: str, value: object, *, what: str = "strings") -> tuple[str, ...]:
    """Check a collection of non-empty strings without white space around them, keeping its order and dropping repeats."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise ConfigurationError(f"{setting} must be a list of {what}: {setting}=[...].")
    members = tuple(value)
    if not all(isinstance(member, str) and member for member in members):
        raise ConfigurationError(f"{setting} must hold non-empty strings only.")
    if any(member != member.strip() for member in members):
        raise ConfigurationError(
            f"{setting}: a value has white space around it; remove it, since values are compared exactly."
        )
    return tuple(sorted(set(members))) if isinstance(value, set | frozenset) else tuple(dict.fromkeys(members))


def is_async(function: Callable[..., object]) -> bool:
    """Tell whether a call of this function returns something to await, by how it is defined."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def one_or_more(setting: str, value: object, *, what: str) -> tuple[str, ...]:
    """Check a string, or a collection of strings as `strings` does that is not empty."""
    members = strings(setting, (value,) if isinstance(value, str) else value, what=what)
    if not members:
        raise ConfigurationError(f"{setting} is empty; give at least one of the {what}.")
    return members


def scope_names(setting: str, value: object) -> tuple[str, ...]:
    """Check a list of scopes (RFC 6749 section 3.3), keeping its order and dropping repeats. Raises ConfigurationError."""
    names = strings(setting, value, what="scopes")
    for scope in names:
        if not _SCOPE_TOKEN.fullmatch(scope):
            raise ConfigurationError(
                f"{setting}: {scope!r} is no scope: it must be non-empty ASCII without spaces, quotes or backslashes. "
                "Give several scopes as a list of strings."
            )
    return names


def acr_values(setting: str, value: object) -> tuple[str, ...]:
    """Check one value of `acr` (OpenID Connect Core section 2), or a list, as a challenge can name them. Raises ConfigurationError."""
    values = strings(setting, (value,) if isinstance(value, str) else value, what="values of acr")
    for one in values:
        if not _SCOPE_TOKEN.fullmatch(one):
            raise ConfigurationError(
                f"{setting}: {one!r} cannot be named in a challenge: give non-empty ASCII without spaces, quotes or backslashes. "
                "Give several values as a list of strings."
            )
    return values


def endpoint_url(setting: str, value: object, *, allow_http: bool = False) -> SplitResult:
    """Check a URL that may be asked: as `secure_url`, and without a query or path segments that can be read in two ways."""
    parts = secure_url(setting, value, allow_http=allow_http)
    if parts.query or str(value).endswith("?"):
        raise ConfigurationError(f"{setting} must not have a query; remove the '?' and what follows.")
    if "//" in parts.path or any(segment in (".", "..") for segment in parts.path.split("/")):
        raise ConfigurationError(f"{setting} must not have empty, '.' or '..' segments in its path.")
    return parts


def secure_url(setting: str, value: object, *, allow_http: bool = False) -> SplitResult:
    """Check an absolute URL: https, or http on loopback; no credentials, no fragment, no odd characters.

    Args:
        setting: its name, for the message.
        value: the URL.
        allow_http: whether plain http is accepted for every host.
    """
    if not isinstance(value, str) or not _URL_CHARACTERS.fullmatch(value):
        raise ConfigurationError(
            f"{setting} must be a URL of plain ASCII characters, such as https://tenant.logto.app/oidc."
        )
    if not value.startswith(("https://", "http://")):
        raise ConfigurationError(f"{setting} must be an absolute URL that begins with https:// in lower case.")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigurationError(f"{setting} is no valid URL; check its host and port.") from None
    if "@" in parts.netloc:
        raise ConfigurationError(f"{setting} must not carry credentials; remove the part before the '@'.")
    if port == 0 or parts.netloc.endswith(":") or not (_HOST_NAME.fullmatch(host) or _address(host)):
        raise ConfigurationError(f"{setting} is no valid URL; check its host and port.")
    if "#" in value:
        raise ConfigurationError(f"{setting} must not have a fragment; remove the '#' and what follows.")
    if parts.scheme == "http" and not is_loopback(host) and not allow_http:
        raise ConfigurationError(
            f"{setting} is http; use https. Plain http is accepted on loopback, "
            "and for an issuer inside a cluster if Issuer(..., allow_http=True) allows it."
        )
    return parts


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address literal means this machine."""
    address = _address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def split_url(text: str) -> SplitResult | None:
    """Split a URI into its parts; None if it cannot be read as one."""
    try:
        return urlsplit(text)
    except ValueError:
        return None


def origin_of(url: str) -> OriginParts:
    """Scheme, host and port of a URL, with the scheme's default port filled in (RFC 6454 section 4)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Name the known words that are nearest to the given one, or all of them where none is near. One sentence."""
    names = list(known)
    near = difflib.get_close_matches(given, names, n=2, cutoff=0.75)
    return f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(names)}."
