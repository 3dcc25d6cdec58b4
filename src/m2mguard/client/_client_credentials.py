"""Who asks for a token: the client's id and secret, and how they are sent (RFC 6749 section 2.3.1). No I/O of its own."""

from __future__ import annotations

import base64
import html
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, quote_plus

from m2mguard.errors import ConfigurationError

ClientAuthentication = Literal["client_secret_basic", "client_secret_post"]
"""How an application proves who it is (OpenID Connect Core 1.0 section 9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """The application's id and secret, and how they are sent. The repr leaves the secret out."""

    client_id: str
    client_secret: str = field(repr=False)
    authentication: ClientAuthentication = "client_secret_basic"

    def __post_init__(self) -> None:
        for setting, value in (("client_id", self.client_id), ("client_secret", self.client_secret)):
            if not isinstance(value, str) or not value:
                raise ConfigurationError(f"{setting} must be a non-empty string.")
            if value != value.strip():
                raise ConfigurationError(f"{setting} has white space around it, such as the line break of a file.")
        if self.authentication not in ("client_secret_basic", "client_secret_post"):
            raise ConfigurationError(
                "client_authentication must be 'client_secret_basic' or 'client_secret_post'; others are not supported."
            )

    def headers(self) -> dict[str, str]:
        """The header fields that carry them: Basic, with both form-urlencoded first (RFC 6749 section 2.3.1)."""
        if self.authentication == "client_secret_post":
            return {}
        return {"Authorization": f"Basic {base64.b64encode(self._pair().encode()).decode()}"}

    def parameters(self) -> dict[str, str]:
        """The form parameters that carry them."""
        if self.authentication == "client_secret_basic":
            return {}
        return {"client_id": self.client_id, "client_secret": self.client_secret}

    def secrets(self) -> frozenset[str]:
        """The secret in every form in which an endpoint could send it back."""
        secret = self.client_secret
        plain = {secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret), json.dumps(secret)[1:-1]}
        encoded = [function(text.encode()).decode() for text in (secret, self._pair()) for function in _BASE64]
        return frozenset(plain | {*encoded} | {form.rstrip("=") for form in encoded})

    def _pair(self) -> str:
        return f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"


_BASE64 = (base64.b64encode, base64.urlsafe_b64encode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The application that asks: as `ClientCredentials`, but the secret may be a callable that returns the current one.

    Raises:
        ConfigurationError: an invalid value.
    """

    client_id: str
    client_secret: str | Callable[[], str] = field(repr=False)
    authentication: ClientAuthentication = "client_secret_basic"

    def __post_init__(self) -> None:
        if inspect.iscoroutinefunction(self.client_secret):
            raise ConfigurationError(
                "client_secret must be a plain function that returns the secret, not an async one."
            )
        self.credentials("to be read later" if callable(self.client_secret) else self.client_secret)

    def current_secret(self) -> str:
        """The secret of this moment. A callable may block here, and may raise anything."""
        return self.client_secret() if callable(self.client_secret) else self.client_secret

    def credentials(self, secret: str) -> ClientCredentials:
        """The credentials with this secret.

        Raises:
            ConfigurationError: it cannot be a secret.
        """
        return ClientCredentials(client_id=self.client_id, client_secret=secret, authentication=self.authentication)
