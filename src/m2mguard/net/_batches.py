"""Questions of many callers to one server, sent in batches by one thread: what waits while a batch is in flight makes the next one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from m2mguard.net._flight import CannotStart, Flight, Resumable, Wait, after_fork_in_child, new_lock

Q = TypeVar("Q")
A = TypeVar("A")
MAX_WAITING: Final = 10_000
PAUSE_S: Final = 1.0


class NoAnswer(Exception):
    """There is no answer to a question. The text says why, without anything that a caller sent."""


class _Batch(Generic[Q, A]):
    """Questions that are sent together, and what came of them."""

    __slots__ = ("answers", "flight", "problem", "questions")

    def __init__(self) -> None:
        self.questions: list[Q] = []
        self.answers: Sequence[A] = ()
        self.problem: str | None = None
        self.flight = Flight(lambda: None, name="never started: the thread that sends the batch finishes it")


class Batches(Generic[Q, A]):
    """Sends the questions of any number of callers. Safe to share between threads, event loops and greenlets, and across `fork`.

    There is a thread only while there are questions. Nobody waits for a server that is down: after a batch without an answer nothing is
    sent for a second, and while one is late nothing is added.

    Args:
        send: asks the questions of a batch, in a thread, and returns an answer for each, in their order. Raises `NoAnswer`.
        timeout_s: how long a caller waits at most.
        name: of the thread.
    """

    def __init__(self, send: Callable[[Sequence[Q]], Sequence[A]], *, timeout_s: float, name: str) -> None:
        self._send = send
        self._timeout_s = timeout_s
        self._name = name
        self._reset()
        after_fork_in_child(self._reset)

    def _reset(self) -> None:
        self._lock = new_lock()
        self._next: _Batch[Q, A] | None = None
        self._is_sending = False
        self._sending_since = 0.0
        self._problem: str | None = None
        self._paused_until = 0.0

    def ask(self, question: Q) -> Resumable[A]:
        """The answer to a question; waits for it.

        Raises:
            NoAnswer: there is none.
        """
        with self._lock:
            self._check_pause()
            batch = self._next = self._next or _Batch()
            place = len(batch.questions)
            if place >= MAX_WAITING:
                raise NoAnswer(f"{MAX_WAITING:,} others wait already")
            batch.questions.append(question)
            starts = not self._is_sending
            if starts:
                self._is_sending, self._sending_since = True, time.monotonic()
        if starts:
            self._start()
        if not (yield Wait(batch.flight, self._timeout_s)):
            raise self._late()
        if batch.problem is not None:
            raise NoAnswer(batch.problem)
        return batch.answers[place]

    def _check_pause(self) -> None:
        now = time.monotonic()
        if self._problem is not None and now < self._paused_until:
            raise NoAnswer(self._problem)
        if self._is_sending and now - self._sending_since > self._timeout_s:
            raise self._late()

    def _late(self) -> NoAnswer:
        return NoAnswer(f"no answer within {self._timeout_s:g} seconds")

    def _start(self) -> None:
        try:
            Flight(self._send_all, name=self._name).start()
        except CannotStart:
            batch = self._taken()
            while batch is not None:
                batch.problem = "no thread can be started"
                batch.flight.finish()
                batch = self._taken()

    def _send_all(self) -> None:
        batch = self._taken()
        while batch is not None:
            try:
                batch.answers = self._send(batch.questions)
                self._problem = None
            except NoAnswer as error:
                self._problem = batch.problem = str(error)
                self._paused_until = time.monotonic() + PAUSE_S
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must know that there is no answer
                batch.problem = type(error).__name__
            finally:
                batch.flight.finish()
            batch = self._taken()

    def _taken(self) -> _Batch[Q, A] | None:
        """The batch to send now; None if nobody waits, and this thread ends."""
        with self._lock:
            batch, self._next = self._next, None
            self._is_sending, self._sending_since = batch is not None, time.monotonic()
            return batch
