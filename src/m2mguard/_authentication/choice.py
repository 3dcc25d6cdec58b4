"""The ways that a `TokenSource` takes, and which of them its arguments mean."""

from __future__ import annotations

from collections.abc import Callable

from m2mguard._authentication.assertion import Assertion, AssertionFile
from m2mguard._authentication.exchange import TokenExchange
from m2mguard._authentication.mutual_tls import MutualTls
from m2mguard._authentication.private_key import PrivateKeyJwt
from m2mguard._authentication.secret import ClientSecret, SecretMethod
from m2mguard.errors import ConfigurationError

ClientAuthentication = ClientSecret | PrivateKeyJwt | Assertion | AssertionFile | MutualTls | TokenExchange


def choose_authentication(
    secret: str | Callable[[], str] | None, method: SecretMethod, authentication: ClientAuthentication | None
) -> ClientAuthentication:
    """The way that was given: a secret, or an object.

    Raises:
        ConfigurationError: none, or both.
    """
    if authentication is None:
        if secret is None:
            raise ConfigurationError(
                "client_secret is missing; or give authentication=PrivateKeyJwt(...), AssertionFile(...), Assertion(...) or "
                "MutualTls(...)."
            )
        return ClientSecret(secret, method)
    if secret is not None or method != "client_secret_basic":
        raise ConfigurationError("give client_secret or authentication, and not both.")
    if not isinstance(authentication, ClientAuthentication):
        raise ConfigurationError(
            "authentication must be a ClientSecret, PrivateKeyJwt, AssertionFile, Assertion, MutualTls or TokenExchange of "
            "m2mguard.client."
        )
    return authentication
