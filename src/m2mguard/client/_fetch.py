"""One token request: discovery where needed, the exchange, the answer. When to ask is not decided here.

Blocks, so it runs on a flight's thread. A secret goes from the proof into the transport and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from m2mguard._authentication.mutual_tls import MutualTls
from m2mguard._authentication.proof import Client, Proof, ProofUnavailable
from m2mguard.client._dpop import DpopSender, issuer_asks_for_nonce
from m2mguard.client._errors import TokenEndpointUnavailable, TokenRequestError
from m2mguard.client._token_request import TokenTarget, encoded
from m2mguard.client._token_response import AnswerRules, Granted, SentRequest, parse_token_response
from m2mguard.net._discovery import DiscoveryFailed, Endpoint
from m2mguard.net._protocol import Response, TransportError
from m2mguard.net._runtime import Runtime

MAX_BYTES = 262_144


@dataclass(slots=True, kw_only=True)
class TokenFetcher:
    """Makes token requests for one application. Safe to share between threads.

    Attributes:
        issuer: the issuer's URL; the token endpoint's if no issuer is given.
        token_endpoint: the endpoint that was given; None to discover it by the issuer's metadata.
        client: who asks.
        rules: how the issuer answers.
        timeout_s: the longest a request may take in all, making the proof included.
        runtime: the transport and the clocks.
        dpop: makes the proofs of the application's tokens; None where they are bearer tokens.
    """

    issuer: str
    token_endpoint: str | None
    client: Client
    rules: AnswerRules
    timeout_s: float
    runtime: Runtime
    dpop: DpopSender | None = None
    _endpoint: Endpoint = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._endpoint = Endpoint(
            self.issuer,
            "token_endpoint",
            configured=self.token_endpoint,
            mutual_tls=isinstance(self.client.authentication, MutualTls),
        )

    def fetch(self, target: TokenTarget) -> Granted:
        """Ask for a token.

        Raises:
            TokenRequestRefused: the endpoint refuses.
            TokenEndpointUnavailable: no answer, or none that can be used.
        """
        try:
            return self._fetch(target, self.runtime.clocks.monotonic() + self.timeout_s)
        except TokenEndpointUnavailable:
            self._endpoint.doubt()  # it may have moved
            raise

    def _fetch(self, target: TokenTarget, deadline: float) -> Granted:
        try:
            response, proof = self._ask(target, deadline)
            if self.dpop is not None and issuer_asks_for_nonce(response.status, response.body):
                response, proof = self._ask(target, deadline)  # with new proofs: each is good once
            asked = SentRequest(target=target, client_id=self.client.client_id, proof=proof)
            return parse_token_response(response, asked, self.rules, now_s=self.runtime.clocks.wall())
        except TokenRequestError:
            raise
        except TransportError as error:
            raise TokenEndpointUnavailable(
                "no_answer", f"the token endpoint cannot be asked: {error}", problem=error.code
            ) from None
        except DiscoveryFailed as error:
            raise TokenEndpointUnavailable(
                "discovery", f"the token endpoint cannot be found: {error}", problem=error.code
            ) from None
        except Exception as error:  # noqa: BLE001 - a transport from outside may raise anything: whatever it is, there is no token
            raise TokenEndpointUnavailable(
                "no_answer", f"the transport failed ({type(error).__name__})", problem="other"
            ) from None

    def _ask(self, target: TokenTarget, deadline: float) -> tuple[Response, Proof]:
        proof = self._proof()
        url = self._endpoint.find(lambda url: self._get(url, deadline), self.runtime.clocks.ages())
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            **proof.headers,
        }
        if self.dpop is not None:
            headers["DPoP"] = self.dpop.proof("POST", url)
        response = self.runtime.transport.request(
            "POST",
            url,
            headers=headers,
            body=encoded(proof, target),
            timeout_s=self._left(deadline),
            max_bytes=MAX_BYTES,
        )
        if self.dpop is not None:
            self.dpop.note_nonce(url, response.headers.get("dpop-nonce"))
        return response, proof

    def _proof(self) -> Proof:
        try:
            return self.client.proof(issuer=self.issuer, now_s=self.runtime.clocks.wall())
        except ProofUnavailable as error:
            raise TokenEndpointUnavailable(error.reason, str(error)) from None

    def _get(self, url: str, deadline: float) -> Response:
        return self.runtime.transport.request(
            "GET",
            url,
            headers={"Accept": "application/json"},
            body=None,
            timeout_s=self._left(deadline),
            max_bytes=MAX_BYTES,
        )

    def _left(self, deadline: float) -> float:
        left = deadline - self.runtime.clocks.monotonic()
        if left <= 0:
            raise TransportError("the issuer took too long", code="timeout")
        return left
