"""`m2mguard token`: get an access token with client credentials, and print it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from m2mguard._cli.client_credentials import fetch_token, token_request
from m2mguard._cli.doctor.credential_checks import token_refused
from m2mguard._cli.output import Output, Status
from m2mguard._cli.recording_transport import RecordingTransport
from m2mguard._cli.settings import setup
from m2mguard._formatting import moment
from m2mguard.client._errors import TokenRequestError, TokenRequestRefused
from m2mguard.net._transport import plain_http_origins, transport_for

_HERE, _REFUSED, _COULD_NOT_ASK = 0, 1, 3


def run(output: Output, options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Get the token, put it on the page, and return the exit status. Blocks for at most ten seconds."""
    found = setup(options, environ, needs_audience=False)
    issuer = found.settings.issuers[0]
    transport = RecordingTransport(
        transport_for(
            found.settings.transport,
            http_origins=plain_http_origins(issuer.url, issuer.jwks_uri) if issuer.allow_http else (),
            connect_timeout=found.settings.caching.connect_timeout,
        )
    )
    try:
        token = fetch_token(token_request(options, environ, found), issuer, transport)
    except TokenRequestError as error:
        finding = token_refused(error)
        output.row(Status.REFUSED, "no token", f"{error.reason}: {finding.text}")
        output.row(Status.NONE, "what to do", finding.cure)
        return _REFUSED if isinstance(error, TokenRequestRefused) else _COULD_NOT_ASK
    if options.json:
        told = {"access_token": token.value, "scopes": sorted(token.scopes), "expires": moment(token.expires_at)}
        output.line(json.dumps(told, indent=2))
    else:
        output.line(token.value)
    return _HERE
