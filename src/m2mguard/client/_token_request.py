"""What a token request asks for: which token, and the body that says so (RFC 6749 section 4.4, RFC 8707). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from m2mguard._authentication.proof import Proof
from m2mguard._validation import split_url, strings
from m2mguard.errors import ConfigurationError

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 section 3.3
_OWN_PARAMETERS = frozenset(("grant_type", "resource", "scope", "organization_id")).union(
    (
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
        "subject_token",
        "subject_token_type",
        "requested_token_type",
    )
)


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
    parts = None if resource is None else split_url(resource)
    if resource is not None and (parts is None or not parts.scheme):
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


def encoded(proof: Proof, target: TokenTarget) -> bytes:
    """The body of the token request."""
    return urlencode({**target.form(), **proof.parameters}).encode()
