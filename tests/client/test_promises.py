"""The guarantees of the token cache, checked with every order of events that Hypothesis generates.

The state machine drives a `CachedToken` with its own clocks and chooses when and how each fetch ends. A simpler model runs in
parallel: the newest token, whether an API rejected it, and when the endpoint failed last. The computer may be suspended, and its
wall clock may step back.
"""

from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from m2mguard._authentication.proof import Client
from m2mguard._authentication.secret import ClientSecret
from m2mguard._clocks import JUMP_S, clocks_from
from m2mguard._reporting.reporter import Reporter
from m2mguard.client import AccessToken, TokenEndpointUnavailable, TokenRequestError, TokenRequestRefused
from m2mguard.client._cached_token import CachedToken, TokenFetch
from m2mguard.client._policy import JUST_FETCHED_S, REPLACEMENT_WAIT_S
from m2mguard.client._token_request import TokenTarget
from m2mguard.client._token_response import Granted
from m2mguard.events import Event
from m2mguard.net._shared_fetch import GRACE_S
from tests.held_flight import HeldFlight
from tests.manual_clock import ManualClock

TIMEOUT_S = 5.0
CLIENT = Client(client_id="app", authentication=ClientSecret("secret"))
SECONDS = st.one_of(
    st.floats(0, 2), st.floats(0, 70), st.sampled_from([0.0, 0.5, 1.0, 5.0, 6.0, 30.0, 60.0, 3240.0, 3600.0])
)


@dataclass
class Fetcher:
    """Replaces a `TokenFetcher`: returns or raises the given outcome."""

    outcome: Granted | TokenRequestError | None = None
    issuer: str = "https://issuer.example"
    token_endpoint: str | None = None
    timeout_s: float = TIMEOUT_S
    client: Client = CLIENT

    dpop = None

    def fetch(self, target: TokenTarget) -> Granted:
        if isinstance(self.outcome, Granted):
            return self.outcome
        assert self.outcome is not None
        raise self.outcome


@dataclass
class Request:
    """One token request in the model."""

    number: int
    began_at: float
    started_at: float
    flight: HeldFlight


class Time:
    """A wall clock and a monotonic one; `now` is the time by which tokens age."""

    def __init__(self) -> None:
        self.wall = ManualClock(1_790_000_000.0)
        self.monotonic = ManualClock(5_000.0)
        self.clocks = clocks_from(self.wall, self.monotonic)

    @property
    def now(self) -> float:
        return self.clocks.ages()

    def advance(self, seconds: float) -> None:
        self.wall.advance(seconds)
        self.monotonic.advance(seconds)


