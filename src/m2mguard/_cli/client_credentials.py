"""Client credentials for a command: options, how the application proves who it is, and the token request to the issuer."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from m2mguard._authentication.assertion import AssertionFile
from m2mguard._authentication.choice import ClientAuthentication
from m2mguard._authentication.mutual_tls import MutualTls
from m2mguard._authentication.private_key import PrivateKeyJwt
from m2mguard._authentication.secret import ClientSecret
from m2mguard._cli.command_setup import NO_AUDIENCE, CommandSetup
from m2mguard._cli.recording_transport import RecordingTransport
from m2mguard.client._access_token import AccessToken
from m2mguard.client._token_source import TokenSource
from m2mguard.errors import ConfigurationError
from m2mguard.issuer import Issuer
from m2mguard.net._protocol import Transport
from m2mguard.net._transport import plain_http_origins, transport_for

MAX_SECRET_BYTES = 4_096
_TIMEOUT_S = 10.0


class UnusableCredential(ConfigurationError):
    """A key or a certificate that cannot be used. The message holds nothing of it.

    Attributes:
        code: "client_key" or "client_certificate".
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """The token request of a command.

    Attributes:
        app_id: the App ID of the application.
        authentication: how it proves who it is: its App Secret, a key, an assertion, or a certificate.
        resource: the API identifier to request a token for, or None to use `parameters` only.
        scopes: the scopes to request.
        organization_id: the Logto organization, or None.
        parameters: further form parameters.
        token_endpoint: its URL, or None to find it by discovery.
    """

    app_id: str
    authentication: ClientAuthentication = field(repr=False)
    resource: str | None = None
    scopes: tuple[str, ...] = ()
    organization_id: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    token_endpoint: str | None = None


