"""`m2mguard dev`: starts a local issuer and its page, and stops on Ctrl-C."""

from __future__ import annotations

import argparse
import sys

from m2mguard._validation import is_loopback
from m2mguard.errors import ConfigurationError

_ALGORITHMS = (
    "ES256",
    "ES384",
    "ES512",
    "RS256",
    "PS256",
    "EdDSA",
)  # a copy from `m2mguard.testing`, which is not imported for --help
DEFAULT_PORT = 8630
DEFAULT_ISSUER_PORT = 3001
_EXTRA = 'm2mguard dev needs Starlette and uvicorn: pip install "m2mguard[dev]".'
_WELCOME = """
m2mguard dev: a local issuer for development

  page      {page}
  issuer    {issuer}
  settings  M2MGUARD_LOGTO_ENDPOINT={endpoint} M2MGUARD_AUDIENCE={audience}
{warning}
Press Ctrl-C to stop.
"""
_ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104  # the user chose to listen there
_WARNING = """
  WARNING   {host} can be reached by other machines. Anyone who reaches it can mint tokens and read the App Secrets.
"""


def add_dev_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--config", metavar="FILE", help="a TOML file with applications, APIs and organizations")
    parser.add_argument(
        "--api", action="append", default=[], metavar="API[=SCOPE,…]", help="a further API; may be repeated"
    )
    parser.add_argument(
        "--app", action="append", default=[], metavar="ID[=SCOPE,…]", help="a further application; may be repeated"
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
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"port of the page; default {DEFAULT_PORT}")
    parser.add_argument(
        "--issuer-port",
        type=int,
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
    is_exposed = not is_loopback(options.host)
    name = options.name or ("127.0.0.1" if options.host in _ALL_ADDRESSES else options.host)
    shown = f"[{name}]" if ":" in name else name
    try:
        tenant = DevTenant(
            settings, store, algorithm=options.algorithm, host=shown, listen=options.host, port=options.issuer_port
        )
        tenant.start()
    except OSError as error:
        raise ConfigurationError(f"--issuer-port {options.issuer_port}: {error.strerror}.") from None
    welcome = _WELCOME.format(
        page=f"http://{shown}:{options.port}/",
        issuer=tenant.issuer.url,
        endpoint=tenant.issuer.endpoint,
        audience=next(iter(settings.apis)),
        warning=_WARNING.format(host=options.host) if is_exposed else "",
    )
    sys.stdout.write(welcome)
    sys.stdout.flush()
    app = create_dev_app(tenant, host=shown, port=options.port, is_exposed=is_exposed)
    try:
        uvicorn.run(app, host=options.host, port=options.port, log_level="warning", access_log=False)
    finally:
        tenant.close()
    return 0
