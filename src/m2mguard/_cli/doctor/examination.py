"""One examination: every check in its order, each finding as soon as it is there. Blocks while issuers are asked."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping

from m2mguard._cli.client_credentials import TokenRequest, fetch_token
from m2mguard._cli.doctor.credential_checks import token_judged, token_refused
from m2mguard._cli.doctor.finding import Finding
from m2mguard._cli.doctor.issuer_checks import check_issuer
from m2mguard._cli.doctor.key_checks import check_keys
from m2mguard._cli.doctor.machine_checks import check_log, check_proxy
from m2mguard._cli.doctor.route_checks import check_routes
from m2mguard._cli.doctor.settings_checks import check_names, check_settings, settings_refused
from m2mguard._cli.settings import PREFIX, Setup, setup
from m2mguard._server.environment import SETTINGS
from m2mguard.client._errors import TokenRequestError
from m2mguard.errors import AnswerableError, ConfigurationError

Say = Callable[[str], object]


def examine(
    options: argparse.Namespace,
    environ: Mapping[str, str],
    *,
    request: Callable[[Setup], TokenRequest] | None,
    progress: Say,
) -> Iterator[Finding]:
    """Make every check.

    Args:
        options: the command's options.
        environ: the environment.
        request: makes the token request, or None where no application was named.
        progress: called with what is being done, one line at a time.
    """
    yield from check_names(environ)
    known = {
        name: value
        for name, value in environ.items()
        if not name.startswith(PREFIX) or name.removeprefix(PREFIX) in SETTINGS
    }
    found: Setup | None = None
    try:
        found = setup(options, known, needs_audience=True)
    except ConfigurationError as error:
        yield settings_refused(error)
        found = _without_audience(options, known)
    if found is not None:
        yield from check_settings(found)
    yield from check_proxy(environ)
    if found is not None:
        yield from _issuers(found, progress)
    if options.app is not None:
        progress(f"importing {options.app}")
        yield from check_routes(options.app, options.open)
    yield from check_log()
    if found is not None and request is not None:
        yield from _credentials(found, request(found), progress)


def _without_audience(options: argparse.Namespace, environ: Mapping[str, str]) -> Setup | None:
    """The settings as far as they say how to ask the issuer, so that everything else is examined in the same run."""
    try:
        return setup(options, environ, needs_audience=False)
    except ConfigurationError:
        return None


def _issuers(found: Setup, progress: Say) -> Iterator[Finding]:
    settings = found.settings
    for issuer in settings.issuers:
        progress(f"asking {issuer.url} for its keys, for at most {found.longest_wait_s:g} s")
        server, transport = found.server(issuer)
        [health] = server.warm_up(found.longest_wait_s).issuers
        exchanges = transport.exchanges
        yield from check_issuer(
            issuer, health, exchanges, max_wait_s=settings.caching.max_wait, leeway_s=settings.leeway
        )
        yield from check_keys(issuer, health, exchanges)


def _credentials(found: Setup, request: TokenRequest, progress: Say) -> Iterator[Finding]:
    issuer = found.settings.issuers[0]
    progress(f"asking {issuer.url} for a token")
    server, transport = found.server()
    try:
        token = fetch_token(request, issuer, transport)
    except TokenRequestError as error:
        yield token_refused(error)
        return
    refusal: AnswerableError | None = None
    try:
        server.verify(token.value)
    except AnswerableError as error:
        refusal = error
    yield from token_judged(request.app_id, refusal, token.scopes, request.scopes)
