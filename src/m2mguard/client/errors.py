"""Why there is no token, in two families: refused (change the configuration), and could not tell (the endpoint is down).

Neither is a `Refusal`: that a service cannot get its own token is its own fault or its issuer's, never that of who called it,
so no adapter may turn it into a 401. No message holds a secret, a token or what the endpoint sent.
"""

from __future__ import annotations

from m2mguard.errors import M2MGuardError


class TokenRequestError(M2MGuardError):
    """There is no token to be had.

    Attributes:
        reason: one fixed word for logs and metrics.
        detail: a sentence that says what to do.
        retry_after: seconds until the endpoint is asked again, a float of 0 or more; until then every call gets this error at once.
    """

    def __init__(self, reason: str, detail: str, *, retry_after: float = 0.0) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"

    def again(self, retry_after: float) -> TokenRequestError:
        """The same error, new, so that nobody sees where another caller, or the fetch, met it."""
        return type(self)(self.reason, self.detail, retry_after=retry_after)


class TokenRequestRefused(TokenRequestError):
    """The token endpoint refuses this request and will go on refusing it: the configuration, here or at the issuer, must change.

    `reason` is one of `unknown_client`, `wrong_secret`, `resource`, `scope`, `organization`, `denied`, `grant_type`,
    `malformed_request` and `other`. The endpoint is asked again once a minute at the most.
    """


class TokenEndpointUnavailable(TokenRequestError):
    """The token endpoint could not be asked, or did not give a usable answer, and no valid token is at hand.

    `reason` is one of `no_answer`, `discovery`, `status`, `too_many_requests` and `unusable_answer`.
    """