class TokenPromises(RuleBasedStateMachine):
    @initialize(jitter=st.sampled_from([0.0, 0.5, 1.0]))
    def begin(self, jitter: float) -> None:
        self.clock = Time()
        self.fetcher = Fetcher()
        self.events: list[Event] = []
        self.cached = CachedToken(
            fetcher=cast(Any, self.fetcher),
            target=TokenTarget(),
            clocks=replace(self.clock.clocks, jitter=lambda: jitter),
            reporter=Reporter(self.events.append, monotonic=self.clock.monotonic),
        )
        self.best: tuple[int, str, float, float] | None = (
            None  # the newest token: number, value, asked at, valid before
        )
        self.best_until = 0.0  # by the wall clock, which may be ahead by less than a jump
        self.rejected = ""  # the token whose rejection by an API counted
        self.failed_since = False
        self.begun = 0
        self.given_up = 0
        self.pending: list[Request] = []
        self.fetches: list[TokenFetch] = []
        self.waiting: list[tuple[Any, Any]] = []
        self.silent_until = 0.0

    # Events outside the client

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from([2.0, 5.0, 10.0, 70.0, 3600.0, 28_800.0]))
    def the_machine_sleeps(self, seconds: float) -> None:
        before = self.clock.now
        self.clock.wall.advance(seconds)
        assert self.clock.now == pytest.approx(before + seconds, abs=2 * JUMP_S)

    @rule(seconds=st.sampled_from([0.5, 60.0, 3600.0, 1e9]))
    def the_wall_clock_steps_back(self, seconds: float) -> None:
        before = self.clock.now
        self.clock.wall.advance(-seconds)
        assert self.clock.now == before

    @precondition(lambda self: self.pending)
    @rule(which=st.integers(0, 9), lifetime_s=st.sampled_from([2.0, 20.0, 59.0, 300.0, 3600.0]))
    def a_token_is_granted(self, which: int, lifetime_s: float) -> None:
        request = self.pending.pop(which % len(self.pending))
        self.fetcher.outcome = Granted(value=f"token-{request.number}", lifetime_s=lifetime_s, scopes=frozenset())
        in_flight = self.cached._in_flight
        request.flight.run()
        began_at = request.began_at
        if self.clock.now >= began_at + lifetime_s and self._was_suspended(request) and self._is(in_flight, request):
            began_at = self.clock.now  # the request was sent again
        if self.clock.now >= began_at + lifetime_s:
            self._failed(request, in_flight, 0.5)
        elif self.best is None or request.number > self.best[0]:
            self.best = (request.number, f"token-{request.number}", began_at, began_at + lifetime_s)
            self.best_until = self.clock.wall.now + began_at + lifetime_s - self.clock.now
            self.rejected = ""
            self.failed_since, self.silent_until = False, 0.0  # an endpoint that answers late answers
        if self._is(in_flight, request):
            self.failed_since = False

    def _was_suspended(self, request: Request) -> bool:
        return self.clock.now - request.began_at > self.clock.monotonic.now - request.started_at + JUMP_S

    @staticmethod
    def _is(in_flight: Any, request: Request) -> bool:
        return in_flight is not None and in_flight.flight is request.flight

    @precondition(lambda self: self.pending)
    @rule(which=st.integers(0, 9), refused=st.booleans())
    def a_request_fails(self, which: int, refused: bool) -> None:
        request = self.pending.pop(which % len(self.pending))
        kind = TokenRequestRefused if refused else TokenEndpointUnavailable
        self.fetcher.outcome = kind("other" if refused else "status", "detail")
        in_flight = self.cached._in_flight
        request.flight.run()
        self._failed(request, in_flight, 30.0 if refused else 0.5)

    def _failed(self, request: Request, in_flight: Any, back_off_s: float) -> None:
        if self._is(in_flight, request):
            self.silent_until = self.clock.now + back_off_s
            self.failed_since = True

    # Actions of callers

    @rule()
    def a_caller_needs_a_token(self) -> None:
        valid = self._valid()
        steps = self.cached.token()
        try:
            wait = next(steps)
        except StopIteration as end:
            self._check(end.value)
        except TokenRequestError:
            assert not valid, "an error although there is a valid token"
        else:
            if valid:
                assert self.best is not None
                assert self.rejected == self.best[1], "a wait although there is a valid token"
                assert not self.failed_since, "a wait for a replacement although the endpoint fails"
            assert wait.timeout_s <= (REPLACEMENT_WAIT_S if valid else TIMEOUT_S)
            self.waiting.append((steps, wait))
        self._record_started_request()

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 99))
    def a_caller_returns(self, which: int) -> None:
        steps, wait = self.waiting.pop(which % len(self.waiting))
        try:
            again = steps.send(wait.flight.wait(0))
        except StopIteration as end:
            self._check(end.value)
        except TokenRequestError:
            assert not self._valid()
        else:
            assert any(fetch.flight is wait.flight and fetch.dropped for fetch in self.fetches), (
                "waits twice for one request"
            )
            self.waiting.append((steps, again))
        self._record_started_request()

    @precondition(lambda self: self.best)
    @rule(granted=st.sampled_from(["token-1", "token-2", "the newest"]), waiting=st.booleans())
    def an_api_rejects_a_token(self, granted: str, waiting: bool) -> None:
        assert self.best is not None
        held = self.cached._held
        assert held is not None
        current = granted == "the newest"
        rejected = held.token if current else AccessToken(value=granted, scopes=frozenset(), expires_at=0.0)
        _, newest, asked_at, ends_at = self.best
        before = self.begun
        if waiting:
            waits = next(self.cached.replacement(rejected), None) is not None
            assert current or not waits
        else:
            self.cached.reject(rejected)
        counts = rejected.value == newest and self.clock.now >= asked_at + min(JUST_FETCHED_S, (ends_at - asked_at) / 2)
        if counts:
            self.rejected = newest
        self._record_started_request()
        assert counts or self.begun == before

    # The guarantees

    def _valid(self) -> bool:
        return self.best is not None and self.clock.now < self.best[3] and self.clock.wall.now < self.best_until

    def _check(self, token: AccessToken) -> None:
        assert self.best is not None
        assert token.value == self.best[1], "a token was served that is not the newest"
        assert self._valid(), "an expired token was served"
        assert self.clock.wall.now < token.expires_at, "a token was served that is past its expires_at"

    def _record_started_request(self) -> None:
        fetch = self.cached._in_flight
        if fetch is None and self.pending and self.pending[-1].number == self.begun > self.given_up:
            self.given_up = self.begun
            if self.clock.monotonic.now >= self.pending[-1].started_at + TIMEOUT_S + GRACE_S:
                self.silent_until = self.pending[-1].began_at + TIMEOUT_S + 0.5
                self.failed_since = True
        if fetch is None or fetch.number == self.begun:
            return
        assert fetch.number == self.begun + 1, "a call made two requests"
        assert self.clock.now >= self.silent_until, "a request was sent during the back-off"
        for request in self.pending:
            assert self.clock.now >= request.began_at + TIMEOUT_S + GRACE_S, "two requests at once"
        assert fetch.began_at == self.clock.now, "the age of a token does not count from its request"
        self.begun = fetch.number
        self.fetches.append(fetch)
        assert isinstance(fetch.flight, HeldFlight)
        self.pending.append(
            Request(
                number=fetch.number,
                began_at=fetch.began_at,
                started_at=fetch.began_monotonic,
                flight=fetch.flight,
            )
        )

    @invariant()
    def no_valid_token_is_lost(self) -> None:
        if self.best is not None:
            assert self.cached._held is not None
            assert self.cached._held.token.value == self.best[1]


@pytest.fixture(autouse=True)
def held_flights(monkeypatch):
    monkeypatch.setattr("m2mguard.net._shared_fetch.Flight", HeldFlight)


TestTokenPromises = TokenPromises.TestCase
TestTokenPromises.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