def add_client_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the options that name an application and its secret."""
    parser.add_argument("--app-id", metavar="ID", required=required, help="the App ID (client id) to get a token for")
    parser.add_argument(
        "--secret-variable",
        metavar="NAME",
        help="the environment variable with the App Secret; default: a prompt at the terminal",
    )
    parser.add_argument("--secret-file", metavar="FILE", help="the file with the App Secret")
    parser.add_argument("--key-file", metavar="FILE", help="instead of a secret: the PEM file of a private key")
    parser.add_argument("--key-id", metavar="KID", help="the id by which the issuer finds the public key of --key-file")
    parser.add_argument(
        "--assertion-file",
        metavar="FILE",
        help="instead of a secret: the file into which the platform writes an assertion",
    )
    parser.add_argument(
        "--tls-certificate-file",
        metavar="FILE",
        help="instead of a secret: the PEM file of a client certificate, which the issuer knows",
    )
    parser.add_argument(
        "--tls-key-file", metavar="FILE", help="the private key of --tls-certificate-file; default: in the same file"
    )
    parser.add_argument("--app-secret", "--client-secret", "--secret", dest="leaked_secret", help=argparse.SUPPRESS)
    parser.add_argument(
        "--resource", metavar="API", help="the API identifier to request the token for; default: the audience"
    )
    parser.add_argument("--scope", action="append", default=[], help="a scope to request; may be repeated")
    parser.add_argument("--organization", metavar="ID", help="the Logto organization to request the token for")
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a further parameter of the token request, such as audience=https://shopping.api; may be repeated",
    )
    parser.add_argument("--token-endpoint", metavar="URL", help="the token endpoint; default: found by discovery")


def read_token_request(options: argparse.Namespace, environ: Mapping[str, str], setup: CommandSetup) -> TokenRequest:
    """Read the options, and the secret from its variable, its file or the prompt.

    Raises:
        ConfigurationError: there is no secret, or it is on the command line.
        UnusableCredential: a key or a certificate cannot be used.
    """
    audiences = [one for one in setup.settings.audience if one != NO_AUDIENCE]
    parameters = dict(_split_parameter(text) for text in options.parameter)
    return TokenRequest(
        app_id=options.app_id,
        authentication=_read_authentication(options, environ),
        resource=options.resource or (audiences[0] if audiences and not parameters else None),
        scopes=tuple(options.scope),
        organization_id=options.organization,
        parameters=parameters,
        token_endpoint=options.token_endpoint,
    )


def create_token_transport(request: TokenRequest, setup: CommandSetup) -> RecordingTransport:
    """Create the transport of a token request: with the client certificate, if the application has one."""
    issuer, way = setup.settings.issuers[0], request.authentication
    http_origins = plain_http_origins(issuer.url, issuer.jwks_uri) if issuer.allow_http else ()
    connect_timeout = setup.settings.caching.connect_timeout
    if isinstance(way, MutualTls):
        return RecordingTransport(way.transport(http_origins=http_origins, connect_timeout=connect_timeout))
    given = setup.settings.transport
    return RecordingTransport(transport_for(given, http_origins=http_origins, connect_timeout=connect_timeout))


def fetch_token(request: TokenRequest, issuer: Issuer, transport: Transport) -> AccessToken:
    """Get the token. Blocks for at most ten seconds.

    Raises:
        TokenRequestError: the issuer issued no token; the error's codes say why.
        ConfigurationError: an invalid value.
    """
    requested = {"resource": request.resource, "scopes": request.scopes, "organization_id": request.organization_id}
    transport_options = {"timeout": _TIMEOUT_S, "transport": transport, "allow_http": issuer.allow_http}
    way = request.authentication
    is_plain = not request.parameters and request.token_endpoint is None
    if _is_logto(issuer) and is_plain and isinstance(way, ClientSecret):
        endpoint = issuer.url.removesuffix("/oidc")
        return TokenSource.logto(endpoint, request.app_id, way.secret, **requested, **transport_options).token()  # type: ignore[arg-type]
    source = TokenSource(
        issuer.url,
        client_id=request.app_id,
        authentication=way,
        token_endpoint=request.token_endpoint,
        parameters=request.parameters,
        **requested,  # type: ignore[arg-type]
        **transport_options,  # type: ignore[arg-type]
    )
    return source.token()


def _is_logto(issuer: Issuer) -> bool:
    return issuer.organization_claim is not None and issuer.url.endswith("/oidc")


def _read_authentication(options: argparse.Namespace, environ: Mapping[str, str]) -> ClientAuthentication:
    ways = {
        "--secret-variable": options.secret_variable,
        "--secret-file": options.secret_file,
        "--key-file": options.key_file,
        "--assertion-file": options.assertion_file,
        "--tls-certificate-file": options.tls_certificate_file,
    }
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1:
        raise ConfigurationError(f"{' and '.join(given)}: give one of them.")
    if options.key_id is not None and options.key_file is None:
        raise ConfigurationError("--key-id has no effect without --key-file.")
    if options.tls_key_file is not None and options.tls_certificate_file is None:
        raise ConfigurationError("--tls-key-file has no effect without --tls-certificate-file.")
    if options.key_file is not None:
        try:
            return PrivateKeyJwt(options.key_file, key_id=options.key_id)
        except ConfigurationError as error:
            raise UnusableCredential("client_key", f"--key-file: {error}") from None
    if options.tls_certificate_file is not None:
        try:
            return MutualTls(options.tls_certificate_file, options.tls_key_file)
        except ConfigurationError as error:
            raise UnusableCredential("client_certificate", f"--tls-certificate-file: {error}") from None
    if options.assertion_file is not None:
        return AssertionFile(options.assertion_file)
    return ClientSecret(_read_secret(options, environ))


def _read_secret(options: argparse.Namespace, environ: Mapping[str, str]) -> str:
    if options.leaked_secret is not None:
        raise ConfigurationError(
            "a secret on the command line can be seen by other processes and stays in the shell's history: replace it "
            "at the issuer, and give the new one by --secret-variable, --secret-file or at the prompt."
        )
    if options.secret_variable is not None:
        secret = environ.get(options.secret_variable, "")
        if not secret:
            raise ConfigurationError(f"--secret-variable: the variable {options.secret_variable} is not set.")
        return secret
    if options.secret_file is not None:
        return _read_secret_file(options.secret_file)
    if sys.stdin.isatty():
        return getpass.getpass(f"App Secret of {options.app_id} (it will not be shown): ").strip()
    raise ConfigurationError("give the App Secret by --secret-variable NAME or --secret-file FILE.")


def _read_secret_file(name: str) -> str:
    try:
        with Path(name).open("rb") as file:
            secret = file.read(MAX_SECRET_BYTES).decode().strip()
    except UnicodeDecodeError:
        raise ConfigurationError("--secret-file: the file is not text.") from None
    except OSError as error:
        raise ConfigurationError(f"--secret-file: the file cannot be read: {os.strerror(error.errno or 0)}.") from None
    if not secret:
        raise ConfigurationError("--secret-file: the file is empty.")
    return secret


def _split_parameter(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ConfigurationError("--parameter: give NAME=VALUE.")
    return name, value
