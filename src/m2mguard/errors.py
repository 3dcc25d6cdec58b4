"""The two families of failure: the token is bad (`AuthError`), or we could not tell (`KeysUnavailable`).

No error shows a token, a secret or the value of a claim in its text or its repr. Programs read codes; sentences are for people.
"""

from __future__ import annotations

from typing import ClassVar

from m2mguard._reasons import REFUSALS
from m2mguard._reasons.codes import (
    FetchProblem,
    InsufficientScopeReason,
    InsufficientUserAuthenticationReason,
    InvalidDpopProofReason,
    InvalidRequestReason,
    InvalidTokenReason,
    KeysUnavailableReason,
    MissingTokenReason,
    Reason,
    TokenProblem,
    UseDpopNonceReason,
)

__all__ = [
    "AnswerableError",
    "AuthError",
    "ConfigurationError",
    "FetchProblem",
    "InsufficientScope",
    "InsufficientScopeReason",
    "InsufficientUserAuthentication",
    "InsufficientUserAuthenticationReason",
    "InvalidDpopProof",
    "InvalidDpopProofReason",
    "InvalidRequest",
    "InvalidRequestReason",
    "InvalidToken",
    "InvalidTokenReason",
    "KeysUnavailable",
    "KeysUnavailableReason",
    "M2MGuardError",
    "MissingToken",
    "MissingTokenReason",
    "Reason",
    "Refusal",
    "TokenProblem",
    "UseDpopNonce",
    "UseDpopNonceReason",
]


class M2MGuardError(Exception):
    """Everything m2mguard raises on purpose."""


class ConfigurationError(M2MGuardError, ValueError):
    """An invalid setting. Raised when an object is built, never on a request; the message says what to change."""


class AnswerableError(M2MGuardError):
    """What the two families share: how the answer to the caller looks, and why, for the operator.

    Args:
        reason: the code.
        detail: one sentence for the operator, without any value from the token. Default: the one for the reason.
        problem: a more exact code, where one reason has several ways to be wrong.
        claim: the claim or header member in question.
        expected: what would have been accepted, as the settings or the route say.
        got: what the token holds there. Only of a token whose signature was good.

    Attributes:
        status: the HTTP status, an int.
        error: the error code of RFC 6750 section 3.1 or RFC 9470 section 3 (for a 503, of RFC 6749 section 4.1.2.1), or None where the
            challenge has no code.
        description: one fixed sentence that may be told to the caller.
        reason: one code of `Reason`, for programs, logs and metrics; never told to the caller.
        problem: the more exact code, or None.
        detail: one sentence for the operator; never told to the caller, never with a value taken from the token.
        claim: the name of the claim or header member in question, or None.
        expected: what would have been accepted, a tuple of str; empty where that says nothing.
        got: what the token has in its place, a tuple of str, empty where it holds nothing; None unless the signature was good. Values
            are the token's own: escape them before you print them.
        app_id: the application that the token names, a str, or None unless the signature was good.
        issuer: the URL of the configured issuer whose token it is, or None unless the signature was good; of a `KeysUnavailable` the
            issuer whose keys are not available.
        scheme: the scheme of the credentials, "Bearer" or "DPoP": whose challenge has the error code.
    """

    status: ClassVar[int]
    error: ClassVar[str | None]
    description: ClassVar[str]
    reason: Reason
    problem: TokenProblem | FetchProblem | None

    def __init__(
        self,
        reason: Reason,
        detail: str = "",
        *,
        problem: TokenProblem | FetchProblem | None = None,
        claim: str | None = None,
        expected: tuple[str, ...] = (),
        got: tuple[str, ...] | None = None,
    ) -> None:
        if not detail and reason in REFUSALS:
            detail = REFUSALS[reason].detail(problem, claim)
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.problem = problem
        self.claim = claim
        self.expected = expected
        self.got = got
        self.app_id: str | None = None
        self.issuer: str | None = None
        self.scheme: str = "Bearer"

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class AuthError(AnswerableError):
    """The request cannot be accepted as it is, and sending it again will not help: 400, 401 or 403."""


Refusal = AuthError
"""The older name of `AuthError`."""


class MissingToken(AuthError):
    """No credentials, or credentials of another scheme: 401 and a challenge without an error code (RFC 6750 section 3.1)."""

    status = 401
    error: ClassVar[str | None] = None
    description = "A bearer token is required"
    reason: MissingTokenReason


class InvalidRequest(AuthError):
    """More than one Authorization field, or a credential outside the grammar of RFC 6750 section 2.1: 400 `invalid_request`."""

    status = 400
    error: ClassVar[str | None] = "invalid_request"
    description = "The request must carry exactly one well-formed bearer token"
    reason: InvalidRequestReason


class InvalidToken(AuthError):
    """The token is expired, forged, malformed, or for another API: 401 `invalid_token`.

    `reason` is an `InvalidTokenReason`: `malformed`, `unknown_issuer`, `algorithm`, `unknown_key`, `signature`, `token_type`, `claim`,
    `audience`, `expired`, `not_yet_valid` or `inactive`. The answer shows none of them.
    """

    status = 401
    error: ClassVar[str | None] = "invalid_token"
    description = "The access token is expired, malformed, or invalid for other reasons"
    reason: InvalidTokenReason


