"""What a test has told the issuer to do wrong, and what to hold back; switched from any thread while requests run.

Knows endpoints by name; nothing of their answers.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from m2mguard.testing._request_log import AnyEndpoint, Endpoint, endpoints_named
from m2mguard.testing.faults import Fault


class Gate:
    """Requests wait behind it until `release`; a test can wait for them to arrive. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._arrived = 0
        self._released = False
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def arrived(self) -> int:
        """How many requests have come to the gate so far."""
        with self._changed:
            return self._arrived

    def wait_for(self, count: int = 1, *, timeout: float = 10.0) -> None:
        """Block until this many requests have come to the gate.

        Raises:
            TimeoutError: fewer had come after `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._arrived >= count, timeout):
                raise TimeoutError(f"{self._arrived} of {count} requests arrived within {timeout} s")

    def release(self) -> None:
        """Let the waiting requests, and all later ones, pass."""
        with self._changed:
            self._released = True
            self._changed.notify_all()
            waiting = list(self._waiting)
        for future in waiting:
            future.get_loop().call_soon_threadsafe(_wake, future)

    def enter_blocking(self, timeout_s: float) -> bool:
        """As `enter`, for a request that a thread makes itself. Returns False if the gate is still closed after `timeout_s` seconds."""
        with self._changed:
            self._arrived += 1
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._released, timeout_s)

    async def enter(self) -> None:
        """Count the request whose task this is, and wait until the gate is open."""
        future = asyncio.get_running_loop().create_future()
        with self._changed:
            self._arrived += 1
            self._changed.notify_all()
            if self._released:
                return
            self._waiting.add(future)
        try:
            await future
        finally:
            with self._changed:
                self._waiting.discard(future)


@dataclass(slots=True, kw_only=True)
class _ActiveFault:
    fault: Fault
    remaining: int | None
    gate: Gate = field(default_factory=Gate)


class FaultControl:
    """At most one fault, and any number of gates, for each endpoint."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: dict[Endpoint, _ActiveFault] = {}
        self._gates: list[tuple[tuple[Endpoint, ...], Gate]] = []

    def misbehave(self, endpoint: AnyEndpoint, fault: Fault, times: int | None) -> None:
        """Apply this fault to the next `times` requests (None: all) of each endpoint, instead of an earlier one."""
        if times is not None and times < 1:
            raise ValueError(f"times is a number of requests, 1 or more, not {times}")
        self._exchange(
            endpoint, {name: _ActiveFault(fault=fault, remaining=times) for name in endpoints_named(endpoint)}
        )

    def behave(self, endpoint: AnyEndpoint) -> None:
        """Lift the faults of these endpoints."""
        self._exchange(endpoint, {})

    def _exchange(self, endpoint: AnyEndpoint, new: dict[Endpoint, _ActiveFault]) -> None:
        with self._lock:
            lifted = [self._active.pop(name) for name in endpoints_named(endpoint) if name in self._active]
            self._active.update(new)
        for active in lifted:  # requests that hang on it look again, and find the new one
            active.gate.release()

    @contextlib.contextmanager
    def hold(self, endpoint: AnyEndpoint) -> Iterator[Gate]:
        """Make requests wait behind a gate, which opens at the end of the block at the latest."""
        gate = Gate()
        entry = (endpoints_named(endpoint), gate)
        with self._lock:
            self._gates.append(entry)
        try:
            yield gate
        finally:
            with self._lock:
                self._gates.remove(entry)
            gate.release()

    async def wait_turn(self, endpoint: Endpoint) -> Fault | None:
        """Wait as long as gates and faults demand; return the fault of the answer, if any."""
        with self._lock:
            gates = [gate for names, gate in self._gates if endpoint in names]
        for gate in gates:
            await gate.enter()
        while (active := self._take(endpoint)) is not None:
            await asyncio.sleep(active.fault.delay_s)
            if not active.fault.hang:
                return active.fault
            await active.gate.enter()
        return None

    def wait_turn_blocking(self, endpoint: Endpoint, timeout_s: float) -> Fault | None:
        """As `wait_turn`, for a request that a thread makes itself.

        Raises:
            TimeoutError: a gate, or a fault, does not let it pass within `timeout_s` seconds.
        """
        with self._lock:
            gates = [gate for names, gate in self._gates if endpoint in names]
        deadline = time.monotonic() + timeout_s
        for gate in gates:
            if not gate.enter_blocking(deadline - time.monotonic()):
                raise TimeoutError
        while (active := self._take(endpoint)) is not None:
            left_s = deadline - time.monotonic()
            late_s = left_s if active.fault.hang else min(active.fault.delay_s, left_s)
            if late_s and active.gate.enter_blocking(late_s):
                continue  # the fault was lifted, perhaps for another
            if late_s == left_s:
                raise TimeoutError
            return active.fault
        return None

    def _take(self, endpoint: Endpoint) -> _ActiveFault | None:
        with self._lock:
            active = self._active.get(endpoint)
            if active is None or active.remaining == 0:
                return None
            if active.remaining is not None:
                active.remaining -= 1
            return active


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
