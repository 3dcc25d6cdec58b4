"""The promises about a token, held against whatever order of events Hypothesis can think of.

The machine drives a `TokenKeeper` with a clock of its own and flights that wait to be told how they end. Beside it runs a much
simpler model: the newest token that was granted, and when the endpoint failed last.
"""

from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from m2mguard.client import AccessToken, TokenEndpointUnavailable, TokenRequestError, TokenRequestRefused, keeping
from m2mguard.client.keeping import FLIGHT_GRACE_S, Clocks, TokenKeeper
from m2mguard.client.renewal import JUST_FETCHED_S
from m2mguard.client.token_request import ClientCredentials, TokenTarget
from m2mguard.client.token_response import Granted
from m2mguard.events import Event
from m2mguard.net.flight import Flight
from m2mguard.reporting import Reporter
from tests.manual_clock import ManualClock

TIMEOUT_S = 5.0
CREDENTIALS = ClientCredentials(client_id="app", client_secret="secret")
SECONDS = st.one_of(
    st.floats(0, 2), st.floats(0, 70), st.sampled_from([0.0, 0.5, 1.0, 5.0, 6.0, 30.0, 60.0, 3240.0, 3600.0])
)


class Airborne(Flight):
    """A flight that lands only when the machine says so."""

    def launch(self) -> None:
        """Take off, without a thread."""

    def end(self) -> None:
        self._run()


@dataclass
class Fetcher:
    """Has the place of a `TokenFetcher`: brings what it was told to bring."""

    outcome: Granted | TokenRequestError | None = None
    issuer: str = "https://issuer.example"
    token_endpoint: str | None = None
    timeout_s: float = TIMEOUT_S
    credentials: ClientCredentials = CREDENTIALS

    def fetch(self, target: TokenTarget) -> Granted:
        if isinstance(self.outcome, Granted):
            return self.outcome
        assert self.outcome is not None
        raise self.outcome


@dataclass
class Request:
    """One token request as the model sees it."""

    number: int
    began_at: float
    flight: Airborne


class TokenPromises(RuleBasedStateMachine):
    @initialize(dice=st.sampled_from([0.0, 0.5, 1.0]))
    def begin(self, dice: float) -> None:
        self.clock = ManualClock()
        self.fetcher = Fetcher()
        self.events: list[Event] = []
        self.keeper = TokenKeeper(
            fetcher=cast(Any, self.fetcher),
            target=TokenTarget(),
            clocks=Clocks(monotonic=self.clock, wall=self.clock, dice=lambda: dice),
            reporter=Reporter(self.events.append, monotonic=self.clock),
        )
        self.best: tuple[int, str, float, float] | None = (
            None  # the newest token: number, value, asked at, valid before
        )
        self.begun = 0
        self.given_up = 0
        self.flying: list[Request] = []
        self.waiting: list[tuple[Any, Any]] = []
        self.silent_until = 0.0

    # What happens outside

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.flying)
    @rule(which=st.integers(0, 9), lifetime_s=st.sampled_from([2.0, 20.0, 59.0, 300.0, 3600.0]))
    def a_token_is_granted(self, which: int, lifetime_s: float) -> None:
        request = self.flying.pop(which % len(self.flying))
        self.fetcher.outcome = Granted(value=f"token-{request.number}", lifetime_s=lifetime_s, scopes=frozenset())
        underway = self.keeper._underway
        request.flight.end()
        if self.clock.now >= request.began_at + lifetime_s:
            self._failed(request, underway, 0.5)
        elif self.best is None or request.number > self.best[0]:
            self.best = (request.number, f"token-{request.number}", request.began_at, request.began_at + lifetime_s)

    @precondition(lambda self: self.flying)
    @rule(which=st.integers(0, 9), refused=st.booleans())
    def a_request_fails(self, which: int, refused: bool) -> None:
        request = self.flying.pop(which % len(self.flying))
        kind = TokenRequestRefused if refused else TokenEndpointUnavailable
        self.fetcher.outcome = kind("reason", "detail")
        underway = self.keeper._underway
        request.flight.end()
        self._failed(request, underway, 30.0 if refused else 0.5)

    def _failed(self, request: Request, underway: Any, back_off_s: float) -> None:
        if underway is not None and underway.flight is request.flight:
            self.silent_until = self.clock.now + back_off_s

    # What callers do

    @rule()
    def a_caller_comes(self) -> None:
        valid = self._valid()
        steps = self.keeper.token()
        try:
            wait = next(steps)
        except StopIteration as end:
            self._check(end.value)
        except TokenRequestError:
            assert not valid, "an error although a valid token is at hand"
        else:
            assert not valid, "a wait although a valid token is at hand"
            assert wait.timeout_s <= TIMEOUT_S
            self.waiting.append((steps, wait))
        self._note_what_began()

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 99))
    def a_caller_is_back(self, which: int) -> None:
        steps, wait = self.waiting.pop(which % len(self.waiting))
        with pytest.raises((StopIteration, TokenRequestError)) as ended:  # nobody waits twice
            steps.send(wait.flight.wait(0))
        if isinstance(ended.value, StopIteration):
            self._check(ended.value.value)
        else:
            assert not self._valid()
        self._note_what_began()

    @precondition(lambda self: self.best)
    @rule(granted=st.sampled_from(["token-1", "token-2", "the newest"]))
    def an_api_rejects_a_token(self, granted: str) -> None:
        assert self.best is not None
        held = self.keeper._held
        assert held is not None
        current = granted == "the newest"
        rejected = held.token if current else AccessToken(value=granted, scopes=frozenset(), expires_at=0.0)
        _, newest, asked_at, ends_at = self.best
        before = self.begun
        steps = self.keeper.replacement(rejected)
        waits = next(steps, None) is not None
        assert current or not waits
        self._note_what_began()
        if self.begun > before:
            assert rejected.value == newest
            assert self.clock.now >= asked_at + min(JUST_FETCHED_S, (ends_at - asked_at) / 2)

    # What must hold

    def _valid(self) -> bool:
        return self.best is not None and self.clock.now < self.best[3]

    def _check(self, token: AccessToken) -> None:
        assert self.best is not None
        assert token.value == self.best[1], "another token than the newest was given out"
        assert self._valid(), "an expired token was given out"

    def _note_what_began(self) -> None:
        attempt = self.keeper._underway
        if attempt is None and self.flying and self.flying[-1].number == self.begun > self.given_up:
            self.given_up = self.begun
            self.silent_until = self.clock.now + 0.5
        if attempt is None or attempt.number == self.begun:
            return
        assert attempt.number == self.begun + 1, "a call made two requests"
        assert self.clock.now >= self.silent_until, "a request was made during the back-off"
        for request in self.flying:
            assert self.clock.now >= request.began_at + TIMEOUT_S + FLIGHT_GRACE_S, "two requests at once"
        self.begun = attempt.number
        assert isinstance(attempt.flight, Airborne)
        self.flying.append(Request(number=attempt.number, began_at=attempt.began_at, flight=attempt.flight))

    @invariant()
    def no_valid_token_is_lost(self) -> None:
        if self.best is not None:
            assert self.keeper._held is not None
            assert self.keeper._held.token.value == self.best[1]


@pytest.fixture(autouse=True)
def flights_that_wait(monkeypatch):
    monkeypatch.setattr(keeping, "Flight", Airborne)


TestTokenPromises = TokenPromises.TestCase
TestTokenPromises.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
