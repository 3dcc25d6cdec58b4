"""All the tokens of one application: one keeper for everything that shapes a token, so that equal requests share one token."""

from __future__ import annotations

import weakref
from collections.abc import Callable

from cachetools import LRUCache

from m2mguard._clocks import Clock, Clocks
from m2mguard._reporting.reporter import Reporter
from m2mguard.client._cached_token import CachedToken
from m2mguard.client._fetch import TokenFetcher
from m2mguard.client._token_request import TokenTarget
from m2mguard.events import Event
from m2mguard.net._flight import after_fork_in_child, new_lock

MAX_KEEPERS = 1_000  # a service with more organizations than that fetches anew for those it met longest ago


class TokenPool:
    """Hands out keepers. Safe to share between threads, and across `fork`.

    Args:
        fetcher: makes the application's token requests.
        clocks: what time it is, for the ages of tokens.
        monotonic: seconds on a clock that never steps, for how long anybody waits.
        on_event: told what happens.
    """

    def __init__(
        self,
        *,
        fetcher: TokenFetcher,
        clocks: Clocks,
        monotonic: Clock,
        on_event: Callable[[Event], object] | None,
    ) -> None:
        self._fetcher = fetcher
        self._clocks = clocks
        self._monotonic = monotonic
        self._on_event = on_event
        self._lock = new_lock()
        self._shared: LRUCache[TokenTarget, CachedToken] = LRUCache(MAX_KEEPERS)
        self._living: weakref.WeakSet[CachedToken] = (
            weakref.WeakSet()
        )  # those, and the ones that somebody else still holds
        after_fork_in_child(self._after_fork)

    def keeper(self, target: TokenTarget) -> CachedToken:
        """The keeper of this token, the same for equal targets."""
        with self._lock:
            keeper = self._shared.get(target)
            if keeper is None:
                keeper = CachedToken(
                    fetcher=self._fetcher,
                    target=target,
                    clocks=self._clocks,
                    monotonic=self._monotonic,
                    reporter=Reporter(self._on_event, monotonic=self._clocks.ages),
                )
                self._living.add(keeper)
            self._shared[target] = keeper
            return keeper

    def _after_fork(self) -> None:
        self._lock = new_lock()
        for keeper in list(self._living):
            keeper.after_fork()
