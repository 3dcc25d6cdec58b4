"""The command `m2mguard`: parses options, runs the command, writes its output and returns an exit status."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import logging
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from m2mguard._cli import health_command, why_command, why_page
from m2mguard._cli.arguments import create_parsers
from m2mguard._cli.block.block_command import run_block_command
from m2mguard._cli.certificate_file import read_certificate
from m2mguard._cli.client_credentials import read_token_request
from m2mguard._cli.command_setup import collect_settings, read_setup
from m2mguard._cli.dev.dev_command import run_dev_command
from m2mguard._cli.doctor.all_checks import run_all_checks
from m2mguard._cli.doctor.doctor_output import format_findings_json, show_diagnosis, show_finding
from m2mguard._cli.doctor.finding import Finding, Severity
from m2mguard._cli.doctor.machine_checks import QUIET_HANDLER
from m2mguard._cli.explain import explain
from m2mguard._cli.explanation_output import format_explanation_json, show_explanation
from m2mguard._cli.forward_auth.forward_auth_command import run_forward_auth_command
from m2mguard._cli.output import Output, create_output
from m2mguard._cli.pasted.pasted_reader import MAX_PASTED_CHARACTERS
from m2mguard._cli.token_command import run_token_command
from m2mguard._server.requirement import Requirement
from m2mguard._validation import did_you_mean
from m2mguard.errors import ConfigurationError, KeysUnavailable

EXIT_OK, EXIT_REFUSED, EXIT_KEYS_UNAVAILABLE = 0, 1, 3  # argparse exits with 2 for wrong usage
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as in a shell
_TERMINAL_LINE = 4_095  # a terminal cuts a longer line without an error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: the arguments without the program's name; default the process's own.

    Raises:
        SystemExit: for --help and --version, with status 0, and for wrong usage, with status 2, as argparse does.
    """
    parser, commands = create_parsers()
    options = parser.parse_args(argv)
    if options.command != "forward-auth":
        logging.getLogger("m2mguard").addHandler(QUIET_HANDLER)  # the output of the command already shows it
    command = commands[options.command]
    output, errors = create_output(sys.stdout, os.environ), create_output(sys.stderr, os.environ)
    try:
        match options.command:
            case "dev":
                status = run_dev_command(options)
            case "forward-auth":
                status = run_forward_auth_command(options, os.environ)
            case _:
                with contextlib.redirect_stdout(sys.stderr):  # what the code of --app prints is not our output
                    status = _run_command(command, options, output, errors)
    except ConfigurationError as error:
        command.error(str(error))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    _write_output(errors, sys.stderr)
    _write_output(output, sys.stdout)
    return status


def _run_command(command: argparse.ArgumentParser, options: argparse.Namespace, output: Output, errors: Output) -> int:
    match options.command:
        case "explain":
            return _run_explain(command, options, output)
        case "doctor":
            return _run_doctor(options, output)
        case "block":
            return run_block_command(output, options, os.environ)
        case "token":
            return run_token_command(output, errors, options, os.environ)
        case "why":
            return _run_why(command, options, output)
        case _:
            return _run_key_command(options, output)


def _run_explain(command: argparse.ArgumentParser, options: argparse.Namespace, output: Output) -> int:
    if options.source not in ([], ["-"]):
        command.error(
            "the token is read from standard input: other processes can see the command line. Treat it as leaked."
        )
    settings = read_setup(options, os.environ, needs_audience=True)
    requirement = Requirement(
        scopes=options.scope,
        app_ids=options.app_id,
        organization=options.organization,
        max_age=options.max_age,
        acr=options.acr,
    )
    certificate = None if options.certificate is None else read_certificate(options.certificate)
    found = explain(_read_token(command), settings, requirement, at=options.at, certificate=certificate)
    if options.json:
        output.line(format_explanation_json(found))
    else:
        show_explanation(output, found)
    if found.caller is not None:
        return EXIT_OK
    return EXIT_KEYS_UNAVAILABLE if isinstance(found.error, KeysUnavailable) else EXIT_REFUSED


def _run_doctor(options: argparse.Namespace, output: Output) -> int:
    request = None if options.app_id is None else (lambda setup: read_token_request(options, os.environ, setup))
    findings: list[Finding] = []
    section = ""
    for finding in run_all_checks(options, os.environ, request=request, progress=_show_progress):
        findings.append(finding)
        if not options.json:
            show_finding(output, finding, section=section)
            section = finding.section
    given = collect_settings(options, os.environ if options.app is None else {})  # code has settings of its own
    if options.json:
        output.line(format_findings_json(findings, given))
    else:
        show_diagnosis(output, findings, given, app=options.app)
    return EXIT_REFUSED if any(one.severity is Severity.FAULT for one in findings) else EXIT_OK


def _show_progress(text: str) -> None:
    """Show progress on standard error if it is a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"... {text}\n")


def _run_why(command: argparse.ArgumentParser, options: argparse.Namespace, output: Output) -> int:
    if options.markdown:
        output.line(why_page.format_markdown().removesuffix("\n"))
    elif options.code is None:
        why_command.show_codes(output)
    else:
        entries, group = why_command.find_entries(options.code), why_command.find_group(options.code)
        if group:
            why_command.show_group(output, options.code, group)
        elif not entries:
            command.error(f"there is no such code. {did_you_mean(options.code, why_command.list_codes())}")
        why_command.show_entries(output, entries)
    return EXIT_OK


def _run_key_command(options: argparse.Namespace, output: Output) -> int:
    found = health_command.fetch_all(read_setup(options, os.environ, needs_audience=options.command == "health"))
    match options.command, options.json:
        case "keys", True:
            output.line(health_command.format_keys_json(found))
        case "keys", False:
            health_command.show_keys(output, found)
        case _, True:
            output.line(health_command.format_health_json(found))
        case _:
            health_command.show_health(output, found)
    return EXIT_OK if all(one.health.ready for one in found) else EXIT_KEYS_UNAVAILABLE


def _read_token(command: argparse.ArgumentParser) -> str | bytes:
    """Read the token from a pipe, a file, or a prompt that does not show it."""
    text: str | bytes = ""
    try:
        if sys.stdin.isatty():
            text = getpass.getpass("Token (it will not be shown): ")
            if len(text) >= _TERMINAL_LINE:
                command.error("a terminal cuts lines as long as this token; use a pipe or a file instead.")
        else:
            # read bytes: a file may be UTF-16, which a text stream rejects
            stream = getattr(sys.stdin, "buffer", sys.stdin)
            text = stream.read(MAX_PASTED_CHARACTERS + 1)
    except EOFError:
        pass
    if not text.strip():
        command.error("no token came in on standard input.")
    if len(text) > MAX_PASTED_CHARACTERS:
        command.error(f"more than {MAX_PASTED_CHARACTERS:,} characters came in, so this is not a token.")
    return text


def _write_output(output: Output, stream: TextIO) -> None:
    encoding = stream.encoding or "utf-8"
    text = output.text.encode(encoding, "backslashreplace").decode(encoding)  # an argument need not be text
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:  # the reader closed the pipe; without this, Python prints an error at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
