"""Settings from outside the code: environment variables and frameworks' configuration, read into `ResourceServer`'s arguments.

One table lists them. Any other name is refused, so that a misspelt setting is never ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from m2mguard._keys.key_caching import KeyCaching
from m2mguard._setting_text import json_object, read_setting, switch, text, variables, words
from m2mguard._token.base64url import base64url_decode
from m2mguard._validation import did_you_mean
from m2mguard.blocklist._named import blocklist_named
from m2mguard.dpop._settings import Dpop
from m2mguard.dpop._valkey_replay import ValkeyReplayStore
from m2mguard.errors import ConfigurationError
from m2mguard.issuer import Issuer, issuer_of_url
from m2mguard.net._transport import HttpTransport, plain_http_origins

CLIENT = "CLIENT_"  # M2MGUARD_CLIENT_* are settings of `TokenSource`


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """How a setting that came as text is read, and which argument of which object it becomes."""

    read: Callable[[str], Any]
    part: str
    argument: str


def _settings(part: str, **readers: Callable[[str], Any]) -> dict[str, _Setting]:
    return {name.upper(): _Setting(read=read, part=part, argument=name) for name, read in readers.items()}


def _dpop_mode(given: str) -> Dpop:
    """Read "accepted" or "required". Raises ConfigurationError."""
    if given.strip() not in ("accepted", "required"):
        raise ConfigurationError('give "accepted" or "required".')
    return Dpop(required=given.strip() == "required")


def _key_bytes(given: str) -> bytes:
    """Read a key in base64url, with or without padding. Raises ConfigurationError."""
    try:
        return base64url_decode(given.strip().rstrip("="))
    except ValueError:
        raise ConfigurationError("give the secret bytes in base64url.") from None


_NUMBERS: dict[str, Callable[[str], Any]] = {
    field.name: int if field.type == "int" else float for field in fields(KeyCaching)
}
_OF_DPOP: dict[str, Callable[[str], Any]] = {
    "algorithms": words,
    "max_age": float,
    "nonce": switch,
    "nonce_key": _key_bytes,
    "nonce_lifetime": float,
    "stripped_prefix": text,
    "replay_store": ValkeyReplayStore,
}
_OF_BLOCKLIST: dict[str, Callable[[str], Any]] = {"key": _key_bytes, "interval": float, "required": switch}
SETTINGS: Mapping[str, _Setting] = {
    **_settings(
        "server",
        issuer=words,
        preset=text,
        audience=words,
        leeway=float,
        verdict_cache_size=int,
        key_directory=text,
        machine_only=switch,
        realm=text,
        resource_url=text,
        scopes_supported=words,
        resource_metadata_url=text,
        caching=text,
        transport=text,
        on_event=text,
        clock=text,
        monotonic=text,
    ),
    "DPOP": _Setting(read=_dpop_mode, part="server", argument="dpop"),
    **{f"DPOP_{name}": setting for name, setting in _settings("dpop", **_OF_DPOP).items()},
    "BLOCKLIST": _Setting(read=text, part="server", argument="blocklist"),
    **{f"BLOCKLIST_{name}": setting for name, setting in _settings("blocklist", **_OF_BLOCKLIST).items()},
    **_settings("logto", logto_endpoint=text),
    **_settings(
        "issuer",
        aliases=words,
        jwks_uri=text,
        jwks=json_object,
        allow_http=switch,
        organizations=switch,
        algorithms=words,
        token_types=words,
        required_claims=words,
        claim_values=json_object,
        audience_in_scope=switch,
        app_id_claim=text,
        organization_claim=text,
        scope_lists=words,
        grants=json_object,
        default_audiences=words,
    ),
    **_settings("transport", ca_file=text),
    **_settings("caching", **_NUMBERS),
}
_ONLY_IN_CODE = frozenset(("CACHING", "TRANSPORT", "ON_EVENT", "CLOCK", "MONOTONIC"))


def from_environment(environ: Mapping[str, str], prefix: str = "M2MGUARD_") -> dict[str, Any]:
    """Read every variable that begins with the prefix, as `ResourceServer`'s arguments. Raises as `server_arguments`."""
    return server_arguments(server_variables(environ, prefix), prefix=prefix)


