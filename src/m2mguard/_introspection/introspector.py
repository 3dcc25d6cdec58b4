"""Verifies opaque tokens of one issuer: what is remembered, else one shared question for each token, within a budget.

Pure CPU except the waits. The lock guards a few assignments; it is never held across I/O, a wait, a callback or the start of a thread.
"""

from __future__ import annotations

import re
from typing import Final

from m2mguard._introspection.active_token import check_active
from m2mguard._introspection.question import Asker
from m2mguard._introspection.verdicts import Active, RememberedAnswers, fresh
from m2mguard._keys.fetch import FetchFailed, FetchFailure
from m2mguard._reasons import FETCH_PROBLEMS
from m2mguard._reasons.codes import FetchProblem
from m2mguard._token.claims import Verdict
from m2mguard._token.jws import MAX_TOKEN_CHARACTERS
from m2mguard._token.token_profile import TokenProfile
from m2mguard.caller import Caller
from m2mguard.errors import AuthError, InvalidToken, KeysUnavailable
from m2mguard.events import IntrospectionFailed, TokenAccepted
from m2mguard.health import IntrospectionHealth
from m2mguard.net._fetch_history import FetchHistory, doubled_s
from m2mguard.net._flight import CannotStart, Flight, Resumable, Wait, after_fork_in_child, new_lock
from m2mguard.net._shared_fetch import GRACE_S

