"""The arguments of each command, and their help texts."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from m2mguard._cli.block.block_options import add_block_options
from m2mguard._cli.client_credentials import add_client_options
from m2mguard._cli.command_setup import add_settings_options, parse_time
from m2mguard._cli.dev.dev_command import add_dev_options
from m2mguard._cli.forward_auth.forward_auth_command import add_forward_auth_options
from m2mguard._version import __version__

_TOKEN_LIKE = re.compile(r"[\w.-]{40,}", re.ASCII)

_OVERVIEW = "Explain why a token is refused, and find errors in a setup, with the settings of a service."
_EPILOG = """\
Settings come from the M2MGUARD_* variables, as for ResourceServer.from_env(); options take precedence.
`m2mguard dev` serves a local issuer to develop against.
"""
_EXPLAIN = """\
Verify one token and show each step: the value found, the value expected, the answer to the caller, and what to
change. The token is read from standard input, never from the command line, which other processes can see.
Its claims are shown, its signature never is.
"""
_EXPLAIN_EPILOG = "Exit status: 0 accepted, 1 refused, 2 wrong usage, 3 not checked, since keys are not available."
_DOCTOR = """\
Check settings, network, keys, clock, log and, with --app, every route; with --app-id, get a token and verify it. Run it
before the first deploy, and in every incident. It changes nothing.
"""
_DOCTOR_EPILOG = "Exit status: 0 no error (there may be warnings), 1 an error was found, 2 wrong usage."
_CREDENTIALS = """\
Get an access token with client credentials, and print it. The App Secret is read from a variable, a file or a prompt,
never from the command line.
"""
_CREDENTIALS_EPILOG = (
    "Exit status: 0 a token was printed, 1 the issuer refuses, 2 wrong usage, 3 the issuer gives no usable answer."
)
_DEV = """\
Serve a local issuer for development, with a web page to mint tokens, rotate keys, break the issuer and explain tokens.
"""
_FORWARD_AUTH = """\
Serve the endpoint that nginx, Traefik, Caddy or Envoy asks about each request, so that an API in any language is protected.
"""
_FORWARD_AUTH_EPILOG = """\
Each option that only this command has may be a variable: M2MGUARD_FORWARD_AUTH_RULES, _IDENTITY_KEY, _HOST, _PORT.
Exit status: 0 it was stopped, 2 wrong usage.
"""
_HEALTH = """\
Fetch the keys as a starting service does, and show whether tokens can be checked; if not, show why, and what to do.
"""
_KEYS = "Fetch the key sets, and show every key that can verify tokens, and why each other key is passed over."
_WHY = """\
Print the meaning of a code or an event in the log, its usual causes, and what to do; of a status: its codes. Needs no settings and
no network.
"""
_KEYS_EPILOG = (
    "Exit status: 0 the keys of all issuers are available, 2 wrong usage, 3 the keys of an issuer are not available."
)


class _Parser(argparse.ArgumentParser):
    """Hides a possible token in an error message: a user may have put it in the wrong place."""

    def error(self, message: str) -> NoReturn:
        super().error(_TOKEN_LIKE.sub("(not shown)", message))


def create_parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Create the parser of the command, and return it with the parsers of its sub-commands by name."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="m2mguard", description=_OVERVIEW, epilog=_EPILOG, formatter_class=formatter, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add_command(name: str, summary: str, description: str, epilog: str) -> argparse.ArgumentParser:
        subparser = subparsers.add_parser(
            name, help=summary, description=description, epilog=epilog, formatter_class=formatter, allow_abbrev=False
        )
        add_settings_options(subparser)
        return subparser

    explain = add_command("explain", "explain why a token is accepted or refused", _EXPLAIN, _EXPLAIN_EPILOG)
    # "-" is accepted: many tools use it for standard input
    explain.add_argument("source", nargs="*", help=argparse.SUPPRESS)
    explain.add_argument(
        "--scope", action="append", default=[], help="a scope that the route requires; may be repeated"
    )
    explain.add_argument(
        "--app-id", action="append", default=[], help="an application that the route accepts; may be repeated"
    )
    explain.add_argument("--organization", metavar="ID", help="the organization the route is about, or '*' for any")
    explain.add_argument(
        "--max-age", type=int, metavar="SECONDS", help="the greatest age of the person's sign-in that the route accepts"
    )
    explain.add_argument(
        "--acr", action="append", default=[], help="a value of acr that the route accepts; may be repeated"
    )
    explain.add_argument(
        "--certificate", metavar="FILE", help="the PEM file of the certificate with which the request comes (RFC 8705)"
    )
    explain.add_argument(
        "--at", type=parse_time, metavar="TIME", help="verify as of this time: ISO 8601, or seconds since 1970"
    )
    explain.add_argument("--json", action="store_true", help="print the same as JSON, for programs")
    doctor = add_command("doctor", "check settings, network, keys, clock, log and routes", _DOCTOR, _DOCTOR_EPILOG)
    doctor.add_argument(
        "--open",
        action="append",
        default=[],
        metavar="PATH",
        help="a route that is open on purpose, such as /healthz; may be repeated",
    )
    add_client_options(doctor, required=False)
    doctor.add_argument("--json", action="store_true", help="print the same as JSON, for programs")
    token = add_command("token", "get an access token with client credentials", _CREDENTIALS, _CREDENTIALS_EPILOG)
    add_client_options(token, required=True)
    token.add_argument("--json", action="store_true", help="print the token, its scopes and its expiry as JSON")
    health = add_command("health", "fetch the keys, and show whether tokens can be checked", _HEALTH, _KEYS_EPILOG)
    health.add_argument("--json", action="store_true", help="print what server.health() returns")
    keys = add_command("keys", "show the keys, and why others are passed over", _KEYS, _KEYS_EPILOG)
    keys.add_argument("--json", action="store_true", help="print the same as JSON, for programs")
    forward_auth = add_command("forward-auth", "protect an API behind a proxy", _FORWARD_AUTH, _FORWARD_AUTH_EPILOG)
    add_forward_auth_options(forward_auth)
    block = subparsers.add_parser(
        "block",
        help="refuse an application, a token or a key at once, everywhere",
        formatter_class=formatter,
        allow_abbrev=False,
    )
    add_block_options(block)
    dev = subparsers.add_parser(
        "dev",
        help="serve a local issuer with a web page",
        description=_DEV,
        formatter_class=formatter,
        allow_abbrev=False,
    )
    add_dev_options(dev)
    why = subparsers.add_parser(
        "why", help="explain a code, an event or a status, and what to do", description=_WHY, formatter_class=formatter
    )
    why.add_argument(
        "code", nargs="?", metavar="CODE", help="such as expired, RefreshFailed or 503; default: list all codes"
    )
    why.add_argument("--markdown", action="store_true", help=argparse.SUPPRESS)  # the page docs/reference/why.md
    return parser, dict(subparsers.choices)
