"""`m2mguard forward-auth`: serves `m2mguard.forward_auth.ForwardAuth` to the proxy, and stops on Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

from m2mguard._cli.command_setup import PREFIX, read_setup
from m2mguard._cli.forward_auth.rules_file import Rules, read_rules
from m2mguard._cli.listening import check_address, read_port
from m2mguard._server.resource_server import ResourceServer
from m2mguard._validation import did_you_mean
from m2mguard.errors import ConfigurationError
from m2mguard.forward_auth import ForwardAuth

_OWN_PREFIX = f"{PREFIX}FORWARD_AUTH_"
_OPTIONS = ("rules", "identity_key", "host", "port")
_DEFAULTS = {"host": "127.0.0.1", "port": "9000"}
_MAX_HEAD_BYTES = 256 * 1024  # a token of 16 KiB, and whatever else a client sends that the proxy passes on
_EXTRA = 'm2mguard forward-auth needs uvicorn: pip install "m2mguard[forward-auth]".'


def add_forward_auth_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--rules", metavar="FILE", help="a TOML file: public paths, and what all and some paths require"
    )
    parser.add_argument(
        "--identity-key", metavar="FILE", help="sign the identity with this private key: P-256, PEM, not encrypted"
    )
    parser.add_argument("--host", help="address to listen on, which only the proxy may reach; default 127.0.0.1")
    parser.add_argument("--port", help="default 9000")


def run_forward_auth_command(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Serve until interrupted, and return the exit status.

    Raises:
        ConfigurationError: a setting, the file or the key is invalid, or the extra is not installed.
    """
    own = _read_own_settings(options, environ)
    others = {name: value for name, value in environ.items() if not name.startswith(_OWN_PREFIX)}
    setup = read_setup(options, others, needs_audience=True)
    rules = read_rules(own["rules"]) if "rules" in own else Rules()
    app = ForwardAuth(
        ResourceServer(**setup.settings.arguments()),
        rules.requires,
        rules.public,
        paths=rules.paths,
        identity_key=_read_key(own["identity_key"]) if "identity_key" in own else None,
    )
    try:
        import uvicorn
    except ImportError:
        raise ConfigurationError(_EXTRA) from None
    port = read_port("the port", own["port"])
    check_address(own["host"], port, port_setting="--port")
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    sys.stdout.write(f"m2mguard forward-auth listens on {own['host']}, port {own['port']}\n")
    sys.stdout.flush()
    uvicorn.run(
        app,
        host=own["host"],
        port=port,
        http="h11",
        ws="none",
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="warning",
        log_config=None,
    )
    return 0


def _read_own_settings(options: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, str]:
    given = {name.removeprefix(_OWN_PREFIX): value for name, value in environ.items() if name.startswith(_OWN_PREFIX)}
    known = [name.upper() for name in _OPTIONS]
    for name in given:
        if name not in known:
            raise ConfigurationError(f"unknown setting {_OWN_PREFIX}{name}. {did_you_mean(name, known)}")
    found = {name: getattr(options, name) or given.get(name.upper(), "").strip() for name in _OPTIONS}
    return _DEFAULTS | {name: value for name, value in found.items() if value}


def _read_key(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"the file of the identity key cannot be read: {error.strerror}.") from None
