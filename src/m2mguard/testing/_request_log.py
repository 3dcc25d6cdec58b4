"""The requests an issuer has received, to be counted and waited for from any thread.

Knows endpoints by name; nothing of their answers.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from m2mguard.testing._messages import Request

Endpoint = Literal["discovery", "jwks", "token", "introspection", "applications", "other"]
"""A part of the issuer; `other` is everything that it answers with 404."""
AnyEndpoint = Endpoint | Literal["all"]


def endpoints_named(endpoint: AnyEndpoint) -> tuple[Endpoint, ...]:
    """Return the endpoints of this name; `ValueError` if there is none."""
    every: tuple[Endpoint, ...] = get_args(Endpoint)
    if endpoint == "all":
        return every
    if endpoint not in every:
        raise ValueError(f"unknown endpoint {endpoint!r}; there are {', '.join(every)} and all")
    return (endpoint,)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request that the issuer has received. `repr` shows neither header nor body: they may hold secrets.

    Args:
        endpoint: which part of the issuer was asked.
        method: as sent.
        path: without the query.
        headers: by lower-case name.
        body: as sent.
        at: `time.monotonic()` when it had arrived.
    """

    endpoint: Endpoint
    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    at: float


class RequestLog:
    """Every request since the start or the last `reset`, whatever became of it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._records: list[RequestRecord] = []

    def add(self, endpoint: Endpoint, request: Request) -> None:
        """Record a request that has arrived."""
        record = RequestRecord(
            endpoint=endpoint,
            method=request.method,
            path=request.path,
            headers=request.headers,
            body=request.body,
            at=time.monotonic(),
        )
        with self._changed:
            self._records.append(record)
            self._changed.notify_all()

    @property
    def records(self) -> list[RequestRecord]:
        """The requests in the order of their arrival."""
        with self._changed:
            return list(self._records)

    def count(self, endpoint: AnyEndpoint) -> int:
        """How many requests this endpoint has received."""
        with self._changed:
            return self._count(endpoint)

    def wait_for(self, endpoint: AnyEndpoint, count: int, timeout: float) -> None:
        """Block until this many requests have been recorded; `TimeoutError` after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._count(endpoint) >= count, timeout):
                raise TimeoutError(f"{self._count(endpoint)} of {count} requests to {endpoint} within {timeout} s")

    def reset(self) -> None:
        """Forget every request."""
        with self._changed:
            self._records.clear()

    def _count(self, endpoint: AnyEndpoint) -> int:
        meant = endpoints_named(endpoint)
        return sum(record.endpoint in meant for record in self._records)
