"""Another token in exchange for one that the platform gave (RFC 8693): the grant, and who asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from m2mguard._authentication.assertion import Assertion, AssertionFile, secrets_of
from m2mguard._authentication.private_key import PrivateKeyJwt
from m2mguard._authentication.proof import Proof, ProofRequest
from m2mguard._authentication.secret import ClientSecret
from m2mguard._validation import text
from m2mguard.errors import ConfigurationError

GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_TYPE: Final = "urn:ietf:params:oauth:token-type:jwt"


@dataclass(frozen=True, slots=True)
class TokenExchange:
    """Exchanges a token of the platform for one of the issuer: `authentication=TokenExchange(AssertionFile(path), ClientSecret(secret))`.

    Each token request carries the token of that moment and asks by the grant of RFC 8693 instead of `client_credentials`. An answer whose
    `issued_token_type` is no access token's is not used.

    Args:
        subject: the token that is exchanged, read or fetched for each token request.
        client: how the application itself authenticates, if the issuer asks for that: `ClientSecret` or `PrivateKeyJwt`. Default None: no
            client id is sent either.
        subject_token_type: what the token is (RFC 8693 section 3). Default "urn:ietf:params:oauth:token-type:jwt".
        requested_token_type: what is asked for. Default None: the issuer decides, in general on an access token.

    Raises:
        ConfigurationError: an invalid value.
    """

    subject: AssertionFile | Assertion
    client: ClientSecret | PrivateKeyJwt | None = None
    subject_token_type: str = JWT_TYPE
    requested_token_type: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.subject, AssertionFile | Assertion):
            raise ConfigurationError("subject must be an AssertionFile or an Assertion of m2mguard.client.")
        if not isinstance(self.client, ClientSecret | PrivateKeyJwt | None):
            raise ConfigurationError("client must be a ClientSecret or a PrivateKeyJwt of m2mguard.client, or None.")
        text("subject_token_type", self.subject_token_type)
        if self.requested_token_type is not None:
            text("requested_token_type", self.requested_token_type)

    def proof(self, request: ProofRequest) -> Proof:
        """The token of this moment, and what proves who asks."""
        token = self.subject.token()
        ours = Proof() if self.client is None else self.client.proof(request)
        wanted = {} if self.requested_token_type is None else {"requested_token_type": self.requested_token_type}
        exchange = {"grant_type": GRANT, "subject_token": token, "subject_token_type": self.subject_token_type}
        return Proof(
            headers=ours.headers,
            parameters={**ours.parameters, **exchange, **wanted},
            secrets=ours.secrets | secrets_of(token),
        )
