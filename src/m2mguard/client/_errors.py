"""Why there is no token, in two families: refused (change the configuration), and unavailable (the endpoint is down, or slow).

Neither is an `AnswerableError`: if a service cannot get its own token, that is its own fault or its issuer's, never its caller's, so no
adapter may turn it into a 401. No message holds a secret or a token; what the issuer sent is shown escaped, cut and redacted only.
"""

from __future__ import annotations

from m2mguard._reasons.codes import FetchProblem, TokenRequestReason
from m2mguard.errors import M2MGuardError


class TokenRequestError(M2MGuardError):
    """There is no token. Programs read `reason` and `error`; `detail` and `error_description` are for people and may change.

    Attributes:
        reason: one fixed word for logs and metrics, a `TokenRequestReason`. `TokenRequestRefused` and `TokenEndpointUnavailable`
            say which words are theirs.
        problem: what went wrong on the way to the issuer, a `FetchProblem`, for the reasons `no_answer` and `discovery`; else None.
        detail: a sentence that says what to do.
        retry_after: seconds until the endpoint is asked again, a float of 0 or more; until then every call gets this error at once.
        error: the error code that the issuer sent (RFC 6749 section 5.2), as one line of printable ASCII, or None.
        error_description: the issuer's own sentence, as one line of at most 200 characters of printable ASCII, or None. Our secret
            and whatever looks like a token are replaced by "[redacted]".
    """

    def __init__(
        self,
        reason: TokenRequestReason,
        detail: str,
        *,
        problem: FetchProblem | None = None,
        retry_after: float = 0.0,
        error: str | None = None,
        error_description: str | None = None,
    ) -> None:
        super().__init__(reason, detail)
        self.reason: TokenRequestReason = reason
        self.problem = problem
        self.detail = detail
        self.retry_after = retry_after
        self.error = error
        self.error_description = error_description

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"

    def again(self, retry_after: float) -> TokenRequestError:
        """Return a fresh copy, so that tracebacks of other waiters, and of the request, are not shared."""
        return type(self)(
            self.reason,
            self.detail,
            problem=self.problem,
            retry_after=retry_after,
            error=self.error,
            error_description=self.error_description,
        )


class TokenRequestRefused(TokenRequestError):
    """The token endpoint refuses this request and will go on refusing it: the configuration, here or at the issuer, must change.

    The endpoint is asked again once a minute at most. `reason` is one of:

    * `client_authentication`: the issuer does not accept the client's id, its secret, or the way in which they are sent;
    * `unauthorized_client`: the client may not use client credentials, or is unknown;
    * `grant_type`: the client or the issuer does not allow the grant type `client_credentials`;
    * `denied`: the client is not authorized: it lacks a grant or a role, or a rule denies it;
    * `resource`, `scope`: not known there, or not for this client;
    * `malformed_request`: a parameter is missing, repeated or invalid;
    * `other`: an error code of the issuer's own, see `error`.

    `TokenSource.logto` tells reasons apart more precisely, and also has `unknown_client`, `wrong_secret`, `expired_secret`,
    `organization` and `claims_script` (a custom token claims script failed).
    """


class TokenEndpointUnavailable(TokenRequestError):
    """The token endpoint could not be asked, or did not give a usable answer, and no valid token is at hand.

    `reason` is one of:

    * `no_answer`: no exchange, or none in time;
    * `discovery`: the issuer's metadata do not name the endpoint;
    * `status`: an answer that is neither a token nor an OAuth error;
    * `too_many_requests`, `temporarily_unavailable`: what the endpoint says of itself, by its status or its error code;
    * `unusable_answer`: a token of an unknown type, or one that cannot be sent, or no token;
    * `client_secret`: the callable that was given as `client_secret` raised, or returned no secret;
    * `client_assertion`: the file of an `AssertionFile` or the key of a `PrivateKeyJwt` cannot be read, or the function of an
      `Assertion` raised, or there is no JWT in it.
    """
