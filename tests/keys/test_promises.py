"""The guarantees of the key cache, checked with every order of events that Hypothesis generates.

The state machine drives a `KeyState` with its own clock and without I/O. It chooses when a fetch ends and with what result, when a
caller times out, and when the issuer rotates its keys. A simpler model runs in parallel.

There are three kinds of callers: applications that were verified before, other applications, and forgers who invent key ids. The
guarantees: a forger does not delay a known application, and delays any other caller by at most `cooldown / burst`; a token that may be
good is never refused; invented key ids cause at most `burst` requests in a cool-down.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from m2mguard import KeyCaching
from m2mguard._clocks import Clocks
from m2mguard._keys.fetch import Fetched, FetchFailed, FetchFailure
from m2mguard._keys.key_fetch_history import KeyFetchHistory, Waiter
from m2mguard._keys.key_set import KeySet, key_set_from_members
from m2mguard._keys.key_state import KeyFetch, KeyState
from m2mguard._keys.policy import KeyAction, KeyDecision
from m2mguard._keys.snapshot import KeyRequest
from m2mguard.testing import SigningKey
from tests.held_flight import HeldFlight
from tests.manual_clock import ManualClock

JWKS = {kid: SigningKey.generate("ES256", kid=kid).public_jwk for kid in ("a", "b", "c")}
FORGED = ("x", "y", "z")
EPOCH = 1_790_000_000.0 - 1_000_000.0  # the wall clock when the monotonic clock is 0
MINUTE = 60.0
SECONDS = st.one_of(
    st.floats(0, 2),
    st.floats(0, 40),
    st.sampled_from([0.0, 1.0, 5.0, 6.0, 15.0, 30.0, 60.0, 240.0, 300.0, 3600.0, 86_400.0]),
)
CACHINGS = [
    KeyCaching(),
    KeyCaching(stale_for=0),
    KeyCaching(burst=0),
    KeyCaching(burst=1, cooldown=60, max_wait=0),
    KeyCaching(burst=6),
    KeyCaching(ttl=10, stale_for=20),
]


def published(kids: frozenset[str]) -> KeySet:
    return key_set_from_members({"keys": [JWKS[kid] for kid in sorted(kids)]}, max_keys=3)


@dataclass
class Caller:
    request: KeyRequest
    since: float
    waits_for: KeyFetch


@dataclass
class InFlight:
    fetch: KeyFetch
    kids: frozenset[str]  # the key ids that the issuer published when it started


@dataclass
class Cost:
    """Requests of the fetches for unknown keys that found nothing: (time, requests)."""

    unknown: list[tuple[float, int]] = field(default_factory=list)
    known: list[tuple[float, int]] = field(default_factory=list)

    def since(self, then: float) -> int:
        return sum(requests for at, requests in (*self.unknown, *self.known) if at > then)


class KeyPromises(RuleBasedStateMachine):
    @initialize(caching=st.sampled_from(CACHINGS), jitter=st.sampled_from([0.0, 0.3, 1.0]))
    def begin(self, caching: KeyCaching, jitter: float) -> None:
        self.caching = caching
        self.clock = ManualClock()
        clocks = Clocks(wall=lambda: EPOCH + self.clock(), ages=self.clock, monotonic=self.clock, jitter=lambda: jitter)
        self.state = KeyState(
            fetch=self._answer, caching=caching, clocks=clocks, on_kept=self._on_kept, on_failure=self._on_failure
        )
        self.answer: Fetched | None = None  # the result of the fetch that ends next; None: it fails
        self.kept: list[KeyFetch] = []
        self.kids = frozenset("a")  # the key ids that the issuer publishes
        self.published_since = {"a": self.clock.now}
        self.best: tuple[int, float, frozenset[str]] | None = None  # the newest result: number, start, key ids
        self.void = 0
        self.begun = 0
        self.pending: list[InFlight] = []
        self.waiting: list[Caller] = []
        self.failed_at: float | None = None
        self.cost = Cost()

    # Events outside the server

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(kids=st.frozensets(st.sampled_from("abc"), min_size=1))
    def the_issuer_rotates(self, kids: frozenset[str]) -> None:
        self.clock.advance(1e-6)
        for kid in kids - self.kids:
            self.published_since[kid] = self.clock.now
        self.kids = kids

    def _answer(self, fetch: KeyFetch) -> Fetched:
        fetch.requests = 2 if fetch.cause == "cold" else 1
        if self.answer is None:
            raise FetchFailed("no_connection", "failed")
        return self.answer

    def _on_kept(self, fetch: KeyFetch, fetched: Fetched, before: KeySet | None) -> None:
        assert before is None or self.best is not None
        self.kept.append(fetch)

    def _on_failure(self, fetch: KeyFetch, failure: FetchFailure, history: KeyFetchHistory) -> None:
        self.failed_at = history.failed_at
        if failure.problem != "overdue":
            assert history.failed_at == self.clock.now
            self._count(fetch)
            return
        assert self.clock.now >= fetch.began_at + self.caching.timeout + 1
        assert history.failed_at == fetch.began_at + self.caching.timeout, "an overdue fetch failed at another time"
        if fetch.cause != "cold":
            self._count(fetch)

    @precondition(lambda self: self.pending)
    @rule(which=st.integers(0, 99), good=st.booleans(), is_late=st.booleans())
    def a_fetch_ends(self, which: int, good: bool, is_late: bool) -> None:
        """It returns the keys that were published when it started (`is_late`: the current ones)."""
        ending = self.pending.pop(which % len(self.pending))
        fetch, kids = ending.fetch, self.kids if is_late else ending.kids
        held = self.state.snapshot
        before = self.best[2] if self.best else None
        self.answer = Fetched(keys=published(kids), max_age=None, etag=None, jwks_uri="") if good else None
        assert isinstance(fetch.flight, HeldFlight)
        fetch.flight.run()
        assert fetch.flight.wait(0), "the waiters were not woken"
        if not good:
            assert self.state.snapshot is held, "a failed fetch removed or changed keys"
            return
        expected = fetch.number > max(self.void, self.best[0] if self.best else 0)
        assert expected == (fetch in self.kept)
        if expected:
            self.best = (fetch.number, fetch.began_at, kids)
            self.failed_at = None
            news = fetch.request is None or fetch.request.kid in kids or (before is not None and kids - before)
            if not news:
                self._count(fetch)

    # Actions of callers

    @rule(kid=st.sampled_from("abc"), is_known=st.booleans(), age=st.sampled_from([0.0, 1.0, 59.0, 600.0]))
    def a_caller_sends_a_token(self, kid: str, is_known: bool, age: float) -> None:
        request = self._request(kid, is_known=is_known, age=age)
        self._ask(request, self.clock.now, None)

    @rule(
        kid=st.sampled_from(FORGED), is_known=st.sampled_from([False, False, True]), age=st.sampled_from([0.0, 600.0])
    )
    def a_forger_sends_a_token(self, kid: str, is_known: bool, age: float) -> None:
        request = self._request(kid, is_known=is_known, age=age)
        self._ask(request, self.clock.now, None)

    @rule(kid=st.sampled_from(("a", *FORGED)), is_known=st.booleans(), good=st.booleans())
    def a_caller_sends_a_token_and_the_issuer_answers(self, kid: str, is_known: bool, good: bool) -> None:
        request = self._request(kid, is_known=is_known)
        self._ask(request, self.clock.now, None)
        if self.pending:
            self.a_fetch_ends(len(self.pending) - 1, good, True)
        if self.waiting:
            self.a_caller_returns(len(self.waiting) - 1, False)

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 99), timed_out=st.booleans())
    def a_caller_returns(self, which: int, timed_out: bool) -> None:
        caller = self.waiting[which % len(self.waiting)]
        ended = caller.waits_for is not self.state._in_flight
        if not ended and not timed_out:
            return
        if not ended:  # its wait timed out in real time, which may be at any time of the injected clock
            self.state.waiter_timed_out(caller.waits_for)
        self.waiting.remove(caller)
        self._ask(caller.request, caller.since, Waiter(since=caller.since, timed_out=not ended))

    # Actions of operators

    @rule()
    def refresh(self) -> None:
        fetch = self.state.start_fetch()
        assert fetch is self._record_started_fetch()

    @rule()
    def warm_up(self) -> None:
        self.give_up_overdue()
        in_flight = self.state._in_flight
        fetch = self.state.join_or_start_fetch()
        assert self._record_started_fetch() is (None if fetch is in_flight else fetch)
        if fetch is None:
            assert self.best is not None
            assert self.clock.now < self.best[1] + self.caching.ttl, "warm_up treated expired keys as fresh"

    @rule()
    def a_readiness_probe(self) -> None:
        self.give_up_overdue()
        status = self.state.status()
        self.state.fetch_if_unusable()
        if self._record_started_fetch() is not None:
            assert status.snapshot is None or self.clock.now >= status.snapshot.stale_until
            assert status.history.may_ask(self.clock.now)

    @rule()
    def purge(self) -> None:
        self.state.purge()
        self.best = None
        self.failed_at = None
        self.void = self.begun
        self.cost = Cost()
        assert self.state.snapshot is None

    # The guarantees

    def _request(self, kid: str, *, is_known: bool, age: float = 0.0) -> KeyRequest:
        self.clock.advance(1e-6)
        return KeyRequest(kid=kid, alg="ES256", issued_at=EPOCH + self.clock.now - age, is_known=is_known)

    def _is_good(self, request: KeyRequest) -> bool:
        """Whether its key was published before the token was issued and still is."""
        assert request.issued_at is not None
        kid = str(request.kid)
        return kid in self.kids and EPOCH + self.published_since[kid] <= request.issued_at

    def _ask(self, request: KeyRequest, since: float, waiter: Waiter | None) -> None:
        now, caching = self.clock.now, self.caching
        self.give_up_overdue()
        fit = self.best is not None and now < self.best[1] + max(caching.stale_for, caching.ttl)
        known = fit and self.best is not None and request.kid in self.best[2]
        before = self.state.status().history
        resolution = self.state.resolve(request, waiter)
        began = self._record_started_fetch()
        decision = resolution.decision
        match decision.action:
            case KeyAction.SERVE | KeyAction.SERVE_AND_REFRESH:
                assert known, "served a key that is not in the newest result, or is stale"
            case KeyAction.REFUSE:
                assert fit, "refused without keys instead of unavailable"
                assert not known, "refused a known key"
                assert not self._is_good(request), "refused a token that may be good"
                assert self.best is not None
                assert self.best[1] >= since or EPOCH + self.best[1] - MINUTE > (request.issued_at or 0)
            case KeyAction.UNAVAILABLE:
                assert not known, "a known key was not served"
                assert decision.retry_after > 0
                if decision.throttled:
                    self._check_delay(request, decision, fit=fit)
            case KeyAction.WAIT:
                self._check_wait(decision.wait_until, since, waiter, fit=fit, known=known)
                assert resolution.wait_for is not None
                self.waiting.append(Caller(request, since, resolution.wait_for))
        if began is not None:
            assert before.in_flight_since is None, "two fetches at once"
            self._check_permission(began, now, fit=fit, known=known)
        self.clock.advance(1e-6)  # no two events happen at the same time

    def _check_delay(self, request: KeyRequest, decision: KeyDecision, *, fit: bool) -> None:
        """No caller waits for the rate limit, and a forger cannot make `retry_after` longer than its bound."""
        caching, now = self.caching, self.clock.now
        if not caching.burst or not fit:
            return
        pace = caching.cooldown / caching.burst
        if request.is_known and caching.burst > 1:
            assert self.cost.known, "a forger delayed a known application"
            assert self.cost.known[-1][0] > now - caching.cooldown, "the reserved fetch is not allowed again"
        if not self.cost.known and all(requests == 1 for _, requests in self.cost.unknown):
            assert decision.retry_after <= pace + 1e-6, "a forger delayed a caller by more than the bound"

    def _check_wait(self, until: float, since: float, waiter: Waiter | None, *, fit: bool, known: bool) -> None:
        assert until <= since + (self.caching.max_wait if fit else self.caching.timeout), "a wait past its deadline"
        assert waiter is None or not waiter.timed_out, "waits again, after a time-out"
        if known:
            assert self.best is not None
            assert waiter is None, "a known key waited twice"
            assert self.clock.now >= self.best[1] + self.caching.ttl, "a known key waited within its ttl"
            recently = self.failed_at is not None and self.clock.now < self.failed_at + 120
            assert not recently, "a known key waited for an issuer that fails"

    def _check_permission(self, fetch: KeyFetch, now: float, *, fit: bool, known: bool) -> None:
        burst, cooldown = self.caching.burst, self.caching.cooldown
        if fetch.cause == "unknown_key":
            assert fit
            assert not known
            assert burst
            reserved = 1 if fetch.is_known and burst > 1 else 0  # in addition to the requests for other callers
            assert self.cost.since(now - cooldown + 1e-6) < burst + reserved, (
                "more requests for unknown keys than allowed"
            )
        elif self.failed_at is not None:
            assert now >= self.failed_at + 0.5, "no back-off after a failure"
        if fetch.cause == "refresh_ahead":
            assert known

    def _count(self, fetch: KeyFetch) -> None:
        if fetch.request is not None:
            cost = self.cost.known if fetch.is_known else self.cost.unknown
            cost.append((fetch.began_at, max(1, fetch.requests)))

    def _record_started_fetch(self) -> KeyFetch | None:
        if self.state._begun == self.begun:
            return None
        self.begun += 1
        assert self.state._begun == self.begun, "one call started two fetches"
        fetch = self.state._in_flight
        assert fetch is not None
        self.pending.append(InFlight(fetch, self.kids))
        return fetch

    @rule()
    def give_up_overdue(self) -> None:
        self.state._give_up_overdue()

    @invariant()
    def the_state_agrees_with_the_model(self) -> None:
        if not hasattr(self, "state"):
            return
        snapshot = self.state.snapshot
        if self.best is None:
            assert snapshot is None
        else:
            assert snapshot is not None
            assert {key.kid for key in snapshot.keys.keys} == self.best[2]
            assert snapshot.fetched_at == self.best[1]
            assert self.best[1] <= snapshot.refresh_at <= snapshot.expires_at <= snapshot.stale_until


@pytest.fixture(autouse=True)
def held_flights(monkeypatch):
    monkeypatch.setattr("m2mguard.net._shared_fetch.Flight", HeldFlight)


TestKeyPromises = KeyPromises.TestCase
TestKeyPromises.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
