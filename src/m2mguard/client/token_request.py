"""What a token request says: who asks, and for which token (RFC 6749 sections 2.3.1 and 4.4, RFC 8707). Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote_plus, urlencode, urlsplit

from m2mguard.configuration import strings
from m2mguard.errors import ConfigurationError

ClientAuthentication = Literal["client_secret_basic", "client_secret_post"]
"""How an application proves who it is (OpenID Connect Core 1.0 section 9)."""

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 section 3.3
_OWN_PARAMETERS = frozenset(
    ("grant_type", "client_id", "client_secret", "resource", "scope", "organization_id", "client_assertion")
)


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
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def parameters(self) -> dict[str, str]:
        """The form parameters that carry them."""
        if self.authentication == "client_secret_basic":
            return {}
        return {"client_id": self.client_id, "client_secret": self.client_secret}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTarget:
    """Everything that shapes a token besides who asks: equal targets get the same token. Hashable."""

    resource: str | None = None
    scopes: tuple[str, ...] = ()
    organization_id: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()

    def form(self) -> dict[str, str]:
        """The form parameters of a client credentials request for this token (RFC 6749 section 4.4.2, RFC 8707 section 2)."""
        named = {"resource": self.resource, "scope": " ".join(self.scopes), "organization_id": self.organization_id}
        given = {name: value for name, value in named.items() if value}
        return {"grant_type": "client_credentials", **given, **dict(self.parameters)}


def token_target(
    resource: object, scopes: object, organization_id: object, parameters: Mapping[str, str] | None
) -> TokenTarget:
    """Check what a user asks for. Raises ConfigurationError with what to change."""
    if resource is not None and (not isinstance(resource, str) or resource != resource.strip() or "#" in resource):
        raise ConfigurationError("resource must be the API identifier: one URI without white space or a fragment.")
    if isinstance(resource, str) and not urlsplit(resource).scheme:
        raise ConfigurationError("resource must be an absolute URI, such as https://shopping.api (RFC 8707 section 2).")
    names = strings("scopes", scopes, what="scopes")
    if not all(_SCOPE.fullmatch(name) for name in names):
        raise ConfigurationError("scopes: a scope is a word of printable ASCII; give several as several list members.")
    if organization_id is not None and (not isinstance(organization_id, str) or not organization_id.strip()):
        raise ConfigurationError("organization_id must be a non-empty string, or None.")
    return TokenTarget(
        resource=resource,
        scopes=tuple(sorted(set(names))),
        organization_id=organization_id,
        parameters=_parameters({} if parameters is None else parameters),
    )


def _parameters(parameters: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    if not isinstance(parameters, Mapping) or not all(
        isinstance(part, str) for item in parameters.items() for part in item
    ):
        raise ConfigurationError(
            "parameters must map names to strings: parameters={'audience': 'https://shopping.api'}."
        )
    own = sorted(_OWN_PARAMETERS & parameters.keys())
    if own:
        raise ConfigurationError(f"parameters: {', '.join(own)} cannot be given there; each has its own argument.")
    return tuple(sorted(parameters.items()))


def encoded(credentials: ClientCredentials, target: TokenTarget) -> bytes:
    """The body of the token request."""
    return urlencode({**target.form(), **credentials.parameters()}).encode()
