"""The promises about keys, held against whatever order of events Hypothesis can think of.

The machine drives a `Ledger`, which holds `decide` and `Attempts`, with a clock of its own and without any I/O: it decides when an
attempt lands, and with what; when a caller's patience ends; when the issuer rotates. Beside it runs a much simpler model.
"""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from m2mguard import KeyCaching
from m2mguard.keys.attempts import Asked
from m2mguard.keys.fetching import Fetched
from m2mguard.keys.freshness import Action
from m2mguard.keys.jwks import KeySet, key_set
from m2mguard.keys.ledger import Ledger
from m2mguard.keys.rulings import Attempt
from m2mguard.testing import SigningKey
from tests.manual_clock import ManualClock

JWKS = {kid: SigningKey.generate("ES256", kid=kid).public_jwk for kid in ("a", "b", "c")}
FORGED = ("x", "y", "z")
SECONDS = st.one_of(
    st.floats(0, 2), st.floats(0, 40), st.sampled_from([0.0, 1.0, 5.0, 6.0, 30.0, 60.0, 240.0, 300.0, 3600.0, 86_400.0])
)
CACHINGS = [
    KeyCaching(),
    KeyCaching(stale_for=0),
    KeyCaching(burst=0),
    KeyCaching(burst=1, cooldown=60, max_wait=0),
    KeyCaching(ttl=10, stale_for=20),
]


def published(kids: frozenset[str]) -> KeySet:
    return key_set({"keys": [JWKS[kid] for kid in sorted(kids)]}, max_keys=3)


@dataclass
class Caller:
    kid: str
    since: float
    waits_for: Attempt


