"""Remembers used proofs in Valkey, for all processes that serve one API."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from m2mguard._reporting.reporter import logger
from m2mguard._validation import number, text, whole_number
from m2mguard.dpop._replay import ReplayStoreFull, ReplayStoreUnavailable, UsedProof
from m2mguard.net._batches import Batches, NoAnswer
from m2mguard.net._flight import Resumable, run_async, run_sync
from m2mguard.net._valkey import Command, RefusedCommand, ValkeyServer

# Answers 1 for the first use, 0 for another, -1 if the application's share is used up. Ages are counted by the server's clock alone, since
# those of the processes may differ. ZADD is the first command that writes: a later one would not be refused for lack of memory.
_FIRST_USE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local too_old_at = redis.call('ZSCORE', KEYS[1], ARGV[1])
if too_old_at and tonumber(too_old_at) > now then return 0 end
if redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf') >= tonumber(ARGV[3]) then return -1 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
"""
_FULL: Final = -1
_KEEPS: Final = "noeviction"


class ValkeyReplayStore:
    """Remembers used proofs in a Valkey server, so that a proof is good once in all processes together. Needs the extra `valkey`.

    Each process sends what its requests ask over one connection, many at once, and only while there are requests with proofs. A server that
    is down, slow or full is a 503 for requests with bound tokens, and changes nothing for others. Nothing is sent twice: after a lost
    answer it cannot be told whether the proof was marked.

    Safe to share between threads, event loops (asyncio and trio) and greenlets, and across `fork`.

    Args:
        url: "valkeys://user:password@valkey.internal:6379/0" (TLS), "valkey://..." or "unix:///path?db=0". The repr leaves the
            password out.
        max_proofs_per_application: how many proofs of one application are remembered, 1 to 10,000,000, default 500,000: with the default
            times, some 4,500 requests a second in all processes together. A proof takes about 100 bytes of the server's memory.
        timeout: how long a request waits for the server at most, 0.01 to 10 seconds, default 0.5.
        prefix: what the names of our keys in the server begin with, default "m2mguard:dpop:".

    Raises:
        ConfigurationError: an invalid value, or `valkey` is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        max_proofs_per_application: int = 500_000,
        timeout: float = 0.5,
        prefix: str = "m2mguard:dpop:",
    ) -> None:
        self._share = whole_number(
            "max_proofs_per_application", max_proofs_per_application, least=1, most=10_000_000, unit="proofs"
        )
        number("timeout", timeout, least=0.01, most=10)
        self._prefix = text("prefix", prefix)
        self._server = ValkeyServer(url, timeout_s=timeout)
        self._batches = Batches(self._send, timeout_s=timeout, name="m2mguard-used-proofs")
        self._knows_eviction = False

    def first_use(self, proof: UsedProof) -> bool:
        """As `ReplayStore.first_use`. Blocks for at most `timeout` seconds.

        Raises:
            ReplayStoreFull: the application's share is used up, or the server has no memory left.
            ReplayStoreUnavailable: the server gave no answer.
        """
        return run_sync(self._answer(proof))

    async def afirst_use(self, proof: UsedProof) -> bool:
        """As `first_use`, awaiting instead of blocking."""
        return await run_async(self._answer(proof))

    def _answer(self, proof: UsedProof) -> Resumable[bool]:
        try:
            answer = yield from self._batches.ask(self._command(proof))
            if isinstance(answer, RefusedCommand):
                raise answer
        except RefusedCommand as error:
            if error.is_full:
                raise ReplayStoreFull from None
            raise ReplayStoreUnavailable(str(error)) from None
        except NoAnswer as error:
            raise ReplayStoreUnavailable(str(error)) from None
        if answer == _FULL:
            raise ReplayStoreFull
        return bool(answer == 1)

    def _command(self, proof: UsedProof) -> Command:
        application = sha256("\0".join(proof.application).encode("utf-8", "surrogatepass")).hexdigest()
        left_ms = max(1, round((proof.expires_at - proof.now) * 1000))
        return ("EVAL", _FIRST_USE, 1, f"{self._prefix}{application}", proof.token_id, left_ms, self._share)

    def _send(self, commands: Sequence[Command]) -> list[Any]:
        if self._knows_eviction:
            return self._server.send(commands)
        *answers, memory = self._server.send([*commands, ("INFO", "memory")])
        self._knows_eviction = True
        policy = (
            memory.get("maxmemory_policy", _KEEPS) if isinstance(memory, dict) else _KEEPS
        )  # a user may not be allowed to ask
        if policy != _KEEPS:
            logger.warning(
                "Valkey at %s removes keys when its memory is full (maxmemory-policy %s): a used DPoP proof can be forgotten and be used "
                "again. Set maxmemory-policy noeviction; a full server is then a 503.",
                self._server.shown,
                policy,
            )
        return answers

    def __repr__(self) -> str:
        return f"ValkeyReplayStore({self._server.shown!r})"
