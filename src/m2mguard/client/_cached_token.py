"""The driver of one token: holds it, asks `renewal` what to do, and shares one flight among all who wait.

The lock guards a few assignments and is never held across I/O, a wait or a callback. Readers of a token that is not due take no lock.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from m2mguard._clocks import JUMP_S, Clock, Clocks
from m2mguard._reasons.codes import TokenFetchCause
from m2mguard._reporting.reporter import Reporter
from m2mguard.client._access_token import AccessToken
from m2mguard.client._errors import TokenEndpointUnavailable, TokenRequestError, TokenRequestRefused
from m2mguard.client._fetch import TokenFetcher
from m2mguard.client._policy import (
    Held,
    RequestHistory,
    TokenAction,
    TokenDecision,
    decide_call,
    decide_replacement,
    held_from_grant,
)
from m2mguard.client._token_request import TokenTarget
from m2mguard.client._token_response import Granted
from m2mguard.events import RenewalFailed, ScopesDropped, TokenEvent, TokenRenewed
from m2mguard.net._flight import CannotStart, Flight, Resumable, Wait, new_lock

FLIGHT_GRACE_S = 1.0  # beyond the time-out: only a name look-up that hangs can last so long


class _Attempt:
    """One token request: its number, why it is made, when it began on both clocks, on whose account, and the flight that carries it."""

    __slots__ = ("began_at", "cause", "flight", "instead_of", "number", "started_at")
    flight: Flight

    def __init__(self, *, number: int, cause: TokenFetchCause, began_at: float, started_at: float) -> None:
        self.number = number
        self.cause = cause
        self.began_at = began_at  # by the clock of ages: the token may be as old as that
        self.started_at = started_at  # by the monotonic clock alone: how long anybody waits
        self.instead_of: AccessToken | None = None


class CachedToken:
    """One token, kept fresh. Safe to share between threads, event loops and greenlets; its owner calls `after_fork` in a child.

    Nothing happens before the first use.

    Args:
        fetcher: makes a token request.
        target: which token.
        clocks: what time it is, for the ages of tokens.
        monotonic: seconds on a clock that never steps, for how long anybody waits.
        reporter: told what happens, on the flight's thread.
    """

    def __init__(
        self, *, fetcher: TokenFetcher, target: TokenTarget, clocks: Clocks, monotonic: Clock, reporter: Reporter
    ) -> None:
        self._fetcher = fetcher
        self._target = target
        self._clocks = clocks
        self._monotonic = monotonic
        self._reporter = reporter
        self._held: Held | None = None
        self._attempts = RequestHistory()
        self._failure: TokenRequestError | None = None
        self._missing: frozenset[str] = frozenset()
        self._lock = new_lock()
        self._in_flight: _Attempt | None = None
        self._launched = 0  # attempts are numbered: a later one knows better than an earlier one
        self._landed = 0

    def fresh(self) -> AccessToken | None:
        """The token, where nothing needs to be decided; None otherwise. Takes no lock."""
        held = self._held
        if held is None or self._clocks.ages() >= held.renew_at or self._clocks.wall() >= held.token.expires_at:
            return None
        return held.token

    def token(self) -> Resumable[AccessToken]:
        """Resumable that end with a valid token.

        Raises:
            TokenRequestError: there is none to be had, in one of the two families.
        """
        held, action, wait = self._settle(decide_call)
        landed = True
        if wait is not None:
            landed = yield wait
            held, action, _ = self._settle(decide_call, waited=True)
        if held is None or action is not TokenAction.SERVE:
            raise self._no_token(in_time=landed)
        return held.token

    def replacement(self, rejected: AccessToken) -> Resumable[AccessToken | None]:
        """Resumable that end with the token to try in place of one that an API rejected, or None where none would help."""
        decide_on = functools.partial(decide_replacement, rejected=rejected)
        held, action, wait = self._settle(decide_on)
        if wait is not None:
            yield wait
            held, action, _ = self._settle(decide_on, waited=True)
        return held.token if held is not None and action is TokenAction.SERVE else None

    def reject(self, rejected: AccessToken) -> None:
        """Note that an API rejected a token, and start a request for another where `replacement` would wait for one."""
        self._settle(functools.partial(decide_replacement, rejected=rejected))

    def after_fork(self) -> None:
        """The child has none of the parent's threads: a fresh lock, no flight, no memory of attempts; the token is still good."""
        self._lock = new_lock()
        self._in_flight = None
        self._attempts = RequestHistory()

    def _settle(
        self, decide_on: Callable[..., TokenDecision], *, waited: bool = False
    ) -> tuple[Held | None, TokenAction, Wait | None]:
        """Decide; start the flight that the decision asks for; tell what to wait for."""
        self._give_up_overdue()
        begun = wait = None
        with self._lock:
            now, held = self._clocks.ages(), self._held
            if held is not None and self._clocks.wall() >= held.token.expires_at:
                held = held.as_ended(now)
            decision = decide_on(held, self._attempts, now, self._fetcher.timeout_s, waited=waited)
            if decision.counts and held is not None:
                held = self._held = held.as_rejected(now)
            if decision.cause:
                begun = self._take_off(decision.cause, now)
            attempt = self._in_flight
            if attempt is not None and held is not None and held.rejected:
                attempt.instead_of = held.token
            if attempt is not None and decision.action is TokenAction.WAIT:
                left = attempt.started_at + self._fetcher.timeout_s - self._monotonic()
                wait = Wait(attempt.flight, max(0.0, min(decision.wait_s, left)))
        if begun is not None:
            self._launch(begun)
        return held, decision.action, wait

    def _take_off(self, cause: TokenFetchCause, now: float) -> _Attempt:
        """Note an attempt that begins now. The lock is held; the caller launches it after letting it go."""
        self._launched += 1
        attempt = _Attempt(number=self._launched, cause=cause, began_at=now, started_at=self._monotonic())
        attempt.flight = Flight(lambda: self._fly(attempt), name=f"m2mguard-token-{self._launched}")
        self._attempts = self._attempts.started()
        self._in_flight = attempt
        return attempt

    def _launch(self, attempt: _Attempt) -> None:
        try:
            attempt.flight.launch()
        except CannotStart as error:
            self._land_failed(attempt, TokenEndpointUnavailable("no_answer", str(error), problem="not_started"))

    def _fly(self, attempt: _Attempt) -> None:
        """Make the request, on the flight's thread."""
        error: TokenRequestError | None = TokenEndpointUnavailable("no_answer", "the token request broke off")
        try:
            self._land_good(attempt, self._fetch(attempt))
            error = None
        except TokenRequestError as failure:
            error = failure
        finally:
            if error is not None:
                self._land_failed(attempt, error)

    def _fetch(self, attempt: _Attempt) -> Granted:
        """Make the request; once more if the machine was suspended meanwhile, which ends connections and tokens."""
        try:
            return self._fetch_once(attempt)
        except TokenEndpointUnavailable as error:
            suspended = error.reason in ("no_answer", "unusable_answer") and self._was_suspended(attempt)
            if not suspended or self._in_flight is not attempt:
                raise
        attempt.began_at, attempt.started_at = self._clocks.ages(), self._monotonic()
        return self._fetch_once(attempt)

    def _fetch_once(self, attempt: _Attempt) -> Granted:
        granted = self._fetcher.fetch(self._target)
        if self._clocks.ages() >= attempt.began_at + granted.lifetime_s:
            raise TokenEndpointUnavailable("unusable_answer", "the token had expired before it arrived")
        return granted

    def _was_suspended(self, attempt: _Attempt) -> bool:
        """Tell whether the machine was suspended since the attempt began, or the wall clock set forward: they look the same."""
        return self._clocks.ages() - attempt.began_at > self._monotonic() - attempt.started_at + JUMP_S

    def _land_good(self, attempt: _Attempt, granted: Granted) -> None:
        wall = self._clocks.wall()  # before the other clock: a thread that has to wait in between errs on the safe side
        expires_at = wall + attempt.began_at + granted.lifetime_s - self._clocks.ages()
        token = AccessToken(value=granted.value, scopes=granted.scopes, expires_at=expires_at)
        missing = frozenset(self._target.scopes) - granted.scopes
        with self._lock:
            wanted = attempt.number > self._landed
            newly_missing = missing != self._missing
            if wanted:
                self._landed = attempt.number
                self._missing = missing
                self._held = held_from_grant(
                    token,
                    granted.lifetime_s,
                    asked_at=attempt.began_at,
                    dice=self._clocks.jitter(),
                    instead_of=attempt.instead_of,
                )
            if self._in_flight is attempt:
                self._in_flight = None
                self._attempts = RequestHistory()
        attempt.flight.land()
        if wanted:
            self._report(TokenRenewed, cause=attempt.cause, lifetime_s=granted.lifetime_s)
        if wanted and missing and newly_missing:
            self._report(
                ScopesDropped,
                missing=tuple(sorted(missing)),
                detail="asked for and not granted: give the application a role with these permissions, or do not ask",
            )

    def _land_failed(self, attempt: _Attempt, error: TokenRequestError) -> None:
        with self._lock:
            concerns_us = self._in_flight is attempt
            if concerns_us:
                self._in_flight = None
                self._failure = error.again(0.0)
                self._attempts = self._attempts.failed(
                    self._clocks.ages(),
                    refused=isinstance(error, TokenRequestRefused),
                    retry_after=error.retry_after,
                    dice=self._clocks.jitter(),
                )
            held, attempts, now = self._held, self._attempts, self._clocks.ages()
        attempt.flight.land()
        if concerns_us:
            self._report(
                RenewalFailed,
                cause=attempt.cause,
                reason=error.reason,
                problem=error.problem,
                detail=error.detail,
                failures=attempts.failures,
                retry_in_s=max(0.0, attempts.retry_at - now),
                remaining_s=0.0 if held is None else max(0.0, held.expires_at - now),
            )

    def _give_up_overdue(self) -> None:
        """Count an attempt past its age limit as failed, so that another can start.

        An attempt that has become old because the machine was suspended is not a failure, but its connection is most likely dead:
        the next one starts at once.
        """
        attempt = self._in_flight
        if attempt is None:
            return
        limit = self._fetcher.timeout_s + FLIGHT_GRACE_S
        if self._monotonic() >= attempt.started_at + limit:
            self._land_failed(
                attempt,
                TokenEndpointUnavailable("no_answer", "the token request did not end in time", problem="overdue"),
            )
        elif self._clocks.ages() >= attempt.began_at + limit:
            with self._lock:
                if self._in_flight is attempt:
                    self._in_flight = None
                    self._attempts = self._attempts.forgotten()

    def _no_token(self, *, in_time: bool) -> TokenRequestError:
        with self._lock:
            failure, retry_at = self._failure, self._attempts.retry_at
        if failure is None or not in_time:
            return TokenEndpointUnavailable("no_answer", "the token endpoint did not answer in time", problem="timeout")
        return failure.again(max(0.0, retry_at - self._clocks.ages()))

    def _report(self, kind: type[TokenEvent], **what: Any) -> None:
        self._reporter.emit(
            kind(
                issuer=self._fetcher.issuer,
                app_id=self._fetcher.client.client_id,
                resource=self._target.resource,
                **what,
            )
        )
