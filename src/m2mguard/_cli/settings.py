"""The settings of a command: `M2MGUARD_*` variables and options, which add up, or those of a server in the user's own code.

An option takes the place of the variable of the same setting and of no other. Which issuer it is counts as one setting.
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

from m2mguard._cli.applications import load
from m2mguard._cli.recording_transport import RecordingTransport
from m2mguard._server.environment import SETTINGS, server_arguments, variables
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.settings import ServerSettings
from m2mguard._token.strict_json import NotStrictJson, parse_object
from m2mguard.errors import ConfigurationError
from m2mguard.issuer import Issuer
from m2mguard.net._transport import plain_http_origins, transport_for

PREFIX = "M2MGUARD_"
NO_AUDIENCE = "urn:m2mguard:no-audience"  # for commands that look at keys only
MAX_KEY_SET_BYTES = 16 * 2**20
_NAMES_AN_ISSUER = ("ISSUER", "LOGTO_ENDPOINT", "PRESET")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Checked settings.

    Attributes:
        settings: what a server is built from.
        origins: where each setting that was given came from, by its name, such as "option --audience".
    """

    settings: ServerSettings
    origins: Mapping[str, str]

    def server(self, *issuers: Issuer, **overrides: Any) -> tuple[ResourceServer, RecordingTransport]:
        """Build a resource server for these issuers, or for all, and the transport that notes what it asks.

        It keeps no keys on disk and takes none from there: what matters here is what the issuer says now.
        """
        wanted = issuers or self.settings.issuers
        inner = transport_for(
            self.settings.transport,
            http_origins=[origin for one in wanted for origin in plain_http_origins(one.url, one.jwks_uri)],
            connect_timeout=self.settings.caching.connect_timeout,
        )
        transport = RecordingTransport(inner)
        changed = {"issuers": wanted, "transport": transport, "key_directory": None, "on_event": None, **overrides}
        return ResourceServer(**{**self.settings.arguments(), **changed}), transport

    @property
    def longest_wait_s(self) -> float:
        """Seconds after which a fetch has either ended or will not."""
        return self.settings.caching.timeout + 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command with settings has."""
    parser.add_argument(
        "--app",
        metavar="MODULE:NAME",
        help="take the settings from your code, which is imported: a ResourceServer, an application that one protects, an object that "
        "holds one, or an Issuer",
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
    parser.add_argument("--jwks", metavar="FILE", help="the issuer's key set as a file: nothing is fetched then")


def setup(options: argparse.Namespace, environ: Mapping[str, str], *, needs_audience: bool) -> Setup:
    """Read options and environment, or options and code.

    Raises:
        ConfigurationError: what is missing, cannot be read, or contradicts something else.
    """
    given, origins = _given_by_options(options)
    server, issuers = (None, None) if options.app is None else _in_code(options.app)
    if server is not None:
        arguments = {**server.settings.arguments(), **_overrides(given)}
        origins = {**dict.fromkeys(("ISSUER", "AUDIENCE"), f"code {options.app}"), **origins}
    else:
        if issuers is not None:
            given, origins = {"ISSUER": issuers} | given, {"ISSUER": f"code {options.app}"} | origins
        taken = _NAMES_AN_ISSUER if any(name in given for name in _NAMES_AN_ISSUER) else ()
        from_environment = {name: value for name, value in variables(environ, PREFIX).items() if name not in taken}
        origins = {name: f"variable {PREFIX}{name}" for name in from_environment} | origins
        given = from_environment | given
        if not needs_audience:
            given.setdefault("AUDIENCE", [NO_AUDIENCE])
        arguments = server_arguments(given, prefix=PREFIX)
    if options.jwks is not None:
        arguments["issuers"] = _with_key_set(arguments["issuers"], options.jwks)
        origins["JWKS"] = "option --jwks"
    return Setup(settings=ResourceServer(**arguments).settings, origins=origins)


def given_settings(options: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, str]:
    """The settings as variables without the prefix: those of the environment, replaced by the options."""
    given, _ = _given_by_options(options)
    taken = _NAMES_AN_ISSUER if any(name in given for name in _NAMES_AN_ISSUER) else ()
    kept = {name: value for name, value in variables(environ, PREFIX).items() if name not in taken and name in SETTINGS}
    return kept | {name: value if isinstance(value, str) else " ".join(value) for name, value in given.items()}


def _in_code(place: str) -> tuple[ResourceServer | None, list[Issuer] | None]:
    """What `--app` names in the user's code: a server, or issuers alone."""
    loaded = load(place)
    if loaded.server is not None:
        return loaded.server, None
    found = [loaded.app] if isinstance(loaded.app, Issuer) else loaded.app
    if isinstance(found, list | tuple) and found and all(isinstance(one, Issuer) for one in found):
        return None, list(found)
    raise ConfigurationError(
        f"--app {place}: no ResourceServer was found there. Name the ResourceServer itself, as in --app orders.settings:server."
    )


def _given_by_options(options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str]]:
    words = {"ISSUER": "issuer", "LOGTO_ENDPOINT": "logto", "PRESET": "preset", "AUDIENCE": "audience"}
    given = {name: value for name, word in words.items() if (value := getattr(options, word))}
    return given, {name: f"option --{words[name]}" for name in given}


def _overrides(given: Mapping[str, Any]) -> dict[str, Any]:
    """What options change about a server in the user's code."""
    overrides: dict[str, Any] = {}
    if "AUDIENCE" in given:
        overrides["audience"] = given["AUDIENCE"]
    if any(name in given for name in _NAMES_AN_ISSUER):
        overrides["issuers"] = server_arguments({"AUDIENCE": [NO_AUDIENCE], **given}, prefix=PREFIX)["issuers"]
    return overrides


def point_in_time(text: str) -> float:
    """Read `--at`: seconds since the epoch, or an ISO 8601 time, in UTC where it names no zone."""
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


def _with_key_set(issuers: Any, file: str) -> list[Issuer]:
    if len(issuers) > 1:
        raise ConfigurationError("--jwks is the key set of one issuer; name that issuer with --issuer or --logto.")
    [issuer] = ResourceServer(issuers, audience=NO_AUDIENCE).settings.issuers
    return [dataclasses.replace(issuer, jwks=_key_set_file(file), jwks_uri=None)]


def _key_set_file(name: str) -> dict[str, object]:
    try:
        with Path(name).open("rb") as file:
            return parse_object(file.read(MAX_KEY_SET_BYTES))
    except NotStrictJson as error:
        raise ConfigurationError(f"--jwks: the file is {error}.") from None
    except OSError as error:
        raise ConfigurationError(f"--jwks: the file cannot be read: {error.strerror}.") from None
