"""What the operator gave: options over `M2MGUARD_*` variables, turned into what a `ResourceServer` is built from.

An option that names an issuer takes the place of everything the environment says about issuers; the rest is kept.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from m2mguard.cli.exchanges import NotingTransport
from m2mguard.configuration import one_or_more
from m2mguard.errors import ConfigurationError
from m2mguard.issuer import Issuer
from m2mguard.keys.caching import KeyCaching
from m2mguard.net.transport import HttpTransport
from m2mguard.resource_server import ResourceServer
from m2mguard.settings import SETTINGS, server_arguments, variables
from m2mguard.token.strict_json import NotStrictJson, parse_object

PREFIX = "M2MGUARD_"
NO_AUDIENCE = "urn:m2mguard:no-audience"  # for commands that look at keys only
_DEFAULTS: Mapping[str, Any] = {"leeway": 30, "machine_only": True}  # given in so many words, since they are shown
MAX_KEY_SET_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Checked settings. `arguments` are those of `ResourceServer`."""

    arguments: Mapping[str, Any]
    issuers: tuple[Issuer, ...]
    audiences: tuple[str, ...]
    caching: KeyCaching

    def server(self, *issuers: Issuer, **overrides: Any) -> tuple[ResourceServer, NotingTransport]:
        """Build a resource server for these issuers, or for all, and the transport that notes what it asks.

        It keeps no keys on disk and takes none from there: what matters here is what the issuer says now.
        """
        inner = self.arguments.get("transport") or HttpTransport(connect_timeout=self.caching.connect_timeout)
        transport = NotingTransport(inner)
        changed = {"issuers": list(issuers or self.issuers), "transport": transport, "key_directory": None, **overrides}
        return ResourceServer(**{**self.arguments, **changed}), transport

    @property
    def patience_s(self) -> float:
        """Seconds after which a fetch has either ended or will not."""
        return self.caching.timeout + 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command has."""
    parser.add_argument(
        "--issuer",
        action="append",
        metavar="URL",
        help="an issuer, exactly as it names itself in 'iss'; may be repeated",
    )
    parser.add_argument("--logto", metavar="ENDPOINT", help="a Logto endpoint, such as https://tenant.logto.app")
    parser.add_argument(
        "--issuer-from",
        metavar="MODULE:NAME",
        help="an Issuer, or a list of them, in your own code, such as one made by a preset; the module is imported",
    )
    parser.add_argument(
        "--audience", action="append", metavar="API", help="the API identifier, compared exactly; may be repeated"
    )
    parser.add_argument("--jwks", metavar="FILE", help="the issuer's key set as a file: nothing is fetched then")


def setup(options: argparse.Namespace, environ: Mapping[str, str], *, needs_audience: bool) -> Setup:
    """Read options and environment.

    Raises:
        ConfigurationError: what is missing, cannot be read, or contradicts something else.
    """
    given: dict[str, Any] = variables(environ, PREFIX)
    if options.issuer or options.logto or options.issuer_from:
        given = {name: value for name, value in given.items() if not _is_about_issuers(name)}
        in_code = _named_in_code(options.issuer_from) if options.issuer_from else []
        given |= {"ISSUER": [*(options.issuer or []), *in_code]} if options.issuer or in_code else {}
        given |= {"LOGTO_ENDPOINT": options.logto} if options.logto else {}
    if options.audience:
        given["AUDIENCE"] = options.audience
    elif not needs_audience:
        given.setdefault("AUDIENCE", [NO_AUDIENCE])
    arguments = {**_DEFAULTS, **server_arguments(given, prefix=PREFIX)}
    issuers = [Issuer(url=issuer) if isinstance(issuer, str) else issuer for issuer in arguments["issuers"]]
    if options.jwks is not None:
        if len(issuers) > 1:
            raise ConfigurationError("--jwks is the key set of one issuer; name that issuer with --issuer or --logto.")
        issuers = [dataclasses.replace(issuers[0], jwks=_key_set_file(options.jwks), jwks_uri=None)]
    ResourceServer(**{**arguments, "issuers": issuers})  # refuses settings that contradict each other
    return Setup(
        arguments=arguments,
        issuers=tuple(issuers),
        audiences=one_or_more("audience", arguments["audience"], what="API identifiers"),
        caching=arguments.get("caching") or KeyCaching(),
    )


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


def _is_about_issuers(name: str) -> bool:
    setting = SETTINGS.get(name)
    return name == "ISSUER" or (setting is not None and setting.part not in ("server", "transport", "caching"))


def _named_in_code(place: str) -> list[Issuer]:
    module, _, name = place.partition(":")
    sys.path.insert(0, "")  # as `python -m` has it: the working directory
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"--issuer-from: give MODULE:NAME of an Issuer ({error}).") from None
    finally:
        sys.path.remove("")
    issuers = [found] if isinstance(found, Issuer) else list(found) if isinstance(found, list | tuple) else []
    if not issuers or not all(isinstance(issuer, Issuer) for issuer in issuers):
        raise ConfigurationError("--issuer-from: what stands there is neither an Issuer nor a list of them.")
    return issuers


def _key_set_file(name: str) -> dict[str, object]:
    try:
        with Path(name).open("rb") as file:
            return parse_object(file.read(MAX_KEY_SET_BYTES))
    except NotStrictJson as error:
        raise ConfigurationError(f"--jwks: the file is {error}.") from None
    except OSError as error:
        raise ConfigurationError(f"--jwks: the file cannot be read: {error.strerror}.") from None
