"""A secret that application and issuer share, and how it is sent (RFC 6749 section 2.3.1)."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, quote_plus

from m2mguard._authentication.proof import EndpointAuthentication, Proof, ProofRequest, ProofUnavailable
from m2mguard._validation import is_async, text
from m2mguard.errors import ConfigurationError

SecretMethod = Literal["client_secret_basic", "client_secret_post"]
"""How a secret is sent (OpenID Connect Core 1.0 section 9)."""

_BASE64 = (base64.b64encode, base64.urlsafe_b64encode)


@dataclass(frozen=True, slots=True)
class ClientSecret(EndpointAuthentication):
    """The App Secret; `client_secret=` of `TokenSource` is short for it. The repr leaves the secret out.

    Args:
        secret: the secret. Or a callable that returns it, for one that may change, such as a mounted file: it is called for each token
            request, on a thread of its own, where it may block. If it raises or returns no secret, there is no token, for the
            reason `client_secret`.
        method: "client_secret_basic" (the default), in the Authorization field, or "client_secret_post", in the body.

    Raises:
        ConfigurationError: an invalid value; the message never holds the secret.
    """

    secret: str | Callable[[], str] = field(repr=False)
    method: SecretMethod = "client_secret_basic"

    def __post_init__(self) -> None:
        if self.method not in ("client_secret_basic", "client_secret_post"):
            raise ConfigurationError(
                "client_authentication, as the method of a ClientSecret, must be 'client_secret_basic' or 'client_secret_post'. Other "
                "ways to authenticate are objects: authentication=PrivateKeyJwt(...), AssertionFile(...), Assertion(...) or MutualTls(...)."
            )
        if callable(self.secret) and is_async(self.secret):
            raise ConfigurationError(
                "client_secret must be a plain function that returns the secret, not an async one."
            )
        if not callable(self.secret):
            text("client_secret", self.secret)

    def proof(self, request: ProofRequest) -> Proof:
        """The secret of this moment, ready to be sent.

        Raises:
            ProofUnavailable: the callable raised, or returned no secret.
        """
        secret = self._current()
        pair = f"{quote_plus(request.client_id)}:{quote_plus(secret)}"  # both form-urlencoded first
        hidden = _forms(secret, pair)
        if self.method == "client_secret_basic":
            return Proof(headers={"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}, secrets=hidden)
        return Proof(parameters={"client_id": request.client_id, "client_secret": secret}, secrets=hidden)

    def _current(self) -> str:
        """An error of the callable may contain the secret, so only its type is reported."""
        if not callable(self.secret):
            return self.secret
        try:
            secret = self.secret()
        except BaseException as error:  # noqa: BLE001 - the callable is not ours, raises anything, and ours is its thread's only work
            what = f"the callable client_secret raised {type(error).__name__}; it must return the secret"
            raise ProofUnavailable("client_secret", what) from None
        try:
            return text("client_secret", secret)
        except ConfigurationError as error:
            raise ProofUnavailable("client_secret", f"what client_secret returned is invalid: {error}") from None


def _forms(secret: str, pair: str) -> frozenset[str]:
    plain = {secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret), json.dumps(secret)[1:-1]}
    encoded = [function(one.encode()).decode() for one in (secret, pair) for function in _BASE64]
    return frozenset(plain | {*encoded} | {form.rstrip("=") for form in encoded})