def server_variables(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The variables that begin with the prefix, without it, except those of a calling service."""
    found = variables(environ, prefix)
    return {name: value for name, value in found.items() if not name.startswith(CLIENT)}


def server_arguments(given: Mapping[str, Any], *, prefix: str = "", others: Collection[str] = ()) -> dict[str, Any]:
    """Turn settings into the keyword arguments of `ResourceServer`.

    Args:
        given: setting names in upper case to values; text is read (lists are separated by spaces or commas), anything else is
            taken as it is.
        prefix: prefix of the names, for error messages.
        others: names of settings that the caller reads, for the messages.

    Raises:
        ConfigurationError: a setting that does not exist, cannot be read, is missing, or contradicts another.
    """
    parts: dict[str, dict[str, Any]] = {setting.part: {} for setting in SETTINGS.values()}
    for name, value in given.items():
        setting = SETTINGS.get(name)
        if setting is None:
            known = [f"{prefix}{one}" for one in sorted({*SETTINGS, *others})]
            raise ConfigurationError(f"unknown setting {prefix}{name}. {did_you_mean(f'{prefix}{name}', known)}")
        parts[setting.part][setting.argument] = _read(f"{prefix}{name}", name, setting, value)
    arguments = parts["server"]
    named = {name: arguments.pop(name.lower(), None) for name in ("ISSUER", "PRESET")}
    named["LOGTO_ENDPOINT"] = parts["logto"].get("logto_endpoint")
    arguments["issuers"] = _issuers(named, parts["issuer"], prefix)
    if "audience" not in arguments:
        raise ConfigurationError(
            f"{prefix}AUDIENCE is missing: give the API identifier that tokens for this API carry."
        )
    _add_caching(arguments, parts["caching"], prefix)
    _add_dpop(arguments, parts["dpop"], prefix, is_text=isinstance(given.get("DPOP"), str))
    _add_blocklist(arguments, parts["blocklist"], prefix)
    _add_transport(arguments, parts["transport"], prefix)
    return arguments


def _add_caching(arguments: dict[str, Any], numbers: dict[str, Any], prefix: str) -> None:
    if not numbers:
        return
    if "caching" in arguments:
        raise ConfigurationError(f"{prefix}CACHING is given together with single numbers of it; give one or the other.")
    arguments["caching"] = KeyCaching(**numbers)


def _add_dpop(arguments: dict[str, Any], details: dict[str, Any], prefix: str, *, is_text: bool) -> None:
    if not details:
        return
    if not is_text:
        raise ConfigurationError(f'{prefix}DPOP_... has no effect without {prefix}DPOP: give "accepted" or "required".')
    arguments["dpop"] = replace(arguments["dpop"], **details)


def _add_blocklist(arguments: dict[str, Any], details: dict[str, Any], prefix: str) -> None:
    name = arguments.get("blocklist")
    if isinstance(name, str):
        arguments["blocklist"] = blocklist_named(name, **details)
    elif details:
        raise ConfigurationError(
            f"{prefix}BLOCKLIST_... has no effect without {prefix}BLOCKLIST: give the path of a file or the URL of a Valkey server."
        )


def _add_transport(arguments: dict[str, Any], details: dict[str, Any], prefix: str) -> None:
    if not details:
        return
    if "transport" in arguments:
        raise ConfigurationError(f"{prefix}CA_FILE has no effect beside {prefix}TRANSPORT; give one or the other.")
    caching = arguments.get("caching") or KeyCaching()
    urls = [url for one in arguments["issuers"] if isinstance(one, Issuer) for url in (one.url, one.jwks_uri)]
    arguments["transport"] = HttpTransport(
        connect_timeout=caching.connect_timeout, http_origins=plain_http_origins(*urls), **details
    )


def _read(shown: str, name: str, setting: _Setting, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if name in _ONLY_IN_CODE:
        raise ConfigurationError(f"{shown} cannot be given as text; set it in code.")
    return read_setting(shown, setting.read, value)


def _issuers(named: Mapping[str, Any], details: Mapping[str, Any], prefix: str) -> list[Any]:
    """The issuers that are named in one of three ways, with the details that are given for a single one."""
    ways = [f"{prefix}{name}" for name, value in named.items() if value]
    if len(ways) > 1:
        raise ConfigurationError(
            f"{' and '.join(ways)} both name an issuer; give one. For a tenant with several names give {prefix}ALIASES, for several "
            "issuers build each in code."
        )
    if named["LOGTO_ENDPOINT"]:
        return [_detailed(Issuer.logto, named["LOGTO_ENDPOINT"], details, first=("allow_http", "aliases"))]
    if named["PRESET"]:
        return [_detailed(_preset, named["PRESET"], details)]
    given = named["ISSUER"]
    issuers = [given] if isinstance(given, Issuer) else list(given) if isinstance(given, Collection) else []
    if not issuers:
        raise ConfigurationError(
            f"{prefix}ISSUER is missing: give the issuer's URL, or {prefix}LOGTO_ENDPOINT such as https://tenant.logto.app."
        )
    if not details:
        return issuers
    if len(issuers) > 1 or not isinstance(issuers[0], str):
        names = ", ".join(f"{prefix}{name.upper()}" for name in details)
        raise ConfigurationError(
            f"{names} can be given for one issuer URL only; for several issuers build each Issuer in code."
        )
    return [_detailed(issuer_of_url, issuers[0], details, first=("allow_http",))]


def _preset(text: str) -> Issuer:
    from m2mguard.presets._named import issuer_named

    return issuer_named(text)


def _detailed(
    make: Callable[..., Issuer], given: str, details: Mapping[str, Any], *, first: tuple[str, ...] = ()
) -> Issuer:
    """Make an issuer, and change the details that are given; those named in `first` are needed to make it."""
    issuer = make(given, **{name: details[name] for name in first if name in details})
    if details.get("organizations") and issuer.organization_claim is None:
        raise ConfigurationError("ORGANIZATIONS is for Logto's organizations: give LOGTO_ENDPOINT.")
    later = {name: value for name, value in details.items() if name not in first}
    if isinstance(later.get("claim_values"), Mapping):  # a preset's own stay: they keep other tokens out
        later["claim_values"] = {**issuer.claim_values, **later["claim_values"]}
    return replace(issuer, **later) if later else issuer
