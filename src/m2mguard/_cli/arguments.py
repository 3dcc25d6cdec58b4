"""The arguments of each command, and what `--help` says of them."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from m2mguard._cli.client_credentials import add_client_options
from m2mguard._cli.dev import serve
from m2mguard._cli.settings import add_options, point_in_time
from m2mguard._version import __version__

_TOKEN_LIKE = re.compile(r"[\w.-]{40,}", re.ASCII)

_OVERVIEW = "Says why a token is refused, and what is wrong with a setup, as a service with the same settings sees it."
_EPILOG = """\
Settings come from the M2MGUARD_* variables, as for ResourceServer.from_env(); options take precedence.
`m2mguard dev` serves a local issuer to develop against.
"""
_EXPLAIN = """\
Verify one token and show each step: what it says, what was expected, what its sender would be answered, and what to
change. The token is read from standard input, never from the command line, which other processes can see.
Its claims are shown, its signature never is.
"""
_EXPLAIN_EPILOG = "Exit status: 0 accepted, 1 refused, 2 wrong usage, 3 could not tell, since keys are not available."
_DOCTOR = """\
Check settings, network, keys, clock, log and, with --app, every route; with --app-id, get a token and verify it. Run it
before the first deploy, and in every incident. It changes nothing.
"""
_DOCTOR_EPILOG = "Exit status: 0 nothing is wrong (there may be warnings), 1 something is, 2 wrong usage."
_CREDENTIALS = """\
Get an access token with client credentials, and print it. The App Secret is read from a variable, a file or a prompt,
never from the command line.
"""
_CREDENTIALS_EPILOG = "Exit status: 0 here it is, 1 the issuer refuses, 2 wrong usage, 3 the issuer cannot be asked."
_DEV = """\
Serve a local issuer for development, with a web page to mint tokens, rotate keys, break the issuer and explain tokens.
"""
_HEALTH = """\
Fetch the keys as a starting service does, and say whether tokens can be checked; if not, why, and what to do.
"""
_KEYS = "Fetch the key sets, and show every key that can verify tokens, and why each other one is passed over."
_WHY = "Print what the log's code means, what usually causes it, and what to do. Needs no settings and no network."
_KEYS_EPILOG = "Exit status: 0 all keys are there, 2 wrong usage, 3 those of some issuer are not available."


class _Parser(argparse.ArgumentParser):
    """Complains without repeating what may be a token that was given in the wrong place."""

    def error(self, message: str) -> NoReturn:
        super().error(_TOKEN_LIKE.sub("(not shown)", message))


def parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of the command, and those of its sub-commands by their names."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = _Parser(prog="m2mguard", description=_OVERVIEW, epilog=_EPILOG, formatter_class=plain, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    adding = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, summary: str, description: str, epilog: str) -> argparse.ArgumentParser:
        added = adding.add_parser(
            name, help=summary, description=description, epilog=epilog, formatter_class=plain, allow_abbrev=False
        )
        add_options(added)
        return added

    explaining = command("explain", "say why a token is accepted or refused", _EXPLAIN, _EXPLAIN_EPILOG)
    explaining.add_argument("source", nargs="*", help=argparse.SUPPRESS)  # "-", for those who are used to it
    explaining.add_argument(
        "--scope", action="append", default=[], help="a scope that the route asks for; may be repeated"
    )
    explaining.add_argument(
        "--app-id", action="append", default=[], help="an application that the route accepts; may be repeated"
    )
    explaining.add_argument("--organization", metavar="ID", help="the organization the route is about, or '*' for any")
    explaining.add_argument(
        "--at", type=point_in_time, metavar="TIME", help="verify as at this time: ISO 8601, or seconds since 1970"
    )
    explaining.add_argument("--json", action="store_true", help="print the same for programs")
    doctor = command("doctor", "check settings, network, keys, clock, log and routes", _DOCTOR, _DOCTOR_EPILOG)
    doctor.add_argument(
        "--open",
        action="append",
        default=[],
        metavar="PATH",
        help="a route that is open on purpose, such as /healthz; may be repeated",
    )
    add_client_options(doctor, required=False)
    doctor.add_argument("--json", action="store_true", help="print the same for programs")
    token = command("token", "get an access token with client credentials", _CREDENTIALS, _CREDENTIALS_EPILOG)
    add_client_options(token, required=True)
    token.add_argument("--json", action="store_true", help="print the token, its scopes and its end as JSON")
    health = command("health", "fetch the keys, and say whether tokens can be checked", _HEALTH, _KEYS_EPILOG)
    health.add_argument("--json", action="store_true", help="print what server.health() returns")
    keys = command("keys", "show the keys, and why others are passed over", _KEYS, _KEYS_EPILOG)
    keys.add_argument("--json", action="store_true", help="print the same for programs")
    developing = adding.add_parser(
        "dev", help="serve a local issuer with a web page", description=_DEV, formatter_class=plain, allow_abbrev=False
    )
    serve.add_options(developing)
    reasons = adding.add_parser(
        "why", help="say what a code in the log means, and what to do", description=_WHY, formatter_class=plain
    )
    reasons.add_argument("code", nargs="?", metavar="CODE", help="such as expired; default: list all codes")
    reasons.add_argument("--markdown", action="store_true", help=argparse.SUPPRESS)  # the page docs/reference/why.md
    return parser, dict(adding.choices)
