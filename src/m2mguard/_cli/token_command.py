"""`m2mguard token`: get an access token with client credentials, and print it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from m2mguard._cli.client_credentials import create_token_transport, fetch_token, read_token_request
from m2mguard._cli.command_setup import read_setup
from m2mguard._cli.doctor.credential_checks import report_missing_token
from m2mguard._cli.output import Output, Status
from m2mguard._formatting import format_time
from m2mguard.client._errors import TokenRequestError, TokenRequestRefused

_EXIT_OK, _EXIT_REFUSED, _EXIT_NO_ANSWER = 0, 1, 3


def run_token_command(output: Output, errors: Output, options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Get the token, and return the exit status. Blocks for at most ten seconds.

    Args:
        output: gets the token, and nothing else: a shell reads it with `TOKEN=$(m2mguard token ...)`.
        errors: gets why there is no token.
        options: the options of the command.
        environ: the environment, for settings and the App Secret.
    """
    setup = read_setup(options, environ, needs_audience=False)
    request = read_token_request(options, environ, setup)
    try:
        token = fetch_token(request, setup.settings.issuers[0], create_token_transport(request, setup))
    except TokenRequestError as error:
        finding = report_missing_token(error)
        errors.row(Status.REFUSED, "no token", f"{error.reason}: {finding.text}")
        errors.row(Status.NONE, "what to do", finding.cure)
        return _EXIT_REFUSED if isinstance(error, TokenRequestRefused) else _EXIT_NO_ANSWER
    if options.json:
        document = {
            "access_token": token.value,
            "scopes": sorted(token.scopes),
            "expires": format_time(token.expires_at),
        }
        output.line(json.dumps(document, indent=2))
    else:
        output.line(token.value)
    return _EXIT_OK
