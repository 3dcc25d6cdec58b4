"""May this token still be used, and must another be requested? One pure decision about a token and the history of its requests.

No clock, no random number, no lock and no I/O: times are arguments, in seconds on the clock for ages.

    the token              the endpoint                    decision
    ---------------------  ------------------------------  ----------------------------------------------------
    valid                  any                             SERVE
    valid, to be renewed   may be asked                    SERVE, and ask in the background
    valid, to be renewed   is being asked, failed just now SERVE
    valid, rejected        may be asked, is being asked    WAIT for the shared flight, at most a second, then SERVE
    valid, rejected        failed since the rejection      as "valid, to be renewed"
    none, or expired       may be asked                    WAIT for the shared flight, at most the time-out
    none, or expired       is being asked                  WAIT for what is left of that time-out
    none, or expired       failed a moment ago             FAIL as it failed, until the back-off is over

"Rejected" means that an API answered 401 to it, and that it is old enough for the rejection to count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from m2mguard._reasons.codes import TokenFetchCause
from m2mguard.client._access_token import AccessToken
from m2mguard.net._fetch_history import RETRY_LAST_S, FetchHistory, doubled_s

MARGIN = 0.1
MARGIN_LEAST_S = 30.0
MARGIN_MOST = 0.5  # of the life: a token that lives less than a minute is not renewed as soon as it is granted
MARGIN_JITTER = 0.2
JUST_FETCHED_S = 30.0
# A rejected token may still be good for another API, so a slow endpoint must not hold its callers up.
REPLACEMENT_WAIT_S = 1.0


class TokenAction(Enum):
    """What to do about one call for a token."""

    SERVE = auto()
    WAIT = auto()
    FAIL = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A token, and until when it is good for what. Never changed, only replaced.

    Attributes:
        token: what is given out.
        asked_at: when its request began.
        renew_at: from then on the next call starts a renewal.
        expires_at: from then on it is not given out.
        instead_of: the token that an API rejected and that this one took the place of, or None.
        rejected: whether an API rejected it.
    """

    token: AccessToken
    asked_at: float
    renew_at: float
    expires_at: float
    instead_of: AccessToken | None = None
    rejected: bool = False

    @classmethod
    def from_grant(
        cls,
        token: AccessToken,
        lifetime_s: float,
        *,
        asked_at: float,
        jitter: float,
        instead_of: AccessToken | None = None,
    ) -> Held:
        """Say until when a token is good for what.

        Args:
            token: what was granted.
            lifetime_s: its `expires_in`.
            asked_at: when the request began, not when it ended: the token may be as old as that.
            jitter: 0 to 1; the margin before the end of the token grows by up to 20 % with it.
            instead_of: the rejected token that it replaces, or None.
        """
        margin = max(MARGIN * lifetime_s, MARGIN_LEAST_S) * (1 + MARGIN_JITTER * jitter)
        return cls(
            token=token,
            asked_at=asked_at,
            renew_at=asked_at + lifetime_s - min(margin, MARGIN_MOST * lifetime_s),
            expires_at=asked_at + lifetime_s,
            instead_of=instead_of,
        )

    def as_rejected(self, now: float) -> Held:
        """Note that an API rejected it: it is to be renewed now."""
        return replace(self, rejected=True, renew_at=min(self.renew_at, now))

    def as_ended(self, now: float) -> Held:
        """Note that the wall clock says that its end has come: that clock may be ahead of the one of ages by up to a second or two."""
        return replace(self, expires_at=min(self.expires_at, now), renew_at=min(self.renew_at, now))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDecision:
    """What to do about one call.

    Attributes:
        action: what to do.
        cause: why an attempt is to be started now, or None.
        wait_s: with WAIT, the longest wait in seconds; no longer than the attempt may still take, either.
        counts: whether the rejection that was reported is to be noted on the token.
    """

    action: TokenAction
    cause: TokenFetchCause | None = None
    wait_s: float = 0.0
    counts: bool = False


_SERVE = TokenDecision(action=TokenAction.SERVE)
_FAIL = TokenDecision(action=TokenAction.FAIL)


def valid(held: Held | None, now: float) -> bool:
    """Tell whether a token may be given out."""
    return held is not None and now < held.expires_at


def decide_call(
    held: Held | None, history: FetchHistory, now: float, timeout_s: float, *, waited: bool = False
) -> TokenDecision:
    """Decide about one call for a token.

    Args:
        held: the token at hand, or None.
        history: what is known of earlier requests.
        now: the time.
        timeout_s: the longest an attempt may take.
        waited: whether this caller was told to WAIT and is back. Nobody waits twice.
    """
    if held is not None and valid(held, now):
        due = now >= held.renew_at and history.may_ask(now)
        cause: TokenFetchCause | None = ("rejected" if held.rejected else "renewal") if due else None
        if held.rejected and (due or history.in_flight) and not history.failures and not waited:
            return TokenDecision(action=TokenAction.WAIT, cause=cause, wait_s=min(REPLACEMENT_WAIT_S, timeout_s))
        return TokenDecision(action=TokenAction.SERVE, cause=cause) if due else _SERVE
    if waited:
        return _FAIL
    return _ask(history, now, timeout_s, "first" if held is None else "expired")


def decide_replacement(
    held: Held | None,
    history: FetchHistory,
    now: float,
    timeout_s: float,
    *,
    rejected: AccessToken,
    waited: bool = False,
) -> TokenDecision:
    """Decide about a token that an API rejected: SERVE the one that took its place, WAIT for one, or FAIL, as none would help.

    Arguments as for `decide`. A superseded token gets no replacement, unless its replacement was fetched because of the same
    rejection: then all who met it share that one fetch.
    """
    if held is None:
        return _FAIL
    if held.token != rejected:
        return _SERVE if held.instead_of == rejected and valid(held, now) else _FAIL
    if waited or now < held.asked_at + min(JUST_FETCHED_S, MARGIN_MOST * (held.expires_at - held.asked_at)):
        return _FAIL
    return replace(_ask(history, now, timeout_s, "rejected"), counts=True)


def _ask(history: FetchHistory, now: float, timeout_s: float, cause: TokenFetchCause) -> TokenDecision:
    if history.in_flight:
        return TokenDecision(action=TokenAction.WAIT, wait_s=timeout_s)
    if not history.may_ask(now):
        return _FAIL
    return TokenDecision(action=TokenAction.WAIT, cause=cause, wait_s=timeout_s)


def backoff_s(failures: int, *, refused: bool, jitter: float) -> float:
    """Seconds until the next request after so many failures in a row: 1 to 60, doubling, of which jitter takes up to half.

    After a refusal only a change of the configuration helps, so the back-off is the longest at once.
    """
    return (RETRY_LAST_S if refused else doubled_s(failures)) * (0.5 + 0.5 * jitter)
