"""The settings of a command: from `M2MGUARD_*` variables and options, or from a server in the user's code (`--app`).

An option replaces the variable of the same setting only. All settings that name the issuer count as one setting.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from m2mguard._cli.application_loader import load_application
from m2mguard._cli.recording_transport import RecordingTransport
from m2mguard._server.environment import SETTINGS, server_arguments, server_variables
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.settings import ServerSettings
from m2mguard._server.trusted_issuer import certificate_transport, http_origins
from m2mguard._token.strict_json import NotStrictJson, parse_object
from m2mguard.errors import ConfigurationError
from m2mguard.issuer import Issuer
from m2mguard.net._transport import transport_for

PREFIX = "M2MGUARD_"
NO_AUDIENCE = "urn:m2mguard:no-audience"  # for commands that only fetch keys
MAX_KEY_SET_BYTES = 16 * 2**20
_ISSUER_SETTINGS = ("ISSUER", "LOGTO_ENDPOINT", "PRESET")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSetup:
    """The checked settings of a command.

    Attributes:
        settings: the settings of the server.
        origins: the origin of each given setting by its name, such as "option --audience".
        code: MODULE:NAME of the server in the user's code that has these settings, or None.
    """

    settings: ServerSettings
    origins: Mapping[str, str]
    code: str | None = None

    def create_server(self, *issuers: Issuer, **overrides: Any) -> tuple[ResourceServer, RecordingTransport]:
        """Create a resource server for these issuers, or for all, and the transport that records its requests.

        The server neither reads nor writes a key file: a command shows the keys that the issuer publishes now. It has no block list, since
        a process of a fleet leaves a notice; a command that needs it gives it.
        """
        selected = issuers or self.settings.issuers
        inner = transport_for(
            self.settings.transport or next(filter(None, map(certificate_transport, selected)), None),
            http_origins=[origin for one in selected for origin in http_origins(one)],
            connect_timeout=self.settings.caching.connect_timeout,
        )
        transport = RecordingTransport(inner)
        changed = {"issuers": selected, "transport": transport, "key_directory": None, "on_event": None}
        changed |= {"blocklist": None, **overrides}
        return ResourceServer(**{**self.settings.arguments(), **changed}), transport

    @property
    def max_fetch_s(self) -> float:
        """Time limit for a fetch, in seconds: `KeyCaching.timeout` plus one."""
        return self.settings.caching.timeout + 1


def add_settings_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that needs settings."""
    parser.add_argument(
        "--app",
        metavar="MODULE:NAME",
        help="take the settings from your code, which is imported: a ResourceServer, an application that one "
        "protects, an object that has one as an attribute, or an Issuer",
    )
    parser.add_argument(
        "--issuer",
        action="append",
        metavar="URL",
        help="an issuer, exactly as it names itself in 'iss'; may be repeated",
    )
    parser.add_argument("--logto", metavar="ENDPOINT", help="a Logto endpoint, such as https://tenant.logto.app")
    parser.add_argument(
        "--preset",
        metavar="NAME:ARG,ARG",
        help="another issuer, such as entra:TENANT or keycloak:https://sso.example.com,shop",
    )
    parser.add_argument(
        "--audience", action="append", metavar="API", help="the API identifier, compared exactly; may be repeated"
    )
    parser.add_argument("--jwks", metavar="FILE", help="the issuer's key set as a file; nothing is fetched")


