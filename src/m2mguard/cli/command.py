"""The command `m2mguard`: options in, one page and an exit status out. What a page says stands in the modules beside this one."""

from __future__ import annotations

import argparse
import getpass
import logging
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from m2mguard._version import __version__
from m2mguard.access import Requirement
from m2mguard.cli import explain, explanation_page, key_sets, token_command, why
from m2mguard.cli.client_credentials import add_client_options, token_request
from m2mguard.cli.dev import serve
from m2mguard.cli.doctor import report
from m2mguard.cli.doctor.examination import examine
from m2mguard.cli.doctor.finding import Finding, Severity
from m2mguard.cli.doctor.machine_checks import SILENT
from m2mguard.cli.options import add_options, given_settings, point_in_time, setup
from m2mguard.cli.page import Page, page_for
from m2mguard.configuration import did_you_mean
from m2mguard.errors import ConfigurationError, KeysUnavailable

FINE, REFUSED, COULD_NOT_TELL = 0, 1, 3  # 2 is argparse's, for wrong usage
INTERRUPTED = 130  # as a shell says it
MAX_INPUT_CHARACTERS = 65_536
_TERMINAL_LINE = 4_095  # a terminal cuts a line that is longer, without a word

_TOKEN_LIKE = re.compile(r"[\w.-]{40,}", re.ASCII)

_OVERVIEW = "Says why a token is refused, and what is wrong with a setup, as a service with the same settings sees it."
_EPILOG = """\
Settings come from the M2MGUARD_* variables, as for ResourceServer.from_env(); options take precedence.
`python -m m2mguard.testing` serves a local issuer to develop against.
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
_WHY = "Print what the log's code means, what usually causes it, and what to do. Needs no settings and asks nobody."
_KEYS_EPILOG = "Exit status: 0 all keys are there, 2 wrong usage, 3 those of some issuer cannot be had."


class _Parser(argparse.ArgumentParser):
    """Complains without repeating what may be a token that was given in the wrong place."""

    def error(self, message: str) -> NoReturn:
        super().error(_TOKEN_LIKE.sub("(not shown)", message))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: the arguments without the program's name; default the process's own.

    Raises:
        SystemExit: for --help and --version, with status 0, and for wrong usage, with status 2, as argparse does.
    """
    logging.getLogger("m2mguard").addHandler(SILENT)  # what it would log is on the page
    parser, commands = _parsers()
    options = parser.parse_args(argv)
    command = commands[options.command]
    page = page_for(sys.stdout, os.environ)
    try:
        match options.command:
            case "explain":
                status = _explain(command, options, page)
            case "doctor":
                status = _doctor(options, page)
            case "dev":
                status = serve.run(options)
            case "token":
                status = token_command.run(page, options, os.environ)
            case "why":
                status = _why(command, options, page)
            case _:
                status = _key_sets(options, page)
    except ConfigurationError as error:
        command.error(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    return _written(page, status)


def _explain(command: argparse.ArgumentParser, options: argparse.Namespace, page: Page) -> int:
    if options.source not in ([], ["-"]):
        command.error(
            "the token is read from standard input: other processes can see the command line. Treat it as leaked."
        )
    settings = setup(options, os.environ, needs_audience=True)
    requirement = Requirement(scopes=options.scope, app_ids=options.app_id, organization=options.organization)
    found = explain.explain(_token(command), settings, requirement, at=options.at)
    if options.json:
        page.line(explanation_page.as_json(found))
    else:
        explanation_page.show(page, found)
    if found.caller is not None:
        return FINE
    return COULD_NOT_TELL if isinstance(found.error, KeysUnavailable) else REFUSED


def _doctor(options: argparse.Namespace, page: Page) -> int:
    request = None if options.app_id is None else (lambda found: token_request(options, os.environ, found))
    findings: list[Finding] = []
    section = ""
    for finding in examine(options, os.environ, request=request, progress=_progress):
        findings.append(finding)
        if not options.json:
            report.show_finding(page, finding, section=section)
            section = finding.section
    given = given_settings(options, os.environ)
    if options.json:
        page.line(report.as_json(findings, given))
    else:
        report.show_end(page, findings, given)
    return REFUSED if any(one.severity is Severity.FAULT for one in findings) else FINE


def _progress(text: str) -> None:
    """Say what takes a while, where a person is waiting."""
    if sys.stderr.isatty():
        sys.stderr.write(f"... {text}\n")


def _why(command: argparse.ArgumentParser, options: argparse.Namespace, page: Page) -> int:
    if options.markdown:
        page.line(why.as_markdown().removesuffix("\n"))
    elif options.code is None:
        why.show_codes(page)
    else:
        entries = why.entries_of(options.code)
        if not entries:
            command.error(f"there is no such code. {did_you_mean(options.code, why.codes())}")
        why.show_entries(page, entries)
    return FINE


def _key_sets(options: argparse.Namespace, page: Page) -> int:
    found = key_sets.look(setup(options, os.environ, needs_audience=options.command == "health"))
    match options.command, options.json:
        case "keys", True:
            page.line(key_sets.keys_as_json(found))
        case "keys", False:
            key_sets.show_keys(page, found)
        case _, True:
            page.line(key_sets.health_as_json(found))
        case _:
            key_sets.show_health(page, found)
    return FINE if all(one.health.ready for one in found) else COULD_NOT_TELL


def _token(command: argparse.ArgumentParser) -> str | bytes:
    """Read the token: from a pipe or a file, or at a prompt that does not show it."""
    text: str | bytes = ""
    try:
        if sys.stdin.isatty():
            text = getpass.getpass("Token (it will not be shown): ")
            if len(text) >= _TERMINAL_LINE:
                command.error("a terminal cuts lines as long as this token; give it by a pipe or a file.")
        else:
            bytes_of = getattr(sys.stdin, "buffer", sys.stdin)  # a file may be UTF-16, which a text stream would refuse
            text = bytes_of.read(MAX_INPUT_CHARACTERS + 1)
    except EOFError:
        pass
    if not text.strip():
        command.error("no token came in on standard input.")
    if len(text) > MAX_INPUT_CHARACTERS:
        command.error(f"more than {MAX_INPUT_CHARACTERS:,} characters came in, which is no token.")
    return text


def _written(page: Page, status: int) -> int:
    try:
        sys.stdout.write(page.text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough; Python would complain of the rest when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
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
    reasons.add_argument("--markdown", action="store_true", help=argparse.SUPPRESS)  # the page docs/why.md
    return parser, dict(adding.choices)