class KeyPromises(RuleBasedStateMachine):
    @initialize(caching=st.sampled_from(CACHINGS), dice=st.sampled_from([0.0, 0.3, 1.0]))
    def begin(self, caching: KeyCaching, dice: float) -> None:
        self.caching = caching
        self.clock = ManualClock()
        self.ledger = Ledger(fly=lambda attempt: None, caching=caching, monotonic=self.clock, dice=lambda: dice)
        self.kids = frozenset("a")  # what the issuer publishes
        self.best: tuple[int, float, frozenset[str]] | None = None  # the newest good answer: number, begun at, key ids
        self.void = 0
        self.begun = 0
        self.flying: list[Attempt] = []
        self.waiting: list[Caller] = []
        self.failed_at: float | None = None
        self.asked_about_unknown: list[float] = []

    # What happens outside

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(kids=st.frozensets(st.sampled_from("abc"), min_size=1))
    def the_issuer_rotates(self, kids: frozenset[str]) -> None:
        self.kids = kids

    @precondition(lambda self: self.flying)
    @rule(which=st.integers(0, 99), good=st.booleans())
    def an_attempt_lands(self, which: int, good: bool) -> None:
        attempt = self.flying.pop(which % len(self.flying))
        held = self.ledger.snapshot
        if not good:
            if self.ledger.land_failed(attempt, "failed") is not None:
                self.failed_at = self.clock.now
            assert self.ledger.snapshot is held, "a failed fetch removed or changed keys"
            return
        answer = Fetched(keys=published(self.kids), max_age=None, etag=None, jwks_uri="", discovered_at=0)
        wanted, _ = self.ledger.land_good(attempt, answer)
        assert wanted == (attempt.number > max(self.void, self.best[0] if self.best else 0))
        if wanted:
            self.best = (attempt.number, attempt.began_at, self.kids)
            self.failed_at = None
            if attempt.cause == "cold" and attempt.kid is not None and attempt.kid not in self.kids:
                self.asked_about_unknown.append(attempt.began_at)

    # What callers do

    @rule(kid=st.sampled_from("abc"))
    def a_caller_comes(self, kid: str) -> None:
        self._ask(kid, self.clock.now, None)

    @rule(kid=st.sampled_from(FORGED))
    def a_forger_comes(self, kid: str) -> None:
        self._ask(kid, self.clock.now, None)

    @rule(kid=st.sampled_from(("a", *FORGED)), good=st.booleans())
    def a_caller_comes_and_the_issuer_answers_at_once(self, kid: str, good: bool) -> None:
        self._ask(kid, self.clock.now, None)
        if self.flying:
            self.an_attempt_lands(len(self.flying) - 1, good)
        if self.waiting:
            self.a_caller_is_back(len(self.waiting) - 1, False)

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 99), in_vain=st.booleans())
    def a_caller_is_back(self, which: int, in_vain: bool) -> None:
        caller = self.waiting[which % len(self.waiting)]
        landed = caller.waits_for is not self.ledger._underway
        if not landed and not in_vain:
            return
        if not landed:  # its patience has ended: in real time, so with an injected clock that may be at any moment
            self.ledger.found_slow(caller.waits_for)
        self.waiting.remove(caller)
        self._ask(caller.kid, caller.since, Asked(since=caller.since, in_vain=not landed))

    # What operators do

    @rule()
    def refresh(self) -> None:
        attempt = self.ledger.demand()
        assert attempt is not None
        self._note(attempt)

    @rule()
    def warm_up(self) -> None:
        self.give_up_overdue()
        attempt, begun = self.ledger.join_or_demand()
        if begun:
            assert attempt is not None
            self._note(attempt)
        elif attempt is None:
            assert self.best is not None
            assert self.clock.now < self.best[1] + self.caching.ttl, "warm_up took old keys for fresh ones"

    @rule()
    def a_readiness_probe(self) -> None:
        self.give_up_overdue()
        status = self.ledger.status()
        attempt = self.ledger.try_again()
        if attempt is not None:
            assert status.snapshot is None or self.clock.now >= status.snapshot.stale_until
            assert status.attempts.failures or status.snapshot is not None, "a probe asked on its own account"
            assert status.attempts.may_ask(self.clock.now)
            self._note(attempt)

    @rule()
    def purge(self) -> None:
        self.ledger.purge()
        self.best = None
        self.failed_at = None
        self.void = self.begun
        assert self.ledger.snapshot is None

    # The promises

    def _ask(self, kid: str, since: float, asked: Asked | None) -> None:
        now, caching = self.clock.now, self.caching
        self.give_up_overdue()
        fit = self.best is not None and now < self.best[1] + max(caching.stale_for, caching.ttl)
        known = fit and self.best is not None and kid in self.best[2]
        before = self.ledger.status().attempts
        ruling = self.ledger.rule(kid, asked)
        decision = ruling.decision
        match decision.action:
            case Action.SERVE | Action.SERVE_AND_REFRESH:
                assert known, "served a key that the newest good answer does not hold, or past the stale edge"
            case Action.REFUSE:
                assert fit, "refused without keys: that is could not tell"
                assert not known, "refused a known key"
                if decision.throttled:
                    assert before.permit_after(now, caching) > 0
                    assert self.failed_at is None, "refused although the last answer was bad"
                else:
                    assert self.best is not None
                    assert self.best[1] >= since, "nobody was asked on this caller's behalf"
            case Action.UNAVAILABLE:
                assert not known, "a known key was not served"
                assert decision.retry_after > 0
            case Action.WAIT:
                self._check_wait(decision.wait_until, since, asked, fit=fit, known=known)
                assert ruling.wait_for is not None
                self.waiting.append(Caller(kid, since, ruling.wait_for))
        if ruling.begun is not None:
            assert before.flying_since is None, "two attempts at once"
            self._check_permission(ruling.begun, now, fit=fit, known=known)
            self._note(ruling.begun)

    def _check_wait(self, until: float, since: float, asked: Asked | None, *, fit: bool, known: bool) -> None:
        assert until <= since + (self.caching.max_wait if fit else self.caching.timeout), "a wait without its bound"
        assert asked is None or not asked.in_vain, "waits again, after a wait in vain"
        if known:
            assert self.best is not None
            assert asked is None, "a known key waited twice"
            assert self.clock.now >= self.best[1] + self.caching.ttl, "a known key waited within its ttl"
            recently = self.failed_at is not None and self.clock.now < self.failed_at + 120
            assert not recently, "a known key waited for an issuer that fails"

    def _check_permission(self, attempt: Attempt, now: float, *, fit: bool, known: bool) -> None:
        if attempt.cause == "unknown_key":
            assert fit
            assert not known
            recent = [at for at in self.asked_about_unknown if at > now - self.caching.cooldown]
            assert len(recent) < self.caching.burst, "more questions about unknown keys than permitted"
            self.asked_about_unknown.append(now)
        elif self.failed_at is not None:
            assert now >= self.failed_at + 0.5, "no back-off after a failure"
        if attempt.cause == "refresh_ahead":
            assert known

    def _note(self, attempt: Attempt) -> None:
        self.begun += 1
        self.flying.append(attempt)

    @rule()
    def give_up_overdue(self) -> None:
        given_up = self.ledger.give_up_overdue("too late")
        if given_up is not None:
            attempt, attempts = given_up
            assert self.clock.now >= attempt.began_at + self.caching.timeout + 1
            self.failed_at = attempts.failed_at

    @invariant()
    def the_book_agrees_with_the_model(self) -> None:
        if not hasattr(self, "ledger"):
            return
        snapshot = self.ledger.snapshot
        if self.best is None:
            assert snapshot is None
        else:
            assert snapshot is not None
            assert {key.kid for key in snapshot.keys.keys} == self.best[2]
            assert snapshot.fetched_at == self.best[1]
            assert self.best[1] <= snapshot.refresh_at <= snapshot.expires_at <= snapshot.stale_until


TestKeyPromises = KeyPromises.TestCase
TestKeyPromises.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