RETRY_LEAST_S: Final = 0.5
RETRY_LAST_S: Final = 5.0
_CREDENTIAL = re.compile(rb"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750 section 2.1
# A token can bring about any other failure, so only these keep us from asking about the next one.
_ABOUT_THE_ENDPOINT: Final = frozenset(
    (
        "name_not_resolved", "no_connection", "connect_timeout", "timeout", "overdue", "not_started", "proxy", "refused_target",
        "tls", "tls_expired", "tls_name", "tls_unknown_ca", "tls_strict",
        "no_metadata", "metadata_status", "metadata_not_json", "other_issuer", "no_endpoint", "bad_endpoint", "other_origin",
        "introspection_credentials", "introspection_proof",
    )
)  # fmt: skip
Outcome = Verdict | AuthError | FetchFailure


class Question:
    """A question in flight about one token. Of the token only its hash is kept."""

    __slots__ = ("began_at", "began_monotonic", "digest", "flight", "outcome")

    def __init__(self, digest: bytes, began_at: float, began_monotonic: float) -> None:
        self.digest: bytes = digest
        self.began_at: float = began_at
        self.began_monotonic: float = began_monotonic
        self.flight: Flight
        self.outcome: Outcome | None = None


class Introspector:
    """Turns opaque tokens into Callers. Safe to share between threads, event loops and greenlets, and across `fork`.

    Args:
        asker: makes one question.
        profile: how an active token of this issuer looks.
        max_cached: how many good verdicts are remembered, 0 for none.
    """

    def __init__(self, *, asker: Asker, profile: TokenProfile, max_cached: int) -> None:
        self._asker = asker
        self._settings = asker.settings
        self._profile = profile
        self._clocks = asker.runtime.clocks
        self._reporter = asker.runtime.reporter
        self._max_cached = max_cached if self._settings.ttl else 0
        self._reset()
        after_fork_in_child(self._after_fork)

    def _reset(self) -> None:
        """As at first."""
        self._lock = new_lock()
        self._history = FetchHistory()
        self._failure: FetchFailure | None = None
        self._in_flight: dict[bytes, Question] = {}
        self._begun = 0
        self._answers = RememberedAnswers(max_entries=self._max_cached)

    def _after_fork(self) -> None:
        """In a child process: the parent's locks may be held by threads that the child does not have."""
        self._asker.after_fork()
        self._reset()

    def forget(self) -> None:
        """Forget every verdict, and whatever the questions in flight may bring."""
        with self._lock:
            self._answers = RememberedAnswers(max_entries=self._max_cached)
            self._in_flight = {}

    def verify(self, token: bytes, digest: bytes) -> Caller | Resumable[Caller]:
        """The Caller of an opaque token, at once if it is remembered, else resumable work that ends with it.

        Args:
            token: the token.
            digest: its SHA-256.

        Raises:
            InvalidToken, InsufficientScope: the token is not active, or not for this API; the work raises KeysUnavailable, too.
        """
        caller = self._remembered(digest)
        if caller is not None:
            self._accepted(remembered=True)
            return caller
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise InvalidToken("malformed", problem="too_long")
        if not _CREDENTIAL.fullmatch(token):
            raise InvalidToken("malformed", problem="credential")
        return self._ask(token, digest)

    def health(self) -> IntrospectionHealth:
        """The state at this moment. No I/O."""
        with self._lock:
            active, refused = self._answers.counts
            failure = self._failure
            return IntrospectionHealth(
                remembered=active,
                refused=refused,
                in_flight=len(self._in_flight),
                failures=self._history.failures,
                last_error=None if failure is None else failure.detail,
                last_problem=None if failure is None else failure.problem,
            )

    def _remembered(self, digest: bytes) -> Caller | None:
        now = self._clocks.ages()
        found = self._answers.active(digest, now)
        if found is not None and found.is_usable(now, self._clocks.wall()):
            return found.verdict.caller
        if (refusal := self._answers.refusal(digest, now)) is not None:
            raise refusal
        return None

    def _ask(self, token: bytes, digest: bytes) -> Resumable[Caller]:
        question = self._join_or_begin(token, digest)
        if isinstance(question, Caller):
            return question
        if not (yield Wait(question.flight, max(0.0, self._overdue_at(question) - self._clocks.monotonic()))):
            self._give_up(question)
        outcome = question.outcome
        if isinstance(outcome, Verdict):
            self._accepted(remembered=False)
            return outcome.caller
        if isinstance(outcome, AuthError):
            raise fresh(outcome)
        raise self._unavailable("other" if outcome is None else outcome.problem)

    def _join_or_begin(self, token: bytes, digest: bytes) -> Question | Caller:
        """The question about this token that is in flight, or a new one; or the Caller, if it has just been answered."""
        self._give_up_overdue()
        with self._lock:
            question = self._in_flight.get(digest)
            if question is not None:
                return question
            if (caller := self._remembered(digest)) is not None:
                return caller
            now = self._clocks.ages()
            if now < self._history.retry_at:
                raise self._unavailable("other" if self._failure is None else self._failure.problem)
            if len(self._in_flight) >= self._budget(digest, now):
                raise self._unavailable("introspection_budget")
            question = Question(digest, now, self._clocks.monotonic())
            self._begun += 1
            question.flight = Flight(lambda: self._run(question, token), name=f"m2mguard-introspection-{self._begun}")
            self._in_flight[digest] = question
        try:
            question.flight.start()
        except CannotStart:
            self._end(question, _failure("not_started"))
        return question

    def _budget(self, digest: bytes, now: float) -> int:
        """How many questions may be in flight for this one to begin: a token that was accepted before has a share of its own."""
        most = self._settings.max_concurrent
        return most if self._answers.active(digest, now) is not None else most - self._settings.reserved

    def _run(self, question: Question, token: bytes) -> None:
        outcome: Outcome = _failure("other")
        size = 0
        try:
            answer = self._asker.ask(token)
            if answer is None:
                outcome = InvalidToken("inactive")
                outcome.issuer = self._profile.issuer
            else:
                outcome, size = check_active(answer, self._profile, self._clocks.wall())
        except FetchFailed as error:
            outcome = error.failure
        finally:
            self._end(question, outcome, size_bytes=size)

    def _end(self, question: Question, outcome: Outcome, *, size_bytes: int = 0) -> None:
        """Keep the outcome of a question, wake those who wait, and report a failure."""
        question.outcome = outcome
        with self._lock:
            counts = self._in_flight.get(question.digest) is question
            if counts:
                self._keep(question, outcome, size_bytes)
                del self._in_flight[question.digest]
            history = self._history
        question.flight.finish()
        if counts and isinstance(outcome, FetchFailure):
            self._reporter.emit(
                IntrospectionFailed(
                    issuer=self._profile.issuer,
                    problem=outcome.problem,
                    error=outcome.detail,
                    failures=history.failures,
                    retry_in_s=max(0.0, history.retry_at - self._clocks.ages()),
                )
            )

    def _keep(self, question: Question, outcome: Outcome, size_bytes: int) -> None:
        """Called under the lock, before the question leaves `_in_flight`: a request that comes between finds the one or the other."""
        now = self._clocks.ages()
        if isinstance(outcome, FetchFailure):
            backoff_s = 0.0
            if outcome.problem in _ABOUT_THE_ENDPOINT:
                longest = min(RETRY_LAST_S, doubled_s(self._history.failures))
                backoff_s = max(RETRY_LEAST_S, longest * self._clocks.jitter())
            self._history = self._history.failed(now, backoff_s=backoff_s, retry_after_s=outcome.retry_after_s)
            self._failure = outcome
            return
        self._history = self._history.succeeded()
        self._failure = None
        if isinstance(outcome, Verdict):
            until = question.began_at + self._settings.ttl
            self._answers.keep(Active(outcome, ask_again_at=until, digest=question.digest, size_bytes=size_bytes))
        else:
            self._answers.refuse(question.digest, outcome, now)

    def _overdue_at(self, question: Question) -> float:
        return question.began_monotonic + self._settings.timeout + GRACE_S

    def _give_up(self, question: Question) -> None:
        """Give up a question past its age limit, so that another can begin: only a name look-up that hangs can last so long."""
        if question.outcome is None:
            self._end(question, _failure("overdue"))

    def _give_up_overdue(self) -> None:
        if len(self._in_flight) < self._settings.max_concurrent - self._settings.reserved:
            return
        now = self._clocks.monotonic()
        with self._lock:
            overdue = [one for one in self._in_flight.values() if now >= self._overdue_at(one)]
        for question in overdue:
            self._give_up(question)

    def _unavailable(self, problem: FetchProblem) -> KeysUnavailable:
        wait = max(1.0, self._history.retry_at - self._clocks.ages())
        error = KeysUnavailable("introspection_unavailable", retry_after=wait, problem=problem)
        error.issuer = self._profile.issuer
        return error

    def _accepted(self, *, remembered: bool) -> None:
        if self._reporter.has_listener:
            self._reporter.emit(TokenAccepted(issuer=self._profile.issuer, remembered=remembered))


def _failure(problem: FetchProblem) -> FetchFailure:
    return FetchFailure(problem=problem, detail=FETCH_PROBLEMS[problem].sentence)
