"""One question to the introspection endpoint: discovery where needed, the exchange, the answer. Decides nothing about when.

Blocks, so it runs on a flight's thread. Token and secret go into the transport and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

from m2mguard._authentication.proof import Client, ProofUnavailable
from m2mguard._introspection.answer import JSON, SIGNED, Members, active_members, document_of, members_of
from m2mguard._introspection.endpoint_search import EndpointSearch, cannot_be_asked
from m2mguard._introspection.introspection import Introspection
from m2mguard._introspection.signed_answer import SignedAnswers
from m2mguard._keys.fetch import FetchFailed
from m2mguard._reasons.codes import FetchProblem
from m2mguard.net._discovery import DiscoveryFailed, Endpoint
from m2mguard.net._protocol import Response, TransportError
from m2mguard.net._retry_after import retry_after_s
from m2mguard.net._runtime import Runtime

MAX_BYTES = 65_536
_LEAVE_ALONE = (429, 503)  # RFC 6585 section 4, RFC 9110 section 15.6.4: of the endpoint, not of one token
_MAX_RETRY_AFTER_S = 60.0  # there is nothing old to serve in the meantime
_MAX_METADATA_BYTES = 262_144


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks one issuer about tokens. Immutable and safe to share between threads.

    Attributes:
        issuer: the issuer's URL.
        settings: whom we ask as, and where.
        signed: verifies signed answers; None for plain ones.
        runtime: the transport and the clocks.
    """

    issuer: str
    settings: Introspection
    signed: SignedAnswers | None
    runtime: Runtime
    _client: Client = field(init=False, repr=False)
    _endpoint: EndpointSearch = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ours = self.settings
        object.__setattr__(self, "_client", Client(client_id=ours.client_id, authentication=ours.authentication))
        # never the one for certificates, which may have another origin: what is sent there is a token (RFC 8705 section 5)
        endpoint = Endpoint(self.issuer, "introspection_endpoint", configured=ours.endpoint)
        object.__setattr__(self, "_endpoint", EndpointSearch(endpoint))

    def after_fork(self) -> None:
        """A child process has none of the parent's threads."""
        self._endpoint.after_fork()

    def ask(self, token: bytes) -> Members | None:
        """Ask about a token, within `timeout` seconds in all: the answer's members if it is active, None if it is not.

        Raises:
            FetchFailed: we could not tell.
        """
        try:
            return self._ask(token)
        except FetchFailed as error:
            if error.failure.problem != "introspection_credentials":
                self._endpoint.doubt()  # it may have moved
            raise
        except (TransportError, DiscoveryFailed) as error:
            self._endpoint.doubt()
            problem: FetchProblem = error.code
            detail = cannot_be_asked(error)
        except ProofUnavailable as error:
            problem, detail = "introspection_proof", str(error)
        except Exception as error:  # noqa: BLE001 - a transport from outside may raise anything: whatever it is, there is no answer
            problem, detail = "other", f"the transport failed ({type(error).__name__})"
        raise FetchFailed(problem, detail)

    def _ask(self, token: bytes) -> Members | None:
        clocks = self.runtime.clocks
        deadline, asked_at = clocks.monotonic() + self.settings.timeout, clocks.wall()
        proof = self._client.proof(issuer=self.issuer, now_s=asked_at)
        form = {"token": token, "token_type_hint": "access_token", **proof.parameters}
        url = self._endpoint.find(lambda url: self._get(url, deadline), clocks.ages(), self._left(deadline))
        response = self.runtime.transport.request(
            "POST",
            url,
            headers={
                "Accept": JSON if self.signed is None else SIGNED,
                "Content-Type": "application/x-www-form-urlencoded",
                **proof.headers,
            },
            body=urlencode(form).encode(),
            timeout_s=self._left(deadline),
            max_bytes=MAX_BYTES,
        )
        if len(response.body) > MAX_BYTES:
            raise TransportError(f"the answer is longer than {MAX_BYTES} bytes", code="too_long")
        wait = 0.0
        if response.status in _LEAVE_ALONE:
            wait = retry_after_s(response.headers, now_s=clocks.wall(), most_s=_MAX_RETRY_AFTER_S)
        document = document_of(response, signed=self.signed is not None, retry_after_s=wait)
        if self.signed is None:
            return active_members(members_of(document))
        return active_members(self.signed.members(document, asked_at=asked_at))

    def _get(self, url: str, deadline: float) -> Response:
        headers = {"Accept": JSON}
        return self.runtime.transport.request(
            "GET", url, headers=headers, body=None, timeout_s=self._left(deadline), max_bytes=_MAX_METADATA_BYTES
        )

    def _left(self, deadline: float) -> float:
        left = deadline - self.runtime.clocks.monotonic()
        if left <= 0:
            raise TransportError("the issuer took too long", code="timeout")
        return left
