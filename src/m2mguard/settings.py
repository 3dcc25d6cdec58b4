"""Settings from outside the code: environment variables and frameworks' configuration, read into `ResourceServer`'s arguments.

One table says which there are. Whatever is not in it is refused by name, so that a misspelt setting cannot be overlooked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from m2mguard.errors import ConfigurationError
from m2mguard.issuer import Issuer
from m2mguard.keys.caching import KeyCaching
from m2mguard.net.transport import HttpTransport
from m2mguard.token.strict_json import parse_object

_TRUE = frozenset(("1", "true", "yes", "on"))
_FALSE = frozenset(("0", "false", "no", "off"))


def _text(value: str) -> str:
    return value.strip()


def _words(value: str) -> list[str]:
    return [word for word in re.split(r"[,\s]+", value) if word]


def _switch(value: str) -> bool:
    word = value.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("give true or false")
    return word in _TRUE


def _json_object(value: str) -> dict[str, Any]:
    return parse_object(value.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """How a setting that came as text is read, and which argument of which object it becomes."""

    read: Callable[[str], Any]
    part: str
    argument: str


def _settings(part: str, **readers: Callable[[str], Any]) -> dict[str, _Setting]:
    return {name.upper(): _Setting(read=read, part=part, argument=name) for name, read in readers.items()}


_NUMBERS: dict[str, Callable[[str], Any]] = {
    field.name: int if field.type == "int" else float for field in fields(KeyCaching)
}
SETTINGS: Mapping[str, _Setting] = {
    **_settings(
        "server",
        issuer=_words,
        audience=_words,
        leeway=float,
        verdict_cache_size=int,
        key_directory=_text,
        machine_only=_switch,
        realm=_text,
        resource_url=_text,
        scopes_supported=_words,
        resource_metadata_url=_text,
        caching=_text,
        transport=_text,
        on_event=_text,
        clock=_text,
        monotonic=_text,
    ),
    **_settings("logto", logto_endpoint=_text, organizations=_switch),
    **_settings("issuer", jwks_uri=_text, jwks=_json_object, algorithms=_words, token_types=_words),
    **_settings("transport", ca_file=_text),
    **_settings("caching", **_NUMBERS),
}
_ONLY_IN_CODE = frozenset(("CACHING", "TRANSPORT", "ON_EVENT", "CLOCK", "MONOTONIC"))


def from_environment(environ: Mapping[str, str], prefix: str = "M2MGUARD_") -> dict[str, Any]:
    """Read every variable that begins with the prefix, as `ResourceServer`'s arguments. Raises as `server_arguments`."""
    return server_arguments(variables(environ, prefix), prefix=prefix)


def variables(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The variables that begin with the prefix, without it. An empty one counts as not set."""
    return {
        name.removeprefix(prefix): value for name, value in environ.items() if name.startswith(prefix) and value.strip()
    }


def server_arguments(given: Mapping[str, Any], *, prefix: str = "") -> dict[str, Any]:
    """Turn settings into the keyword arguments of `ResourceServer`.

    Args:
        given: setting names in upper case to values; text is read (lists are separated by spaces or commas), anything else is
            taken as it is.
        prefix: what the names begin with where they come from, for the messages.

    Raises:
        ConfigurationError: a setting that does not exist, cannot be read, is missing, or contradicts another.
    """
    parts: dict[str, dict[str, Any]] = {"server": {}, "logto": {}, "issuer": {}, "transport": {}, "caching": {}}
    for name, value in given.items():
        setting = SETTINGS.get(name)
        if setting is None:
            raise ConfigurationError(f"{prefix}{name} is no setting. There are: {', '.join(sorted(SETTINGS))}.")
        parts[setting.part][setting.argument] = _read(f"{prefix}{name}", name, setting, value)
    arguments = parts["server"]
    arguments["issuer"] = _issuers(arguments.get("issuer"), parts["logto"], parts["issuer"], prefix)
    if "audience" not in arguments:
        raise ConfigurationError(
            f"{prefix}AUDIENCE is missing: give the API identifier that tokens for this API carry."
        )
    if parts["caching"]:
        if "caching" in arguments:
            raise ConfigurationError(f"{prefix}CACHING stands beside single numbers of it; give one or the other.")
        arguments["caching"] = KeyCaching(**parts["caching"])
    if parts["transport"]:
        if "transport" in arguments:
            raise ConfigurationError(f"{prefix}CA_FILE has no effect beside {prefix}TRANSPORT; give one or the other.")
        caching = arguments.get("caching") or KeyCaching()
        arguments["transport"] = HttpTransport(connect_timeout=caching.connect_timeout, **parts["transport"])
    arguments["issuers"] = arguments.pop("issuer")
    return arguments


def _read(shown: str, name: str, setting: _Setting, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if name in _ONLY_IN_CODE:
        raise ConfigurationError(f"{shown} cannot be given as text; set it in code.")
    try:
        return setting.read(value)
    except ValueError:
        wanted = {float: "a number", int: "a whole number", _switch: "true or false"}.get(setting.read, "valid JSON")
        raise ConfigurationError(f"{shown} cannot be read; give {wanted}.") from None


def _issuers(given: Any, logto: dict[str, Any], details: dict[str, Any], prefix: str) -> list[Any]:
    issuers = [given] if isinstance(given, Issuer) else list(given) if isinstance(given, Collection) else []
    endpoint = logto.pop("logto_endpoint", None)
    if logto and endpoint is None:
        raise ConfigurationError(
            f"{prefix}ORGANIZATIONS needs {prefix}LOGTO_ENDPOINT, since only Logto has such audiences."
        )
    if endpoint is not None:
        jwks_uri = details.pop("jwks_uri", None)
        issuers.append(Issuer.logto(endpoint, jwks_uri=jwks_uri, **logto))
    if not issuers:
        raise ConfigurationError(
            f"{prefix}ISSUER is missing: give the issuer's URL, or {prefix}LOGTO_ENDPOINT such as https://tenant.logto.app."
        )
    if details:
        if len(issuers) > 1 or not isinstance(issuers[0], str):
            names = ", ".join(f"{prefix}{name.upper()}" for name in details)
            raise ConfigurationError(
                f"{names} can be given for one issuer URL only; with several, build each Issuer in code."
            )
        return [Issuer(url=issuers[0], **details)]
    return issuers
