"""Runs all checks in order, and yields each finding at once. Blocks during requests to issuers."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping

from m2mguard._authentication.assertion import AssertionFile
from m2mguard._cli.client_credentials import (
    TokenRequest,
    UnusableCredential,
    create_token_transport,
    fetch_token,
)
from m2mguard._cli.command_setup import PREFIX, CommandSetup, read_setup
from m2mguard._cli.doctor.authentication_checks import check_assertion, check_supported, report_unusable_credential
from m2mguard._cli.doctor.blocklist_checks import check_blocklist
from m2mguard._cli.doctor.credential_checks import check_fetched_token, report_missing_token
from m2mguard._cli.doctor.finding import Finding
from m2mguard._cli.doctor.introspection_checks import check_introspection
from m2mguard._cli.doctor.issuer_checks import check_issuer
from m2mguard._cli.doctor.key_checks import check_keys
from m2mguard._cli.doctor.machine_checks import check_log, check_proxy
from m2mguard._cli.doctor.route_checks import check_routes
from m2mguard._cli.doctor.settings_checks import check_settings, check_variable_names, report_invalid_settings
from m2mguard._server.environment import SETTINGS
from m2mguard.client._errors import TokenRequestError
from m2mguard.errors import AnswerableError, ConfigurationError

Progress = Callable[[str], object]


def run_all_checks(
    options: argparse.Namespace,
    environ: Mapping[str, str],
    *,
    request: Callable[[CommandSetup], TokenRequest] | None,
    progress: Progress,
) -> Iterator[Finding]:
    """Run every check.

    Args:
        options: the command's options.
        environ: the environment.
        request: makes the token request; None without `--app-id`.
        progress: called with one line of text before each slow step.
    """
    yield from check_variable_names(environ)
    known_settings = {
        name: value
        for name, value in environ.items()
        if not name.startswith(PREFIX) or name.removeprefix(PREFIX) in SETTINGS
    }
    setup: CommandSetup | None = None
    try:
        setup = read_setup(options, known_settings, needs_audience=True)
    except ConfigurationError as error:
        yield report_invalid_settings(error)
        setup = _read_setup_without_audience(options, known_settings)
    if setup is not None:
        yield from check_settings(setup)
    yield from check_proxy(environ)
    if setup is not None:
        yield from _check_issuers(setup, progress)
        if setup.settings.blocklist is not None:
            progress("reading the block list")
            yield from check_blocklist(setup.settings.blocklist, setup.settings.issuers)
    if options.app is not None:
        progress(f"importing {options.app}")
        yield from check_routes(options.app, options.open)
    yield from check_log()
    if setup is not None and request is not None:
        try:
            asked = request(setup)
        except UnusableCredential as error:
            yield report_unusable_credential(error)
            return
        yield from _check_credentials(setup, asked, progress)


def _read_setup_without_audience(options: argparse.Namespace, environ: Mapping[str, str]) -> CommandSetup | None:
    """Read the settings without an audience, so that the other checks run although it is missing; None if they are invalid."""
    try:
        return read_setup(options, environ, needs_audience=False)
    except ConfigurationError:
        return None


def _check_issuers(setup: CommandSetup, progress: Progress) -> Iterator[Finding]:
    settings = setup.settings
    for issuer in settings.issuers:
        progress(f"asking {issuer.url} for its keys, for at most {setup.max_fetch_s:g} s")
        server, transport = setup.create_server(issuer)
        [health] = server.warm_up(setup.max_fetch_s).issuers
        exchanges = transport.exchanges
        yield from check_issuer(
            issuer, health, exchanges, max_wait_s=settings.caching.max_wait, leeway_s=settings.leeway
        )
        yield from check_keys(issuer, health, exchanges)
        if issuer.introspection is not None:
            progress(f"asking {issuer.url} about a made-up token, for at most {issuer.introspection.timeout:g} s")
            yield from check_introspection(issuer, server, exchanges)


def _check_credentials(setup: CommandSetup, request: TokenRequest, progress: Progress) -> Iterator[Finding]:
    issuer, way = setup.settings.issuers[0], request.authentication
    if isinstance(way, AssertionFile):
        findings = list(check_assertion(way, issuer.names, request.token_endpoint, now=time.time()))
        yield from findings
        if any(one.code == "assertion_file" for one in findings):
            return
    progress(f"asking {issuer.url} for a token")
    transport = create_token_transport(request, setup)
    try:
        token = fetch_token(request, issuer, transport)
    except TokenRequestError as error:
        yield from check_supported(way, issuer.url, transport.exchanges)
        yield report_missing_token(error)
        return
    yield from check_supported(way, issuer.url, transport.exchanges)
    server, _ = setup.create_server()
    refusal: AnswerableError | None = None
    try:
        server.verify(token.value)
    except AnswerableError as error:
        refusal = error
    yield from check_fetched_token(request.app_id, refusal, token.scopes, request.scopes)
