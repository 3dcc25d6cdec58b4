"""`m2mguard dev`: starts a local issuer and its page, and stops on Ctrl-C."""

from __future__ import annotations

import argparse
import re
import sys

from m2mguard._cli.listening import check_address, read_port
from m2mguard._validation import is_loopback, split_url
from m2mguard.errors import ConfigurationError

# Some of those of `m2mguard.testing`, which is not imported for --help.
_ALGORITHMS = (
    "ES256",
    "ES384",
    "ES512",
    "RS256",
    "PS256",
    "EdDSA",
    "ML-DSA-44",
    "ML-DSA-65",
    "ML-DSA-87",
)
DEFAULT_PORT = "8630"
DEFAULT_ISSUER_PORT = "3001"
_EXTRA = 'm2mguard dev needs Starlette and uvicorn: pip install "m2mguard[dev]".'
_WELCOME = """
m2mguard dev: a local issuer for development

  page      {page}
  issuer    {issuer}
  settings  {variables}
{warning}
Press Ctrl-C to stop.
"""
_HOST = re.compile(r"[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]")
_ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104  # the user chose to listen there
_WARNING = """
  WARNING   {host} can be reached by other machines. Anyone who reaches it can mint tokens and read the App Secrets.
"""


def add_dev_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--config", metavar="FILE", help="a TOML file with applications, APIs and organizations")
    parser.add_argument(
        "--api",
        action="append",
        default=[],
        metavar="API[=SCOPE,…]",
        help="an API and its scopes, instead of the example https://shopping.api; may be repeated",
    )
    parser.add_argument(
        "--app",
        action="append",
        default=[],
        metavar="ID[=SCOPE,…]",
        help="an application and its scopes, at each API that has them (default: all scopes), instead of the example "
        "app-orders; may be repeated",
    )
    parser.add_argument(
        "--keys",
        metavar="DIR",
        default=".m2mguard-dev",
        help="directory of the keys between restarts; default .m2mguard-dev",
    )
    parser.add_argument("--forget-keys", action="store_true", help="store no keys: each start generates a new one")
    parser.add_argument(
        "--algorithm", choices=_ALGORITHMS, default="ES384", help="algorithm of the signing key; default ES384"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; default 127.0.0.1, this machine only"
    )
    parser.add_argument(
        "--name",
        metavar="HOST",
        help="the host name for other machines, with another --host; default: the value of --host",
    )
    parser.add_argument("--port", default=DEFAULT_PORT, help=f"port of the page; default {DEFAULT_PORT}")
    parser.add_argument(
        "--issuer-port",
        default=DEFAULT_ISSUER_PORT,
        help=f"port of the issuer; default {DEFAULT_ISSUER_PORT}, as Logto's",
    )


def run_dev_command(options: argparse.Namespace) -> int:
    """Serve until interrupted, and return the exit status.

    Raises:
        ConfigurationError: an option or the file is invalid, the issuer's port is in use, or the extra is not installed.
    """
    try:
        import uvicorn

        from m2mguard._cli.dev.dev_app import create_dev_app
        from m2mguard._cli.dev.key_store import KeyStore
        from m2mguard._cli.dev.tenant import DevTenant
        from m2mguard._cli.dev.tenant_file import read_tenant
    except ImportError:
        raise ConfigurationError(_EXTRA) from None
    settings = read_tenant(options.config, options.api, options.app)
    store = KeyStore(None if options.forget_keys else options.keys)
    page_port = read_port("--port", options.port)
    issuer_port = read_port("--issuer-port", options.issuer_port)
    if page_port == issuer_port:
        raise ConfigurationError("--port and --issuer-port must be two ports.")
    check_address(options.host, page_port, port_setting="--port")
    check_address(options.host, issuer_port, port_setting="--issuer-port")
    is_exposed = not is_loopback(options.host)
    shown = _read_name(options)
    tenant = DevTenant(settings, store, algorithm=options.algorithm, host=shown, listen=options.host, port=issuer_port)
    tenant.start()
    welcome = _WELCOME.format(
        page=f"http://{shown}:{page_port}/",
        issuer=tenant.issuer.url,
        variables=" ".join(tenant.variables()),
        warning=_WARNING.format(host=options.host) if is_exposed else "",
    )
    sys.stdout.write(welcome)
    sys.stdout.flush()
    app = create_dev_app(tenant, host=shown, port=page_port, is_exposed=is_exposed)
    try:
        uvicorn.run(app, host=options.host, port=page_port, log_level="warning", access_log=False)
    finally:
        tenant.close()
    return 0


def _read_name(options: argparse.Namespace) -> str:
    """Return the host as it is in URLs."""
    name = options.name or ("127.0.0.1" if options.host in _ALL_ADDRESSES else options.host)
    shown = f"[{name}]" if ":" in name else name
    parts = split_url(f"//{shown}")
    if not _HOST.fullmatch(shown) or parts is None:
        raise ConfigurationError(f"--name {name}: this is not a host name or an address.")
    return shown
