"""The two families of failure: the token is bad (`AuthError`), or we could not tell (`KeysUnavailable`).

No error here may hold a token, a secret or the value of a claim: `reason` is a fixed word and `detail` a sentence made of our own words.
"""

from __future__ import annotations

from typing import ClassVar


class M2MGuardError(Exception):
    """Everything m2mguard raises on purpose."""


class ConfigurationError(M2MGuardError, ValueError):
    """A setting that cannot be meant. Raised when an object is built, never on a request; the message says what to change."""


class Refusal(M2MGuardError):
    """What the two families share: how the answer to the caller looks, and why, for the operator.

    Attributes:
        status: the HTTP status, an int.
        error: the error code of RFC 6750 section 3.1 (for a 503, of RFC 6749 section 4.1.2.1), or None where the challenge has no code.
        description: one fixed sentence that may be told to the caller.
        reason: one fixed word for logs and metrics; never told to the caller.
        detail: a sentence for the operator; never told to the caller, never with a value taken from the token.
    """

    status: ClassVar[int]
    error: ClassVar[str | None]
    description: ClassVar[str]

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class AuthError(Refusal):
    """The request cannot be accepted as it is, and sending it again will not help: 400, 401 or 403."""


class MissingToken(AuthError):
    """No credentials, or credentials of another scheme: 401 and a challenge without an error code (RFC 6750 section 3.1)."""

    status = 401
    error: ClassVar[str | None] = None
    description = "A bearer token is required"


class InvalidRequest(AuthError):
    """More than one Authorization field, or a credential outside the grammar of RFC 6750 section 2.1: 400 `invalid_request`."""

    status = 400
    error: ClassVar[str | None] = "invalid_request"
    description = "The request must carry exactly one well-formed bearer token"


class InvalidToken(AuthError):
    """The token is expired, forged, malformed, or not meant for this API: 401 `invalid_token`.

    `reason` is one of `malformed`, `algorithm`, `unknown_issuer`, `unknown_key`, `signature`, `token_type`, `audience`, `expired`,
    `not_yet_valid` and `claim`. The caller is told none of them.
    """

    status = 401
    error: ClassVar[str | None] = "invalid_token"
    description = "The access token is expired, malformed, or invalid for other reasons"


class InsufficientScope(AuthError):
    """The token is good, but not for this: 403 `insufficient_scope`.

    `reason` is one of `scope`, `application`, `organization` and `not_a_machine`.

    Attributes:
        scopes: the scopes the route asks for, as the challenge names them; empty where another token with more scopes would not help.
    """

    status = 403
    error: ClassVar[str | None] = "insufficient_scope"
    description = "The access token does not grant access to this resource"

    def __init__(self, reason: str, detail: str, scopes: tuple[str, ...] = ()) -> None:
        super().__init__(reason, detail)
        self.args: tuple[object, ...] = (reason, detail, scopes)
        self.scopes = scopes


class KeysUnavailable(Refusal):
    """The issuer's keys cannot be had, so nobody can say whether the token is good: 503 with Retry-After.

    Attributes:
        retry_after: seconds until asking again makes sense, a float above 0.
    """

    status = 503
    error: ClassVar[str | None] = "temporarily_unavailable"
    description = "The access token cannot be checked at the moment"

    def __init__(self, reason: str, detail: str, retry_after: float = 1.0) -> None:
        super().__init__(reason, detail)
        self.args: tuple[object, ...] = (reason, detail, retry_after)
        self.retry_after = retry_after
