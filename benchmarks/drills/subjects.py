"""The verifiers under test: m2mguard and three that people use, each behind the same two calls.

Every one gets a ttl of three seconds where it has a setting for it, a time-out of five, and otherwise its own defaults.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Protocol

import jwt
from fastmcp.server.auth.providers.jwt import JWTVerifier
from guardpost.errors import AuthException
from guardpost.jwts import AsymmetricJWTValidator, InvalidAccessToken

from m2mguard import AuthError, Issuer, KeyCaching, KeysUnavailable, ResourceServer
from m2mguard.testing import SHOPPING_API, LocalIssuer

TTL_S = 3
TIMEOUT_S = 5
LONGEST_WAIT_S = 8.0
"""How long a drill waits for one verdict; a verifier that takes longer is written down as such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one token: `accepted`, `refused`, `could not tell`, or the name of an unexpected exception."""

    outcome: str
    seconds: float


class Subject(Protocol):
    """A verifier under drill."""

    name: str

    def verify(self, token: str) -> str:
        """Tell the outcome. Blocks."""


class Ours:
    name = "m2mguard"

    def __init__(self, issuer: LocalIssuer) -> None:
        self.server = ResourceServer(
            Issuer.logto(issuer.endpoint, jwks_uri=issuer.jwks_uri),
            audience=SHOPPING_API,
            caching=KeyCaching(ttl=TTL_S, timeout=TIMEOUT_S),
        )

    def verify(self, token: str) -> str:
        try:
            self.server.verify(token)
        except KeysUnavailable:
            return "could not tell"
        except AuthError:
            return "refused"
        return "accepted"


class PyJWT:
    name = f"PyJWT {version('pyjwt')}"

    def __init__(self, issuer: LocalIssuer) -> None:
        self._issuer = issuer.url
        self._client = jwt.PyJWKClient(issuer.jwks_uri, lifespan=TTL_S, timeout=TIMEOUT_S)

    def verify(self, token: str) -> str:
        try:
            key = self._client.get_signing_key_from_jwt(token)
            jwt.decode(token, key, algorithms=["ES256", "ES384"], audience=SHOPPING_API, issuer=self._issuer)
        except jwt.PyJWKClientConnectionError:
            return "could not tell"
        except jwt.PyJWTError:
            return "refused"
        return "accepted"


class OnALoop:
    """An event loop on a thread, for verifiers that are asynchronous only."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, work: Awaitable[str]) -> str:
        async def main() -> str:
            return await work

        return asyncio.run_coroutine_threadsafe(main(), self._loop).result()


class FastMCP:
    name = f"fastmcp {version('fastmcp')}"

    def __init__(self, issuer: LocalIssuer) -> None:
        self._loop = OnALoop()
        self._verifier = JWTVerifier(
            jwks_uri=issuer.jwks_uri, issuer=issuer.url, audience=SHOPPING_API, algorithm=issuer.current_key.algorithm
        )

    def verify(self, token: str) -> str:
        return self._loop.run(self._verify(token))

    async def _verify(self, token: str) -> str:
        return "refused" if await self._verifier.verify_token(token) is None else "accepted"


class Guardpost:
    name = f"guardpost {version('guardpost')}"

    def __init__(self, issuer: LocalIssuer) -> None:
        self._loop = OnALoop()
        self._validator = AsymmetricJWTValidator(
            valid_issuers=[issuer.url],
            valid_audiences=[SHOPPING_API],
            algorithms=["ES256", "ES384"],
            keys_url=issuer.jwks_uri,
            cache_time=TTL_S,
        )

    def verify(self, token: str) -> str:
        return self._loop.run(self._verify(token))

    async def _verify(self, token: str) -> str:
        try:
            await self._validator.validate_jwt(token)
        except (InvalidAccessToken, AuthException):
            return "refused"
        return "accepted"


SUBJECTS: tuple[Callable[[LocalIssuer], Subject], ...] = (Ours, PyJWT, FastMCP, Guardpost)


def ask(subject: Subject, token: str) -> Outcome:
    """One token, with a bounded wait."""
    return ask_all(subject, [token], at_once=1)[0]


def ask_all(subject: Subject, tokens: list[str], *, at_once: int) -> list[Outcome]:
    """Every token, so many at a time. A verdict that is not there after `PATIENCE_S` is noted as such."""
    verdicts: list[Outcome | None] = [None] * len(tokens)
    places = iter(range(len(tokens)))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                place = next(places, None)
            if place is None:
                return
            began = time.perf_counter()
            try:
                outcome = subject.verify(tokens[place])
            except Exception as error:  # noqa: BLE001 - what a peer lets through is the figure
                outcome = type(error).__name__
            verdicts[place] = Outcome(outcome=outcome, seconds=time.perf_counter() - began)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(at_once, len(tokens)))]
    deadline = time.monotonic() + LONGEST_WAIT_S
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = Outcome(outcome="no verdict", seconds=LONGEST_WAIT_S)
    return [verdict or late for verdict in verdicts]