def read_setup(options: argparse.Namespace, environ: Mapping[str, str], *, needs_audience: bool) -> CommandSetup:
    """Read the settings from options and environment, or from options and code.

    Raises:
        ConfigurationError: a setting is missing, unreadable, or contradicts another.
    """
    given, origins = _read_options(options)
    server, issuers = (None, None) if options.app is None else _load_from_code(options.app)
    if server is not None:
        arguments = {**server.settings.arguments(), **_override_arguments(given)}
        origins = {**dict.fromkeys(("ISSUER", "AUDIENCE"), f"code {options.app}"), **origins}
    else:
        if issuers is not None:
            given, origins = {"ISSUER": issuers} | given, {"ISSUER": f"code {options.app}"} | origins
        replaced = _ISSUER_SETTINGS if any(name in given for name in _ISSUER_SETTINGS) else ()
        from_environment = {
            name: value for name, value in server_variables(environ, PREFIX).items() if name not in replaced
        }
        origins = {name: f"variable {PREFIX}{name}" for name in from_environment} | origins
        given = from_environment | given
        if not needs_audience:
            given.setdefault("AUDIENCE", [NO_AUDIENCE])
        arguments = server_arguments(given, prefix=PREFIX)
    if options.jwks is not None:
        arguments["issuers"] = _set_key_set(arguments["issuers"], options.jwks)
        origins["JWKS"] = "option --jwks"
    code = None if server is None else options.app
    return CommandSetup(settings=ResourceServer(**arguments).settings, origins=origins, code=code)


def collect_settings(options: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings as variables without the prefix; options replace variables of the environment."""
    given, _ = _read_options(options)
    replaced = _ISSUER_SETTINGS if any(name in given for name in _ISSUER_SETTINGS) else ()
    kept = {
        name: value
        for name, value in server_variables(environ, PREFIX).items()
        if name not in replaced and name in SETTINGS
    }
    return kept | {name: value if isinstance(value, str) else " ".join(value) for name, value in given.items()}


def _load_from_code(place: str) -> tuple[ResourceServer | None, list[Issuer] | None]:
    """Return the server that `--app` names in the user's code, or its issuers."""
    loaded = load_application(place)
    if loaded.server is not None:
        return loaded.server, None
    found = [loaded.app] if isinstance(loaded.app, Issuer) else loaded.app
    if isinstance(found, list | tuple) and found and all(isinstance(one, Issuer) for one in found):
        return None, list(found)
    raise ConfigurationError(
        f"--app {place}: no ResourceServer was found there. Name the ResourceServer itself, as in --app orders.settings:server."
    )


def _read_options(options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str]]:
    option_names = {"ISSUER": "issuer", "LOGTO_ENDPOINT": "logto", "PRESET": "preset", "AUDIENCE": "audience"}
    given = {name: value for name, option in option_names.items() if (value := getattr(options, option))}
    return given, {name: f"option --{option_names[name]}" for name in given}


def _override_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the server arguments that options override in the user's code."""
    overrides: dict[str, Any] = {}
    if "AUDIENCE" in given:
        overrides["audience"] = given["AUDIENCE"]
    if any(name in given for name in _ISSUER_SETTINGS):
        overrides["issuers"] = server_arguments({"AUDIENCE": [NO_AUDIENCE], **given}, prefix=PREFIX)["issuers"]
    return overrides


def parse_time(text: str) -> float:
    """Parse `--at`: seconds since the epoch, or an ISO 8601 time, in UTC if it has no zone."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            given = datetime.fromisoformat(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                "give a time such as 2026-11-22T16:00:00Z, or seconds since 1970"
            ) from None
        seconds = (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(seconds):
        raise argparse.ArgumentTypeError("give a finite number of seconds")
    return seconds


def _set_key_set(issuers: Any, file: str) -> list[Issuer]:
    if len(issuers) > 1:
        raise ConfigurationError("--jwks is the key set of one issuer; name that issuer with --issuer or --logto.")
    [issuer] = ResourceServer(issuers, audience=NO_AUDIENCE).settings.issuers
    return [dataclasses.replace(issuer, jwks=_read_key_set_file(file), jwks_uri=None)]


def _read_key_set_file(name: str) -> dict[str, object]:
    try:
        with Path(name).open("rb") as file:
            return parse_object(file.read(MAX_KEY_SET_BYTES))
    except NotStrictJson as error:
        raise ConfigurationError(f"--jwks: the file is {error}.") from None
    except OSError as error:
        raise ConfigurationError(f"--jwks: the file cannot be read: {error.strerror}.") from None
