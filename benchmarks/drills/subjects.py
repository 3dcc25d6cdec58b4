"""The verifiers under drill: m2mguard and three peers, each as a function that takes a token and returns what became of it."""

import asyncio
import inspect
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from typing import NamedTuple

import jwt
from guardpost.errors import AuthException
from guardpost.jwts import InvalidAccessToken

from benchmarks import peers
from m2mguard import AuthError, Issuer, KeyCaching, KeysUnavailable, ResourceServer
from m2mguard.testing import SHOPPING_API, LocalIssuer

TTL_S, TIMEOUT_S = 3, 5  # of every subject that has a setting for it; everything else is its default
LONGEST_WAIT_S = 8.0
Ask = Callable[[str], str]
"""Verifies a token; returns "accepted", "refused", "could not tell", or the name of an unexpected exception. Blocks."""


class Outcome(NamedTuple):
    """What became of one token, and when; "no verdict" after `LONGEST_WAIT_S`."""

    outcome: str
    seconds: float


class Subject(NamedTuple):
    """A verifier, and the exceptions by which it refuses a token or says that it could not tell."""

    name: str
    build: Callable[[LocalIssuer], peers.Verify]
    refused: tuple[type[Exception], ...]
    could_not_tell: tuple[type[Exception], ...] = ()

    def asking(self, issuer: LocalIssuer) -> Ask:
        verify = _blocking(self.build(issuer))

        def ask(token: str) -> str:
            try:
                verify(token)
            except self.could_not_tell:
                return "could not tell"
            except self.refused:
                return "refused"
            except Exception as error:  # noqa: BLE001 - what a peer lets through is the figure
                return type(error).__name__
            return "accepted"

        return ask


def _blocking(verify: peers.Verify) -> peers.Verify:
    """An async function, called from threads: it runs on an event loop of its own."""
    if not inspect.iscoroutinefunction(verify):
        return verify
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return lambda token: asyncio.run_coroutine_threadsafe(verify(token), loop).result()


def m2mguard(issuer: LocalIssuer) -> peers.Verify:
    trusted = Issuer.logto(issuer.endpoint, jwks_uri=issuer.jwks_uri)
    return ResourceServer(trusted, audience=SHOPPING_API, caching=KeyCaching(ttl=TTL_S, timeout=TIMEOUT_S)).verify


def pyjwt(issuer: LocalIssuer) -> peers.Verify:
    return peers.pyjwt(issuer, lifespan=TTL_S, timeout=TIMEOUT_S)


def guardpost(issuer: LocalIssuer) -> peers.Verify:
    return peers.guardpost(issuer, cache_time=TTL_S)


SUBJECTS = (
    Subject("m2mguard", m2mguard, (AuthError,), (KeysUnavailable,)),
    Subject(f"PyJWT {version('pyjwt')}", pyjwt, (jwt.PyJWTError,), (jwt.PyJWKClientConnectionError,)),
    Subject(f"fastmcp {version('fastmcp')}", peers.fastmcp, (peers.Refused,)),
    Subject(f"guardpost {version('guardpost')}", guardpost, (InvalidAccessToken, AuthException)),
)


def verdicts(ask: Ask, tokens: list[str], *, at_once: int = 1) -> list[Outcome]:
    """The outcome of every token, so many at a time."""
    outcomes = [Outcome("no verdict", LONGEST_WAIT_S)] * len(tokens)
    left = deque(enumerate(tokens))

    def work() -> None:
        with suppress(IndexError):
            while True:
                place, token = left.popleft()
                began = time.perf_counter()
                outcome = ask(token)
                outcomes[place] = Outcome(outcome, time.perf_counter() - began)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(at_once, len(tokens)))]
    deadline = time.monotonic() + LONGEST_WAIT_S
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return list(outcomes)


def verdict(ask: Ask, token: str) -> Outcome:
    """The outcome of one token."""
    return verdicts(ask, [token])[0]