class InsufficientScope(AuthError):
    """The token is good, but not for this: 403 `insufficient_scope`.

    `reason` is an `InsufficientScopeReason`: `not_a_machine`, `issuer`, `organization`, `application`, `not_a_person` or `scope`.

    Attributes:
        scopes: the scopes the route asks for, as the challenge names them; empty where another token with more scopes would not help.
    """

    status = 403
    error: ClassVar[str | None] = "insufficient_scope"
    description = "The access token does not grant access to this resource"

    reason: InsufficientScopeReason

    def __init__(
        self,
        reason: InsufficientScopeReason,
        detail: str = "",
        scopes: tuple[str, ...] = (),
        *,
        claim: str | None = None,
        expected: tuple[str, ...] = (),
        got: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(reason, detail, claim=claim, expected=expected, got=got)
        self.args: tuple[object, ...] = (reason, self.detail, scopes)
        self.scopes = scopes


class InsufficientUserAuthentication(AuthError):
    """The token is good, and the person must sign in again for this: 401 `insufficient_user_authentication` (RFC 9470 section 3).

    `reason` is an `InsufficientUserAuthenticationReason`: `max_age` or `acr`, the first of the two that is not met. The challenge names
    all that the route asks for, so that one sign-in is enough.

    Attributes:
        acr_values: the values of `acr` that the route accepts, the preferred one first; empty for any.
        max_age: the greatest age of the sign-in, in seconds, or None for any.
        scopes: the scopes that the route asks for, if the token lacks some of them, too; else empty.
    """

    status = 401
    error: ClassVar[str | None] = "insufficient_user_authentication"
    description = "The person must sign in again to access this resource"

    reason: InsufficientUserAuthenticationReason

    def __init__(
        self,
        reason: InsufficientUserAuthenticationReason,
        detail: str = "",
        acr_values: tuple[str, ...] = (),
        max_age: int | None = None,
        scopes: tuple[str, ...] = (),
        *,
        problem: TokenProblem | None = None,
        claim: str | None = None,
        expected: tuple[str, ...] = (),
        got: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(reason, detail, problem=problem, claim=claim, expected=expected, got=got)
        self.args: tuple[object, ...] = (reason, self.detail, acr_values, max_age, scopes)
        self.acr_values = acr_values
        self.max_age = max_age
        self.scopes = scopes


class InvalidDpopProof(AuthError):
    """The token is good, and the request brings no good proof that its sender has the token's key: 401 `invalid_dpop_proof` (RFC 9449).

    `reason` is an `InvalidDpopProofReason`: `dpop_proof` or `dpop_replayed`. No attribute holds anything of the proof.
    """

    status = 401
    error: ClassVar[str | None] = "invalid_dpop_proof"
    description = "The request needs exactly one DPoP proof that is made for it, with the key of the access token"
    reason: InvalidDpopProofReason


class UseDpopNonce(AuthError):
    """The proof is good, and lacks this server's nonce: 401 `use_dpop_nonce`, with one in the field `DPoP-Nonce` (RFC 9449 section 9).

    `reason` is `dpop_nonce`. The client is expected to try once more, with the nonce in a new proof.

    Attributes:
        nonce: for the client's next proofs.
    """

    status = 401
    error: ClassVar[str | None] = "use_dpop_nonce"
    description = "The DPoP proof must carry the nonce of this answer"
    reason: UseDpopNonceReason

    def __init__(self, reason: UseDpopNonceReason, detail: str = "", nonce: str = "") -> None:
        super().__init__(reason, detail, claim="nonce")
        self.args: tuple[object, ...] = (reason, self.detail, nonce)
        self.nonce = nonce


class KeysUnavailable(AnswerableError):
    """We could not tell whether the token may be accepted, nearly always since the issuer's keys are not available: 503 with Retry-After.

    `reason` is a `KeysUnavailableReason`: `keys_unavailable`, `key_not_fetched`, for an opaque token `introspection_unavailable`, or
    `replay_store` where it cannot be told whether a DPoP proof was used before.

    Attributes:
        problem: why the last fetch or question failed, a `FetchProblem`; `throttled` where the issuer may not be asked yet; None before
            a fetch has ended.
        retry_after: seconds until asking again makes sense, a float above 0.
    """

    status = 503
    error: ClassVar[str | None] = "temporarily_unavailable"
    description = "The access token cannot be checked at the moment"

    reason: KeysUnavailableReason

    def __init__(
        self,
        reason: KeysUnavailableReason,
        detail: str = "",
        retry_after: float = 1.0,
        *,
        problem: TokenProblem | FetchProblem | None = None,
    ) -> None:
        super().__init__(reason, detail, problem=problem)
        self.args: tuple[object, ...] = (reason, self.detail, retry_after)
        self.retry_after = retry_after


def __dir__() -> list[str]:
    return sorted(__all__)
