"""One access token, kept fresh: asks `_policy` what to do, and shares one token request among all who wait.

The machine is `SharedFetch`; here is what it keeps of a token request. Readers of a token that is not due take no lock.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from m2mguard._clocks import Clocks
from m2mguard._reasons.codes import TokenFetchCause
from m2mguard._reporting.reporter import Reporter
from m2mguard.client._access_token import AccessToken
from m2mguard.client._errors import TokenEndpointUnavailable, TokenRequestError, TokenRequestRefused
from m2mguard.client._fetch import TokenFetcher
from m2mguard.client._policy import (
    Held,
    TokenAction,
    TokenDecision,
    backoff_s,
    decide_call,
    decide_replacement,
)
from m2mguard.client._token_request import TokenTarget
from m2mguard.client._token_response import Granted
from m2mguard.events import RenewalFailed, ScopesDropped, TokenEvent, TokenRenewed
from m2mguard.net._fetch_history import FetchHistory
from m2mguard.net._flight import Resumable, Wait
from m2mguard.net._shared_fetch import EarlyEnd, Fetch, FetchError, SharedFetch

_ENDED_EARLY: dict[EarlyEnd, str] = {
    "overdue": "the token request did not end in time",
    "not_started": "no thread can be started for the token request",
    "other": "the token request broke off",
}


class TokenFetch(Fetch):
    """One token request.

    Attributes:
        cause: why it is made.
        instead_of: the token that an API rejected and that it is to replace, or None.
    """

    __slots__ = ("cause", "instead_of")

    def __init__(self, cause: TokenFetchCause) -> None:
        self.cause: TokenFetchCause = cause
        self.instead_of: AccessToken | None = None


class CachedToken(SharedFetch[TokenFetch, Granted, TokenRequestError, FetchHistory]):
    """One token, kept fresh. Safe to share between threads, event loops and greenlets; its owner calls `after_fork` in a child.

    Nothing happens before the first use.

    Args:
        fetcher: makes a token request.
        target: which token.
        clocks: the time, and the jitter.
        reporter: told what happens, on the fetch's thread.
    """

    def __init__(self, *, fetcher: TokenFetcher, target: TokenTarget, clocks: Clocks, reporter: Reporter) -> None:
        super().__init__(name="m2mguard-token", clocks=clocks, timeout_s=fetcher.timeout_s, history=FetchHistory())
        self._fetcher = fetcher
        self._target = target
        self._reporter = reporter
        self._held: Held | None = None
        self._missing: frozenset[str] = frozenset()

    def fresh(self) -> AccessToken | None:
        """The token if nothing needs to be decided, else None. Takes no lock."""
        held = self._held
        if held is None or self._clocks.ages() >= held.renew_at or self._clocks.wall() >= held.token.expires_at:
            return None
        return held.token

    def token(self) -> Resumable[AccessToken]:
        """Resumable work that ends with a valid token.

        Raises:
            TokenRequestError: no token is available, in one of the two families.
        """
        held, action, fetch, wait = self._decide(decide_call)
        finished = True
        while wait is not None:
            finished = yield wait
            held, action, fetch, wait = self._decide(decide_call, waited_for=fetch)
        if held is None or action is not TokenAction.SERVE:
            raise self._no_token(in_time=finished)
        return held.token

    def replacement(self, rejected: AccessToken) -> Resumable[AccessToken | None]:
        """Resumable work that ends with the token to try in place of one that an API rejected, or None if none would help."""
        rule = functools.partial(decide_replacement, rejected=rejected)
        held, action, fetch, wait = self._decide(rule)
        while wait is not None:
            yield wait
            held, action, fetch, wait = self._decide(rule, waited_for=fetch)
        return held.token if held is not None and action is TokenAction.SERVE else None

    def reject(self, rejected: AccessToken) -> None:
        """Record that an API rejected a token, and start a request for another where `replacement` would wait for one."""
        self._decide(functools.partial(decide_replacement, rejected=rejected))

    def _decide(
        self, decide_on: Callable[..., TokenDecision], *, waited_for: TokenFetch | None = None
    ) -> tuple[Held | None, TokenAction, TokenFetch | None, Wait | None]:
        """Decide about one call; start the request that the decision asks for; say what to wait for. Nobody waits twice for one."""
        waited = waited_for is not None and not waited_for.dropped

        def rule(
            now: float, history: FetchHistory
        ) -> tuple[tuple[Held | None, TokenDecision, float], TokenFetch | None]:
            held = self._held
            if held is not None and self._clocks.wall() >= held.token.expires_at:
                held = held.as_ended(now)
            decision = decide_on(held, history, now, self.timeout_s, waited=waited)
            if decision.counts and held is not None:
                held = self._held = held.as_rejected(now)
            begins = TokenFetch(decision.cause) if decision.cause else None
            serving = begins or self._in_flight
            if serving is not None and held is not None and held.rejected:
                serving.instead_of = held.token
            return (held, decision, self._clocks.monotonic()), begins

        (held, decision, monotonic), fetch = self.decide(rule)
        if fetch is None or decision.action is not TokenAction.WAIT:
            return held, decision.action, fetch, None
        left = fetch.began_monotonic + self.timeout_s - monotonic
        return held, decision.action, fetch, Wait(fetch.flight, max(0.0, min(decision.wait_s, left)))

    def _no_token(self, *, in_time: bool) -> TokenRequestError:
        with self._lock:
            failure, retry_at = self._failure, self._history.retry_at
        if failure is None or not in_time:
            return TokenEndpointUnavailable("no_answer", "the token endpoint did not answer in time", problem="timeout")
        return failure.again(max(0.0, retry_at - self._clocks.ages()))

    # --- what the shared fetch asks for ---

    def _fetch(self, fetch: TokenFetch) -> Granted:
        """Make the request; once more if the machine was suspended meanwhile, which ends connections and tokens."""
        try:
            return self._fetch_once(fetch)
        except TokenRequestError as error:
            cut_off = isinstance(error, TokenEndpointUnavailable) and error.reason in ("no_answer", "unusable_answer")
            if not (cut_off and fetch.was_suspended(self._clocks) and self._in_flight is fetch):
                raise FetchError(error.again(error.retry_after)) from None
        fetch.stamp(self._clocks)
        try:
            return self._fetch_once(fetch)
        except TokenRequestError as error:
            raise FetchError(error.again(error.retry_after)) from None

    def _fetch_once(self, fetch: TokenFetch) -> Granted:
        granted = self._fetcher.fetch(self._target)
        if self._clocks.ages() >= fetch.began_at + granted.lifetime_s:
            raise TokenEndpointUnavailable("unusable_answer", "the token had expired before it arrived")
        return granted

    def _keep(self, fetch: TokenFetch, result: Granted) -> Callable[[], None]:
        wall = self._clocks.wall()  # before the other clock: a thread that has to wait in between errs on the safe side
        expires_at = wall + fetch.began_at + result.lifetime_s - self._clocks.ages()
        self._held = Held.from_grant(
            AccessToken(
                value=result.value,
                scopes=result.scopes,
                expires_at=expires_at,
                token_type="Bearer" if self._fetcher.dpop is None else "DPoP",
            ),
            result.lifetime_s,
            asked_at=fetch.began_at,
            jitter=self._clocks.jitter(),
            instead_of=fetch.instead_of,
        )
        missing = frozenset(self._target.scopes) - result.scopes
        newly_missing, self._missing = missing != self._missing, missing
        return lambda: self._report_grant(fetch, result, missing if newly_missing else frozenset())

    def _ended_early(self, problem: EarlyEnd) -> TokenRequestError:
        return TokenEndpointUnavailable(
            "no_answer", _ENDED_EARLY[problem], problem=None if problem == "other" else problem
        )

    def _backoff(self, failure: TokenRequestError, failures: int) -> tuple[float, float]:
        refused = isinstance(failure, TokenRequestRefused)
        return backoff_s(failures, refused=refused, jitter=self._clocks.jitter()), failure.retry_after

    def _report_grant(self, fetch: TokenFetch, granted: Granted, missing: frozenset[str]) -> None:
        self._report(TokenRenewed, cause=fetch.cause, lifetime_s=granted.lifetime_s)
        if missing:
            self._report(
                ScopesDropped,
                missing=tuple(sorted(missing)),
                detail="asked for and not granted: give the application a role with these permissions, or do not ask",
            )

    def _report_failure(self, fetch: TokenFetch, failure: TokenRequestError, history: FetchHistory) -> None:
        held, now = self._held, self._clocks.ages()
        self._report(
            RenewalFailed,
            cause=fetch.cause,
            reason=failure.reason,
            problem=failure.problem,
            detail=failure.detail,
            failures=history.failures,
            retry_in_s=max(0.0, history.retry_at - now),
            remaining_s=0.0 if held is None else max(0.0, held.expires_at - now),
        )

    def _report(self, kind: type[TokenEvent], **what: Any) -> None:
        self._reporter.emit(
            kind(
                issuer=self._fetcher.issuer,
                app_id=self._fetcher.client.client_id,
                resource=self._target.resource,
                **what,
            )
        )
