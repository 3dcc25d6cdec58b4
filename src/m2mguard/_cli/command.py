"""The command `m2mguard`: options in, output and an exit status out. The other modules of this package write the output."""

from __future__ import annotations

import argparse
import getpass
import logging
import os
import sys
from collections.abc import Sequence

from m2mguard._cli import explain, explanation_page, health_command, token_command, why
from m2mguard._cli.arguments import parsers
from m2mguard._cli.client_credentials import token_request
from m2mguard._cli.dev import serve
from m2mguard._cli.doctor import report
from m2mguard._cli.doctor.examination import examine
from m2mguard._cli.doctor.finding import Finding, Severity
from m2mguard._cli.doctor.machine_checks import SILENT
from m2mguard._cli.output import Output, output_for
from m2mguard._cli.settings import given_settings, setup
from m2mguard._server.requirement import Requirement
from m2mguard._validation import did_you_mean
from m2mguard.errors import ConfigurationError, KeysUnavailable

FINE, REFUSED, COULD_NOT_TELL = 0, 1, 3  # 2 is argparse's, for wrong usage
INTERRUPTED = 130  # as a shell says it
MAX_INPUT_CHARACTERS = 65_536
_TERMINAL_LINE = 4_095  # a terminal cuts a line that is longer, without a word


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: the arguments without the program's name; default the process's own.

    Raises:
        SystemExit: for --help and --version, with status 0, and for wrong usage, with status 2, as argparse does.
    """
    logging.getLogger("m2mguard").addHandler(SILENT)  # what it would log is on the page
    parser, commands = parsers()
    options = parser.parse_args(argv)
    command = commands[options.command]
    output = output_for(sys.stdout, os.environ)
    try:
        match options.command:
            case "explain":
                status = _explain(command, options, output)
            case "doctor":
                status = _doctor(options, output)
            case "dev":
                status = serve.run(options)
            case "token":
                status = token_command.run(output, options, os.environ)
            case "why":
                status = _why(command, options, output)
            case _:
                status = _key_sets(options, output)
    except ConfigurationError as error:
        command.error(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    return _written(output, status)


def _explain(command: argparse.ArgumentParser, options: argparse.Namespace, output: Output) -> int:
    if options.source not in ([], ["-"]):
        command.error(
            "the token is read from standard input: other processes can see the command line. Treat it as leaked."
        )
    settings = setup(options, os.environ, needs_audience=True)
    requirement = Requirement(scopes=options.scope, app_ids=options.app_id, organization=options.organization)
    found = explain.explain(_token(command), settings, requirement, at=options.at)
    if options.json:
        output.line(explanation_page.as_json(found))
    else:
        explanation_page.show(output, found)
    if found.caller is not None:
        return FINE
    return COULD_NOT_TELL if isinstance(found.error, KeysUnavailable) else REFUSED


def _doctor(options: argparse.Namespace, output: Output) -> int:
    request = None if options.app_id is None else (lambda found: token_request(options, os.environ, found))
    findings: list[Finding] = []
    section = ""
    for finding in examine(options, os.environ, request=request, progress=_progress):
        findings.append(finding)
        if not options.json:
            report.show_finding(output, finding, section=section)
            section = finding.section
    given = given_settings(options, os.environ)
    if options.json:
        output.line(report.as_json(findings, given))
    else:
        report.show_end(output, findings, given)
    return REFUSED if any(one.severity is Severity.FAULT for one in findings) else FINE


def _progress(text: str) -> None:
    """Say what takes a while, where a person is waiting."""
    if sys.stderr.isatty():
        sys.stderr.write(f"... {text}\n")


def _why(command: argparse.ArgumentParser, options: argparse.Namespace, output: Output) -> int:
    if options.markdown:
        output.line(why.as_markdown().removesuffix("\n"))
    elif options.code is None:
        why.show_codes(output)
    else:
        entries = why.entries_of(options.code)
        if not entries:
            command.error(f"there is no such code. {did_you_mean(options.code, why.codes())}")
        why.show_entries(output, entries)
    return FINE


def _key_sets(options: argparse.Namespace, output: Output) -> int:
    found = health_command.fetch_all(setup(options, os.environ, needs_audience=options.command == "health"))
    match options.command, options.json:
        case "keys", True:
            output.line(health_command.keys_as_json(found))
        case "keys", False:
            health_command.show_keys(output, found)
        case _, True:
            output.line(health_command.health_as_json(found))
        case _:
            health_command.show_health(output, found)
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


def _written(output: Output, status: int) -> int:
    try:
        sys.stdout.write(output.text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough; Python would complain of the rest when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status
